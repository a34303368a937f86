//! Sizes and durations in the units that an operator reads.

use std::time::Duration;

/// A size, such as `1.5 GiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A duration, in its largest unit.
pub(super) fn duration(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7200 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_have_the_largest_unit() {
        assert_eq!([size(17), size(2048), size(3 << 29)], ["17 bytes", "2.0 KiB", "1.5 GiB"]);
        let shown = [5, 119, 120, 7200, 200_000].map(|seconds| duration(Duration::from_secs(seconds)));
        assert_eq!(shown, ["5 s", "119 s", "2 min", "2 h", "2 days"]);
        assert_eq!(duration(Duration::from_millis(250)), "250 ms");
    }
}
