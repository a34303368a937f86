//! The redactor: one set of rules for all data that reaches a sink.

use std::borrow::Cow;
use std::fmt::Display;

use serde_json::{Map, Value};

use crate::content::{Content, cut, into_text, is_utf16, readable};
use crate::json;
use crate::pairs::{redact_pairs, redact_path};
use crate::patterns::{OwnPattern, Patterns, is_private_member};
use crate::placeholder::{REDACTED, WITHHELD};
use crate::pseudonyms::Pseudonyms;
use crate::rules::Rules;
use crate::strings::ParseError;

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
    pub(crate) pseudonyms: Option<Pseudonyms>,
}

impl Default for Redactor {
    fn default() -> Self {
        Self::new(&[], Patterns::default())
    }
}

impl Redactor {
    /// A redactor for the built-in sensitive keys, `extra_keys`, and `patterns`.
    pub fn new(extra_keys: &[String], patterns: Patterns) -> Self {
        Self { rules: Rules::new(extra_keys, patterns), pseudonyms: None }
    }

    /// Redacts what these patterns match, too. Every text is then searched in full.
    #[must_use]
    pub fn with_own_patterns(self, own: Vec<OwnPattern>) -> Self {
        if own.is_empty() { self } else { Self { rules: self.rules.with_own_patterns(own), ..self } }
    }

    /// Replaces the values of some keys by pseudonyms, unless the keys are sensitive.
    #[must_use]
    pub fn with_pseudonyms(self, pseudonyms: Pseudonyms) -> Self {
        Self { pseudonyms: Some(pseudonyms), ..self }
    }

    /// The pseudonym of a value, if its key has pseudonyms.
    pub fn pseudonym(&self, key: &str, value: &dyn Display) -> Option<String> {
        self.pseudonyms.as_ref().filter(|them| them.is_listed(key)).map(|them| them.token(&value.to_string()))
    }

    /// Whether the values of this key are redacted.
    pub fn is_sensitive(&self, key: &str) -> bool {
        self.rules.keys.is_sensitive(key)
    }

