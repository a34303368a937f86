//! Social security numbers of the United States, written with hyphens: `123-45-6789`.

use std::ops::Range;

use memchr::memchr_iter;

/// The position of the first hyphen.
const HYPHEN: usize = 3;
const LENGTH: usize = "123-45-6789".len();
/// A shorter beginning, at the end of a `partial` text, does not identify a person.
const MIN_CUT_LENGTH: usize = "123-45".len();

/// The numbers of a text.
pub(super) fn find_numbers(text: &[u8], partial: bool) -> impl Iterator<Item = Range<usize>> {
    memchr_iter(b'-', text)
        .filter_map(|hyphen| hyphen.checked_sub(HYPHEN))
        .filter(|start| !continues(text[..*start].iter().rev()))
        .filter_map(move |start| number_end(text, start, partial).map(|end| start..end))
        .filter(|found| !continues(text[found.end..].iter()))
}

/// The end of the number that starts here, in digits that the authority assigns: no area 000, 666 or 9xx, no group 00,
/// no serial 0000. At the end of a `partial` text, the beginning of a number counts as one.
pub(crate) fn number_end(text: &[u8], start: usize, partial: bool) -> Option<usize> {
    let number = &text[start..text.len().min(start + LENGTH)];
    let is_cut = number.len() < LENGTH;
    let has_form = number.iter().zip(0..).all(|(byte, at)| match at {
        HYPHEN | 6 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let is_long_enough = !is_cut || partial && number.len() >= MIN_CUT_LENGTH;
    let is_assigned = || {
        let (area, group) = (&number[..HYPHEN], &number[4..6]);
        area != b"000" && area != b"666" && area[0] != b'9' && group != b"00" && number.get(7..) != Some(b"0000")
    };
    (is_long_enough && has_form && is_assigned()).then_some(start + number.len())
}

/// Whether the number is part of a longer group of digits, a date, a name or a decimal number; `next` are the bytes
/// next to it, outwards.
fn continues<'a>(mut next: impl Iterator<Item = &'a u8>) -> bool {
    match next.next() {
        Some(b'.') => next.next().is_some_and(u8::is_ascii_digit),
        Some(byte) => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::patterns::{PatternFinder, Patterns};

    #[test]
    fn social_security_numbers_are_redacted() {
        let finder = PatternFinder::new(Patterns::default());
        let shown = |text: &str| finder.redact(text, false).into_owned();
        assert_eq!(shown("SSN 123-45-6789."), "SSN [redacted].");
        assert_eq!(shown("899-01-0001,001-01-0001"), "[redacted],[redacted]");
        for end in 6.."123-45-6789".len() {
            assert_eq!(finder.redact(&"123-45-6789"[..end], true), "[redacted]", "{end}");
        }
    }

    #[test]
    fn dates_phone_numbers_and_ids_are_not_social_security_numbers() {
        let finder = PatternFinder::new(Patterns::default());
        for text in [
            "2026-11-22",
            "555-123-4567",
            "1-123-45-6789",
            "123-45-67890",
            "123-45-6789-1",
            "a123-45-6789",
            "123-45-6789.5",
            "000-45-6789",
            "666-45-6789",
            "900-45-6789",
            "123-00-6789",
            "123-45-0000",
            "01a20497-2e54-7036-97b5-a1c884441021",
        ] {
            assert_eq!(finder.redact(text, false), text);
        }
    }
}
