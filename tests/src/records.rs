//! Parses the service's records.

use serde_json::Value;

/// Parses one record per line. An unterminated last line is still being written and is skipped; any other line that is not
/// JSON panics.
#[track_caller]
pub fn parse(text: &str) -> Vec<Value> {
    let finished = text.rfind('\n').map_or("", |end| &text[..end]);
    finished.lines().map(record).collect()
}

/// Like [`parse`], for complete output: the last line must be terminated.
#[track_caller]
pub fn parse_all(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is not terminated: {:?}", text.lines().last());
    parse(text)
}

#[track_caller]
fn record(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|e| panic!("a line that is not JSON ({e}): {line}"))
}
