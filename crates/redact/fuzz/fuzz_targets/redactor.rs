//! Redacts bodies: no panic, never more than the limit, the same result as the reference for JSON, and no secret in any part.
#![no_main]

use std::sync::LazyLock;

use cyanotype_redact::reference::Document;
use cyanotype_redact::{Redactor, Syntax};
use libfuzzer_sys::fuzz_target;

/// The secret in the corpus.
const SECRET: &str = "t0psecret";

static REDACTOR: LazyLock<Redactor> = LazyLock::new(Redactor::default);

fn parts(body: &[u8]) -> impl Iterator<Item = usize> {
    (0..=8).map(|eighth| body.len() * eighth / 8)
}

/// Whether the reference also shows the secret in a document that ends here, because the text that identifies it as a
/// secret comes later in its string.
fn is_no_secret_yet(part: &[u8]) -> bool {
    // The end may be inside an escape or a character.
    let beginnings = (0..=12.min(part.len())).filter_map(|less| std::str::from_utf8(&part[..part.len() - less]).ok());
    beginnings.flat_map(closed).any(|text| {
        let document = Document::parse(&text);
        document.is_some_and(|document| format!("{:?}", document.redacted().normal()).contains(SECRET))
    })
}

/// A prefix closed to a complete document: as if it ended in a string, in a key, or in neither.
fn closed(beginning: &str) -> [String; 3] {
    let (mut open, mut in_string, mut is_escaped) = (Vec::new(), false, false);
    for c in beginning.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => in_string = !in_string,
            '{' if !in_string => open.push('}'),
            '[' if !in_string => open.push(']'),
            '}' | ']' if !in_string => drop(open.pop()),
            _ => {}
        }
    }
    let end: String = open.iter().rev().collect();
    [format!("{beginning}\"{end}"), format!("{beginning}\":1{end}"), format!("{beginning}{end}")]
}

fuzz_target!(|body: &[u8]| {
    for syntax in [Syntax::Json, Syntax::Form, Syntax::Text] {
        for cut in parts(body) {
            REDACTOR.content(&body[..cut], syntax, usize::MAX, false);
            let limited = REDACTOR.content(body, syntax, cut, true).text;
            assert!(limited.len() <= cut, "{} bytes of {cut}", limited.len());
        }
    }
    if let Some(document) = std::str::from_utf8(body).ok().and_then(Document::parse) {
        let shown = REDACTOR.content(body, Syntax::Json, usize::MAX, true).text;
        let read = Document::parse(&shown).map(|document| document.normal());
        assert_eq!(read, Some(document.redacted().normal()), "{shown}");
        for cut in parts(body).filter(|_| !shown.contains(SECRET)) {
            let part = REDACTOR.content(&body[..cut], Syntax::Json, usize::MAX, false).text;
            let limited = REDACTOR.content(body, Syntax::Json, cut, true).text;
            assert!(!part.contains(SECRET) || is_no_secret_yet(&body[..cut]), "{part}");
            assert!(!limited.contains(SECRET) || is_no_secret_yet(&body[..cut]), "{limited}");
        }
    }
});
