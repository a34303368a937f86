//! Container runtimes split lines at 16 KiB, and some collectors drop longer ones: no line reaches that, whatever a client
//! sends.

use system_tests::records;

use crate::hostile::{Kinds, attack, kinds, probe};

/// `log.max_line_bytes`, with the line feed. Docker and containerd split a line at 16,384 bytes.
pub const MAX_LINE: usize = 16_000;

#[track_caller]
pub fn assert_within_limit(written: &str) {
    for line in written.split_inclusive('\n') {
        let start: String = line.chars().take(300).collect();
        assert!(line.len() <= MAX_LINE, "a line of {} bytes: {start}", line.len());
    }
}

/// What the service writes during an attack, with the number of records.
#[track_caller]
fn written(format: &str, prefix: &str) -> (String, Kinds) {
    let service = probe().env("APP__LOG__FORMAT", format).env("APP__LOG__PRIORITY_PREFIX", prefix).start();
    let sent = attack(service.client());
    (service.stop().stderr, sent)
}

#[test]
fn json_lines_stay_below_the_limits_of_container_runtimes() {
    let (written, sent) = written("json", "never");
    assert_within_limit(&written);
    assert_eq!(kinds(&records::parse_all(&written)), sent, "each record is one line");
}

#[test]
fn pretty_lines_stay_below_the_limits_of_container_runtimes() {
    let (written, _) = written("pretty", "always");
    assert_within_limit(&written);
    for line in written.lines() {
        let prefix = line.as_bytes().first_chunk::<3>().map(|[open, digit, close]| (*open, digit - b'0', *close));
        assert!(matches!(prefix, Some((b'<', 3..=7, b'>'))), "a physical line without its priority: {line}");
    }
}