    /// Redacts a body, then truncates it to `limit` bytes. `complete` is `false` if `body` is only a prefix.
    pub fn content<'a>(&self, body: &'a [u8], syntax: Syntax, limit: usize, complete: bool) -> Content<'a> {
        let prefix = &body[..body.len().min(limit.saturating_add(json::MARGIN))];
        let partial = !complete || prefix.len() < body.len();
        let withheld = cut(WITHHELD.into(), limit);
        if is_utf16(prefix) {
            return withheld;
        }
        if !self.rules.may_match(prefix, partial) && syntax != Syntax::Form {
            return cut(readable(prefix, limit), limit);
        }
        match syntax {
            // A browser percent-encodes these bytes, so the body is not a form.
            Syntax::Form if body.trim_ascii_end().iter().any(|byte| *byte <= b' ' || b"\"<{\\".contains(byte)) => {
                self.content(body, Syntax::Text, limit, complete)
            }
            Syntax::Form => match std::str::from_utf8(body) {
                Ok(form) => {
                    let shown =
                        redact_pairs(&self.rules, form, limit, !complete, |key| self.rules.keys.is_sensitive(key));
                    cut(shown.into(), limit)
                }
                Err(_) => withheld,
            },
            Syntax::Json => {
                let mut out = Vec::with_capacity(body.len().min(limit) + 32);
                match json::redact(&self.rules, body, limit.saturating_add(1), complete, 0, &mut out) {
                    Ok(()) => cut(into_text(out).into(), limit),
                    Err(ParseError) => withheld,
                }
            }
            Syntax::Text => {
                let text = String::from_utf8_lossy(prefix);
                // JSON is also sent under other content types.
                if text.trim_start().starts_with(['{', '[']) {
                    let read = self.content(body, Syntax::Json, limit, complete);
                    if read != withheld {
                        return read;
                    }
                }
                let shown = self.rules.patterns.redact(&text, partial);
                if self.rules.keys.are_mentioned_in(&text) || self.rules.contains_secret(&shown, partial) {
                    return withheld;
                }
                let content = cut(shown.into_owned().into(), limit);
                Content { truncated: content.truncated || prefix.len() < body.len(), ..content }
            }
        }
    }

    /// A query string with the values of sensitive keys, and of `code`, redacted.
    pub fn query(&self, query: &str) -> String {
        let is_sensitive = |key: &str| key.eq_ignore_ascii_case("code") || self.rules.keys.is_sensitive(key);
        redact_pairs(&self.rules, query, usize::MAX, false, is_sensitive)
    }

    /// A path with the segments redacted that contain a secret.
    pub fn path<'a>(&self, path: &'a str) -> Cow<'a, str> {
        redact_path(&self.rules, path)
    }

    /// The redacted value of a header, or of another short text set by a client.
    pub fn header<'a>(&self, value: &'a str) -> Cow<'a, str> {
        let may_match = self.rules.may_match(value.as_bytes(), false);
        let shown = may_match.then(|| json::redact_string(&self.rules, value, json::MAX_DEPTH, false));
        shown.flatten().unwrap_or(Cow::Borrowed(value))
    }

    /// Redacts secrets that match a pattern in a human-readable text.
    pub fn text_in_place(&self, text: &mut String) {
        if let Some(shown) = self.rules.redact_found(text, false) {
            *text = shown.into_owned();
        }
    }

    /// Redacts data in place, at any depth.
    pub fn data(&self, value: &mut Value) {
        match value {
            Value::Object(map) => self.map(map),
            Value::Array(items) => items.iter_mut().for_each(|item| self.data(item)),
            Value::String(text) if self.rules.may_match(text.as_bytes(), false) => {
                if let Some(shown) = json::redact_string(&self.rules, text, 0, false) {
                    *text = shown.into_owned();
                }
            }
            Value::Number(number) if self.rules.patterns.is_card(number.to_string().as_bytes(), false) => {
                *value = REDACTED.into();
            }
            _ => {}
        }
    }

    /// Replaces a value, or the items of a list, by pseudonyms. An object may contain sensitive keys.
    fn pseudonymize(&self, pseudonyms: &Pseudonyms, value: &mut Value) {
        if let Value::Array(items) = value {
            items.iter_mut().for_each(|item| self.pseudonymize(pseudonyms, item));
        } else if let Some(token) = pseudonyms.of(value) {
            *value = token;
        } else {
            self.data(value);
        }
    }

    /// Redacts named values in place, at any depth.
    pub fn map(&self, map: &mut Map<String, Value>) {
        let is_json_web_key = self.rules.patterns.on.jwk && map.contains_key("kty");
        for (key, value) in map.iter_mut() {
            if self.rules.keys.is_sensitive(key) || is_json_web_key && is_private_member(key) {
                *value = REDACTED.into();
            } else if let Some(pseudonyms) = self.pseudonyms.as_ref().filter(|them| them.is_listed(key)) {
                self.pseudonymize(pseudonyms, value);
            } else {
                self.data(value);
            }
        }
        if map.keys().any(|key| self.rules.key(key).is_some()) {
            let all = std::mem::take(map).into_iter();
            map.extend(all.map(|(key, value)| (self.rules.key(&key).map_or(key, Cow::into_owned), value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn unparsable_bodies_are_withheld() {
        for (body, syntax) in [
            ("password=x", Syntax::Json),
            ("password: x", Syntax::Text),
            ("p\0i\0n\0:\0x\0", Syntax::Json),
            ("h\0i\0,\0 \0p\0i\0n\0", Syntax::Text),
            ("{\"pin\" 1}", Syntax::Text),
        ] {
            assert_eq!(redactor().content(body.as_bytes(), syntax, 100, true).text, WITHHELD, "{body}");
        }
    }

    #[test]
    fn sensitive_values_are_redacted_in_forms_and_queries() {
        let redactor = redactor();
        assert_eq!(redactor.query("a=1&pass%77ord=x&code=9&b"), "a=1&pass%77ord=[redacted]&code=[redacted]&b");
        for query in [
            "a=1;password=x",
            "password=a;x",
            "a=1;b=Bearer%20a;x",
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
            json!({"a": [{"sessionId": "[redacted]"}], "b": "{\"pwd\":\"[redacted]\"}", "c": "pin", "u": "[redacted]"})
        );
    }
}
