//! The redactor: one set of rules for all data that reaches a sink.

use std::borrow::Cow;
use std::fmt::Display;

use serde_json::{Map, Value};

use crate::content::{Content, cut, into_text, is_utf16, readable};
use crate::data;
use crate::json;
use crate::pairs::{redact_pairs, redact_path};
use crate::patterns::{OwnPattern, Patterns};
use crate::placeholder::WITHHELD;
use crate::pseudonyms::Pseudonyms;
use crate::rules::Rules;
use crate::text::is_query_secret;

/// The syntax in which a body's keys are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// JSON or newline-delimited JSON.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// Any other text.
    Text,
}

/// Redacts bodies, paths, query strings, headers, data and messages by the same rules.
#[derive(Debug)]
pub struct Redactor {
    pub(crate) rules: Rules,
}

impl Default for Redactor {
    fn default() -> Self {
        Self::new(&[], Patterns::default())
    }
}

impl Redactor {
    /// A redactor for the built-in sensitive keys, `extra_keys`, and `patterns`.
    pub fn new(extra_keys: &[String], patterns: Patterns) -> Self {
        Self::with_exceptions(extra_keys, &[], patterns)
    }

    /// The same without the keys in `keep`: a key in any notation, or the path to one: keys joined with dots.
    pub fn with_exceptions(extra_keys: &[String], keep: &[String], patterns: Patterns) -> Self {
        Self { rules: Rules::new(extra_keys, keep, patterns) }
    }

    /// Redacts what these patterns match, too. Every text is then searched in full.
    #[must_use]
    pub fn with_own_patterns(self, own: Vec<OwnPattern>) -> Self {
        if own.is_empty() { self } else { Self { rules: self.rules.with_own_patterns(own) } }
    }

    /// Replaces the values of some keys by pseudonyms, unless the keys are sensitive.
    #[must_use]
    pub fn with_pseudonyms(self, pseudonyms: Pseudonyms) -> Self {
        Self { rules: self.rules.with_pseudonyms(pseudonyms) }
    }

    /// The pseudonym of a value, if its key has pseudonyms.
    pub fn pseudonym(&self, key: &str, value: &dyn Display) -> Option<String> {
        self.rules.pseudonyms_of(key).map(|them| them.token(&value.to_string()))
    }

    /// Whether the values of this key are redacted.
    pub fn is_sensitive(&self, key: &str) -> bool {
        self.rules.keys.is_sensitive(key)
    }

