//! Redacts queries, paths and headers: redacting the result again changes nothing.
#![no_main]

use std::sync::LazyLock;

use cyanotype_redact::Redactor;
use libfuzzer_sys::fuzz_target;

static REDACTOR: LazyLock<Redactor> = LazyLock::new(Redactor::default);

fuzz_target!(|text: &str| {
    let query = REDACTOR.query(text);
    assert_eq!(REDACTOR.query(&query), query);
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        let key = key.rsplit(';').next().unwrap_or_default();
        let is_password = key.to_lowercase().split(|c: char| !c.is_alphanumeric()).any(|word| word == "password");
        // A semicolon also separates pairs.
        let first = value.split(';').next().unwrap_or_default();
        assert!(!is_password || first.is_empty() || first == "[redacted]", "{key}={value} of {query}");
    }
    let path = REDACTOR.path(text);
    assert_eq!(REDACTOR.path(&path), path);
    // Not idempotent for headers: the rest may be closer to a key than before, and is then redacted too.
    let _ = REDACTOR.header(&REDACTOR.header(text));
});
