//! RFC 3339 timestamps with microseconds.

use std::cell::Cell;
use std::io::Write;

use jiff::Timestamp;

thread_local! {
    /// The last second that was written, with its text, so that calendar conversion runs once per second and thread.
    static LAST: Cell<(i64, [u8; 19])> = const { Cell::new((i64::MIN, [0; 19])) };
}

/// Appends `2026-11-22T18:49:06.388200Z`.
pub(super) fn write_timestamp(at: Timestamp, out: &mut Vec<u8>) {
    let (second, nanosecond) = (at.as_second(), at.subsec_nanosecond());
    let micros = match u32::try_from(nanosecond) {
        Ok(nanoseconds) if (0..=MAX_SECOND).contains(&second) => nanoseconds / 1000,
        // Before 1970 the fraction is negative, and after 9999 the year has five digits.
        _ => {
            let _ = write!(out, "{at:.6}");
            return;
        }
    };
    let (cached, mut text) = LAST.get();
    if cached != second {
        let _ = write!(&mut text[..], "{at:.0}");
        LAST.set((second, text));
    }
    out.extend_from_slice(&text);
    out.push(b'.');
    out.extend_from_slice(&itoa::Buffer::new().format(1_000_000 + micros).as_bytes()[1..]);
    out.push(b'Z');
}

/// The last second of 9999.
const MAX_SECOND: i64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_seconds_are_formatted_as_jiff_formats_them() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a timestamp");
        for text in [
            "2026-11-22T18:49:06.388200Z",
            "2026-11-22T18:49:06.000001Z",
            "2026-11-22T18:49:07Z",
            "1970-01-01T00:00:00Z",
            "1969-12-31T23:59:59.25Z",
        ] {
            let mut out = Vec::new();
            write_timestamp(at(text), &mut out);
            assert_eq!(String::from_utf8(out).expect("text"), format!("{:.6}", at(text)));
        }
    }
}
