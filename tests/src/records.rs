//! Parses the service's records.

use cyanotype::catalog;
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
    let record = serde_json::from_str(line).unwrap_or_else(|e| panic!("a line that is not JSON ({e}): {line}"));
    check_keys(&record);
    record
}

/// Checks that docs/RECORDS.md lists every key of the record.
#[track_caller]
fn check_keys(record: &Value) {
    let kind = record["kind"].as_str().unwrap_or_default();
    let keys = record.as_object().into_iter().flat_map(|record| record.keys());
    let unknown: Vec<&String> = keys.filter(|key| !catalog::has_key(kind, key)).collect();
    assert!(unknown.is_empty(), "the catalog of records lacks {unknown:?} of the kind `{kind}`: {record}");
    let changed = record["change"].as_object().into_iter().flat_map(|change| change.keys());
    let unknown: Vec<&String> = changed.filter(|key| catalog::CHANGE.iter().all(|field| field.key != *key)).collect();
    assert!(unknown.is_empty(), "the catalog of records lacks {unknown:?} of a change: {record}");
}