    /// Redacts a body, then truncates it to `limit` bytes. `complete` is `false` if `body` is only a prefix.
    pub fn content<'a>(&self, body: &'a [u8], syntax: Syntax, limit: usize, complete: bool) -> Content<'a> {
        let prefix = &body[..body.len().min(limit.saturating_add(json::MARGIN))];
        let partial = !complete || prefix.len() < body.len();
        if is_utf16(prefix) {
            return cut(WITHHELD.into(), limit);
        }
        if !self.rules.may_match(prefix, partial) && syntax != Syntax::Form {
            return cut(readable(prefix, limit), limit);
        }
        match (syntax, std::str::from_utf8(body)) {
            // A browser percent-encodes these bytes, so a body with one is not a form.
            (Syntax::Form, Ok(form))
                if !form.trim_ascii_end().bytes().any(|byte| byte <= b' ' || b"\"<{\\".contains(&byte)) =>
            {
                let shown = redact_pairs(&self.rules, form, limit, !complete, |key| self.rules.keys.is_sensitive(key));
                return cut(shown.into(), limit);
            }
            (Syntax::Json, _) => {}
            // JSON is also sent under other content types.
            _ if prefix.trim_ascii_start().starts_with(b"{") || prefix.trim_ascii_start().starts_with(b"[") => {}
            _ => return self.text_content(prefix, limit, partial, body.len()),
        }
        let mut out = Vec::with_capacity(body.len().min(limit) + 32);
        match json::redact(&self.rules, body, limit.saturating_add(1), complete, 0, &mut out) {
            Ok(()) => cut(into_text(out).into(), limit),
            Err(_) => self.text_content(prefix, limit, partial, body.len()),
        }
    }

    /// The text of a body of `length` bytes, of which this is the start.
    fn text_content<'a>(&self, prefix: &'a [u8], limit: usize, partial: bool, length: usize) -> Content<'a> {
        let text = String::from_utf8_lossy(prefix);
        let shown = match self.rules.redact_text(&text, partial) {
            Some(shown) => shown,
            None => text,
        };
        let content = cut(shown, limit);
        Content { truncated: content.truncated || prefix.len() < length, ..content }
    }

    /// A query string with the values of sensitive keys, and of parameters that grant access, redacted.
    pub fn query(&self, query: &str) -> String {
        let is_sensitive = |key: &str| is_query_secret(key) || self.rules.keys.is_sensitive(key);
        redact_pairs(&self.rules, query, usize::MAX, false, is_sensitive)
    }

    /// A path with its secrets redacted.
    pub fn path<'a>(&self, path: &'a str) -> Cow<'a, str> {
        redact_path(&self.rules, path)
    }

    /// The redacted value of a header, or of another short text.
    pub fn header<'a>(&self, value: &'a str) -> Cow<'a, str> {
        self.text(value).unwrap_or(Cow::Borrowed(value))
    }

    /// Redacts the secrets of a text where they are written.
    pub fn text_in_place(&self, text: &mut String) {
        if let Some(shown) = self.text(text) {
            *text = shown.into_owned();
        }
    }

    /// A redacted text; `None` if it contains no secret.
    fn text(&self, text: &str) -> Option<Cow<'static, str>> {
        self.rules.may_match(text.as_bytes(), false).then(|| json::redact_string(&self.rules, text, 0, false)).flatten()
    }

    /// Redacts data in place, at any depth.
    pub fn data(&self, value: &mut Value) {
        data::redact(&self.rules, value);
    }

    /// Redacts named values in place, at any depth.
    pub fn map(&self, map: &mut Map<String, Value>) {
        data::redact_map(&self.rules, map);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::REDACTED;
    use serde_json::json;

    fn redactor() -> Redactor {
        Redactor::default()
    }

    #[test]
    fn a_clean_body_is_truncated_at_a_character_boundary() {
        let content = redactor().content("äöü".as_bytes(), Syntax::Text, 3, true);
        assert_eq!(content, Content { text: "ä".into(), truncated: true });
        let whole = redactor().content("äöü".as_bytes(), Syntax::Text, 6, true);
        assert_eq!(whole, Content { text: "äöü".into(), truncated: false });
    }

    #[test]
    fn redaction_precedes_truncation() {
        let content = redactor().content(br#"{"password":"0123456789","a":1}"#, Syntax::Json, 26, true);
        assert_eq!(
            content,
            Content { text: r#"{"password":"[redacted]","a"#.chars().take(26).collect(), truncated: true }
        );
    }

    #[test]
    fn secrets_are_redacted_in_place_in_malformed_bodies() {
        for (body, syntax, shown) in [
            ("password=x", Syntax::Json, "password=[redacted]"),
            ("password: x", Syntax::Text, "password: [redacted]"),
            ("{\"password\" \"x\"}", Syntax::Json, "{\"password\" \"[redacted]\"}"),
            ("\u{feff}{\"pin\":1,\"a\":NaN,}", Syntax::Json, "\u{feff}{\"pin\":[redacted],\"a\":NaN,}"),
            (")]}',\n{\"token\":\"x\"}", Syntax::Json, ")]}',\n{\"token\":\"[redacted]\"}"),
            ("{\"a\":1}{\"token\":[\"x\"]} // b", Syntax::Json, "{\"a\":1}{\"token\":[redacted]} // b"),
            ("<pin>1</pin><a>b</a>", Syntax::Text, "<pin>[redacted]</pin><a>b</a>"),
        ] {
            assert_eq!(redactor().content(body.as_bytes(), syntax, 100, true).text, shown);
        }
    }

    #[test]
    fn utf16_that_may_hold_a_secret_is_withheld() {
        for body in ["p\0i\0n\0:\0x\0", "h\0i\0,\0 \0p\0i\0n\0"] {
            assert_eq!(redactor().content(body.as_bytes(), Syntax::Text, 100, true).text, WITHHELD, "{body}");
        }
    }

    #[test]
    fn sensitive_values_are_redacted_in_forms_and_queries() {
        let redactor = redactor();
        assert_eq!(redactor.query("a=1&pass%77ord=x&code=9&b"), "a=1&pass%77ord=[redacted]&code=[redacted]&b");
        for query in [
            "a=1;password=x",
            "password=a;x",
            "a=1;b=Bearer%20x",
            "n=b=Bearer+x",
            "p%2561ssword=x",
            "user[password]=x",
            "token[]=x",
            "n=/cb?token=x",
            "n=%2Fcb%3Ftoken%3Dx",
            "token%3Dx",
        ] {
            let shown = redactor.query(query);
            assert!(shown.contains(REDACTED) && !shown.ends_with('x'), "{shown}");
        }
        let lines = redactor.content(b"{\"password\"\n:\n\"x\"}", Syntax::Form, 100, true);
        assert_eq!(lines.text, "{\"password\"\n:\n\"[redacted]\"}");
        let cut = redactor.content(b"a=4111-1111-%[", Syntax::Form, 100, false);
        assert_eq!(cut.text, "a=[redacted]");
        let form = redactor.content(b"code=9&api%2Dkey=x", Syntax::Form, 100, true);
        assert_eq!(form.text, "code=9&api%2Dkey=[redacted]");
    }

    #[test]
    fn private_members_of_json_web_keys_are_redacted_in_data() {
        let mut data = json!({"keys": [{"d": "x", "kty": "EC", "crv": "P-256"}], "d": "shown", "k": 1});
        redactor().data(&mut data);
        assert_eq!(data, json!({"keys": [{"d": "[redacted]", "kty": "EC", "crv": "P-256"}], "d": "shown", "k": 1}));
    }

    #[test]
    fn data_is_redacted_at_any_depth() {
        let mut data = json!({"a": [{"sessionId": {"x": 1}}], "b": "{\"pwd\":1}", "c": "pin", "u": "/x?token=1"});
        redactor().data(&mut data);
        assert_eq!(
            data,
            json!({"a": [{"sessionId": "[redacted]"}], "b": "{\"pwd\":\"[redacted]\"}", "c": "pin", "u": "/x?token=[redacted]"})
        );
    }
}
