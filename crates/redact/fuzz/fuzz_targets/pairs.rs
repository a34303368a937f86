//! Redacts queries, paths and headers. No password is left in a query, and redacting again soon changes nothing.
#![no_main]

use std::sync::LazyLock;

use cyanotype_redact::Redactor;
use libfuzzer_sys::fuzz_target;

static REDACTOR: LazyLock<Redactor> = LazyLock::new(Redactor::default);

fuzz_target!(|text: &str| {
    let query = REDACTOR.query(text);
    assert_stable(|text| REDACTOR.query(text), &query);
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        let key = key.rsplit(';').next().unwrap_or_default();
        let is_password = key.to_lowercase().split(|c: char| !c.is_alphanumeric()).any(|word| word == "password");
        // A semicolon also separates pairs.
        let first = value.split(';').next().unwrap_or_default();
        assert!(!is_password || first.is_empty() || first == "[redacted]", "{key}={value} of {query}");
    }
    assert_stable(|text| REDACTOR.path(text).into_owned(), &REDACTOR.path(text));
    assert_stable(|text| REDACTOR.header(text).into_owned(), &REDACTOR.header(text));
});

/// A placeholder may separate a key from the letters before it, so that the key's value is redacted the second time.
fn assert_stable(redact: impl Fn(&str) -> String, once: &str) {
    let twice = redact(once);
    assert_eq!(redact(&twice), twice);
}
