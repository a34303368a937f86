//! One redactor for every sink: bodies, paths, query strings, headers, breadcrumb data, messages and their data, fields.
//!
//! The value of a sensitive key becomes `[redacted]`, and so does what looks like a secret whatever its key, before
//! anything is cut and before anything is queued. What looks as if it held a sensitive key but cannot be read is withheld
//! whole.

mod ahead;
#[cfg(target_arch = "x86_64")]
mod buckets;
mod cards;
mod content;
#[cfg(test)]
mod dismissals;
mod escapes;
mod json;
mod keys;
mod kinds;
mod patterns;
#[cfg(test)]
mod properties;
#[cfg(any(test, fuzzing))]
pub(crate) mod reference;
mod scalars;
mod strings;
mod suspects;
mod words;

use std::borrow::Cow;

use serde_json::{Map, Value};

pub(crate) use content::Content;
use content::{cut, is_utf16, readable, text_of};
use escapes::readings;
use keys::Keys;
pub use patterns::Patterns;
use patterns::{Finder, without};
use suspects::Suspects;

/// What stands in the place of a secret.
pub(crate) const REDACTED: &str = "[redacted]";
/// What stands in the place of a body that could not be read well enough to be shown.
pub(crate) const WITHHELD: &str = "[withheld: it may hold a secret and could not be read]";

/// The request headers that are shown; no other is.
const HEADERS_SHOWN: [&str; 20] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "range",
    "te",
    "traceparent",
    "transfer-encoding",
    "user-agent",
    "x-request-id",
];

/// How a body is read for keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    Json,
    Form,
    Text,
}

/// How deep strings that hold JSON are followed.
const DEEPEST: u8 = 5;
/// What is read beyond the part of a body that is shown, so that a secret on its edge is known: longer than a card number.
const BEYOND: usize = 64;

#[derive(Debug)]
pub(crate) struct Redactor {
    keys: Keys,
    patterns: Finder,
    suspects: Suspects,
}

impl Default for Redactor {
    fn default() -> Self {
        Self::new(&[], Patterns::default())
    }
}

impl Redactor {
    /// `more` are keys that are sensitive beside the built-in ones.
    pub fn new(more: &[String], patterns: Patterns) -> Self {
        let keys = Keys::new(more);
        let suspects = Suspects::new(keys.entries(), patterns.card);
        Self { keys, patterns: Finder::new(patterns), suspects }
    }

    /// Redacts a body, then cuts it to `limit` bytes. `complete` is `false` when `body` is only the beginning of one.
    pub fn content<'a>(&self, body: &'a [u8], syntax: Syntax, limit: usize, complete: bool) -> Content<'a> {
        let near = &body[..body.len().min(limit.saturating_add(BEYOND))];
        let goes_on = !complete || near.len() < body.len();
        let withheld = cut(WITHHELD.into(), limit);
        if is_utf16(near) {
            return withheld;
        }
        if !self.may_be_in(near, goes_on) && syntax != Syntax::Form {
            return cut(readable(near, limit), limit);
        }
        match syntax {
            // What no browser would have sent as a form is not read as one.
            Syntax::Form if body.trim_ascii_end().iter().any(|byte| *byte <= b' ' || b"\"<{\\".contains(byte)) => {
                self.content(body, Syntax::Text, limit, complete)
            }
            Syntax::Form => match std::str::from_utf8(body) {
                Ok(form) => cut(self.pairs(form, limit, !complete, |key| self.keys.is_sensitive(key)).into(), limit),
                Err(_) => withheld,
            },
            Syntax::Json => {
                let mut out = Vec::with_capacity(body.len().min(limit) + 32);
                match json::redact(self, body, limit.saturating_add(1), complete, 0, &mut out) {
                    Ok(()) => cut(text_of(out).into(), limit),
                    Err(json::Unreadable) => withheld,
                }
            }
            Syntax::Text => {
                let text = String::from_utf8_lossy(near);
                // JSON goes by other names too.
                if text.trim_start().starts_with(['{', '[']) {
                    let read = self.content(body, Syntax::Json, limit, complete);
                    if read != withheld {
                        return read;
                    }
                }
                let shown = self.patterns.redacted(&text, goes_on);
                if self.keys.are_named_in(&text) || self.is_found_in(&shown, goes_on) {
                    return withheld;
                }
                let content = cut(shown.into_owned().into(), limit);
                Content { truncated: content.truncated || near.len() < body.len(), ..content }
            }
        }
    }

    /// A query string with the values of sensitive keys, and of `code`, redacted.
    pub fn query(&self, query: &str) -> String {
        self.pairs(query, usize::MAX, false, |key| key.eq_ignore_ascii_case("code") || self.keys.is_sensitive(key))
    }

    /// Redacts pairs until so much of them is shown.
    fn pairs(&self, text: &str, limit: usize, goes_on: bool, is_sensitive: impl Fn(&str) -> bool) -> String {
        let mut shown = String::with_capacity(text.len().min(limit));
        let mut pairs = text.split('&').peekable();
        while let Some(pair) = pairs.next() {
            let goes_on = goes_on && pairs.peek().is_none();
            self.pair(pair, goes_on, &is_sensitive, &mut shown);
            if shown.len() > limit {
                break;
            }
            if pairs.peek().is_some() {
                shown.push('&');
            }
        }
        shown
    }

    /// To some readers a semicolon ends a pair too, to others it is part of the value: so it begins a new pair, and is no
    /// end of what is redacted.
    fn pair(&self, pair: &str, goes_on: bool, is_sensitive: &impl Fn(&str) -> bool, shown: &mut String) {
        for (at, part) in pair.split(';').enumerate() {
            if at > 0 {
                shown.push(';');
            }
            match part.split_once('=') {
                Some((key, _)) if self.is_secret(key, false) => return shown.push_str(REDACTED),
                Some((key, value))
                    if readings(&spaced(key)).any(|key| is_sensitive(&key))
                        // A value may hold a query, a form or JSON of its own.
                        || self.is_secret(value, goes_on) =>
                {
                    return shown.extend([key, "=", REDACTED]);
                }
                None if self.is_secret(part, goes_on) => return shown.push_str(REDACTED),
                _ => shown.push_str(part),
            }
        }
    }

    /// A path whose segments that hold a secret are redacted.
    pub fn path<'a>(&self, path: &'a str) -> Cow<'a, str> {
        // Slashes separate: what is in none of the segments together is in none of them. A plus sign is a space in a query.
        if !path.contains('+') && !self.may_be_in(path.as_bytes(), false) {
            return Cow::Borrowed(path);
        }
        // A token may hold slashes itself, and a block does.
        let is_across =
            |text: &str| self.patterns.find(text, false).iter().any(|found| text[found.clone()].contains('/'));
        if readings(&spaced(path)).any(|path| is_across(&path)) {
            return Cow::Owned(format!("/{REDACTED}"));
        }
        if !path.split('/').any(|segment| self.is_secret(segment, false)) {
            return Cow::Borrowed(path);
        }
        let shown = path.split('/').map(|segment| if self.is_secret(segment, false) { REDACTED } else { segment });
        Cow::Owned(shown.collect::<Vec<_>>().join("/"))
    }

    /// A header's value, or another short text that a client sets.
    pub fn header<'a>(&self, value: &'a str) -> Cow<'a, str> {
        let shown = self.may_be_in(value.as_bytes(), false).then(|| self.string(value, DEEPEST, false));
        shown.flatten().unwrap_or(Cow::Borrowed(value))
    }

    /// Redacts what looks like a secret in a text made for people.
    pub fn text_in_place(&self, text: &mut String) {
        if let Some(shown) = self.without_found(text, false) {
            *text = shown.into_owned();
        }
    }

    /// Whether there could be anything to redact; `false` is certain.
    fn may_be_in(&self, text: &[u8], goes_on: bool) -> bool {
        self.suspects.are_in(text, goes_on)
    }

    /// Whether a part of a URL or a form is not to be shown.
    fn is_secret(&self, encoded: &str, goes_on: bool) -> bool {
        // An escape that is cut off is no end of what goes before it.
        let near_end = encoded.len().saturating_sub(2);
        let percent = encoded.as_bytes()[near_end..].iter().position(|byte| *byte == b'%');
        let cut_off = percent.filter(|_| goes_on);
        // A plus sign is a space in a query.
        let worth_a_look = cut_off.is_some() || encoded.contains('+') || self.may_be_in(encoded.as_bytes(), goes_on);
        let encoded = cut_off.map_or(encoded, |at| &encoded[..near_end + at]);
        worth_a_look && (self.keys.have_values_in(encoded) || self.is_found_in(&spaced(encoded), goes_on))
    }

    /// Redacts data in place, at any depth.
    pub fn data(&self, value: &mut Value) {
        match value {
            Value::Object(map) => self.map(map),
            Value::Array(items) => items.iter_mut().for_each(|item| self.data(item)),
            Value::String(text) if self.may_be_in(text.as_bytes(), false) => {
                if let Some(shown) = self.string(text, 0, false) {
                    *text = shown.into_owned();
                }
            }
            Value::Number(number) if self.patterns.is_card(number.to_string().as_bytes(), false) => {
                *value = REDACTED.into();
            }
            _ => {}
        }
    }

    /// Redacts named values in place, at any depth.
    pub fn map(&self, map: &mut Map<String, Value>) {
        for (key, value) in map.iter_mut() {
            if self.keys.is_sensitive(key) {
                *value = REDACTED.into();
            } else {
                self.data(value);
            }
        }
        if map.keys().any(|key| self.key(key).is_some()) {
            let all = std::mem::take(map).into_iter();
            map.extend(all.map(|(key, value)| (self.key(&key).map_or(key, Cow::into_owned), value)));
        }
    }

    /// What is shown of a key that holds a secret itself.
    fn key(&self, key: &str) -> Option<Cow<'static, str>> {
        if self.keys.have_values_in(key) { Some(REDACTED.into()) } else { self.without_found(key, false) }
    }

    /// What is shown of a string among others, if not the string: one that holds JSON is redacted inside, one that gives a
    /// sensitive key a value in another way is redacted whole. Of one that `goes_on` this is the beginning.
    fn string(&self, text: &str, depth: u8, goes_on: bool) -> Option<Cow<'static, str>> {
        let is_json = depth < DEEPEST && text.trim_start().starts_with(['{', '[', '"']);
        let gives = self.keys.have_values_in(text);
        if is_json && (gives || self.keys.are_named_in(text) || self.is_found_in(text, goes_on)) {
            let mut inner = Vec::with_capacity(text.len());
            let read = json::redact(self, text.as_bytes(), usize::MAX, !goes_on, depth + 1, &mut inner);
            let inner = text_of(inner);
            if read.is_ok() && !self.is_found_in(&inner, goes_on) {
                return Some(inner.into());
            }
        }
        if gives { Some(REDACTED.into()) } else { self.without_found(text, goes_on) }
    }

    /// Whether a secret is found in a text, or in what it is without its escapes.
    fn is_found_in(&self, text: &str, goes_on: bool) -> bool {
        !self.patterns.find(text, goes_on).is_empty() || self.is_hidden_in(text, goes_on)
    }

    /// Whether a secret is found in what a text is without its escapes.
    fn is_hidden_in(&self, text: &str, goes_on: bool) -> bool {
        readings(text).skip(1).any(|text| !self.patterns.find(&text, goes_on).is_empty())
    }

    /// Of a text that a secret is found in: the text without it, where nothing is found then, else nothing of it.
    fn without_found(&self, text: &str, goes_on: bool) -> Option<Cow<'static, str>> {
        let found = self.patterns.find(text, goes_on);
        if found.first() == Some(&(0..text.len())) {
            return Some(REDACTED.into());
        }
        if found.is_empty() && !self.is_hidden_in(text, goes_on) {
            return None;
        }
        let shown = without(text, &found);
        Some(if self.is_found_in(&shown, goes_on) { REDACTED.into() } else { shown.into_owned().into() })
    }

    /// Whether a request header may be shown.
    #[cfg_attr(not(feature = "sentry"), expect(dead_code, reason = "only Sentry shows headers"))]
    pub fn shows_header(name: &str) -> bool {
        HEADERS_SHOWN.iter().any(|shown| name.eq_ignore_ascii_case(shown))
    }
}

/// A part of a form or a query, its plus signs undone.
fn spaced(encoded: &str) -> Cow<'_, str> {
    if encoded.contains('+') { Cow::Owned(encoded.replace('+', " ")) } else { Cow::Borrowed(encoded) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn redactor() -> Redactor {
        Redactor::default()
    }

    #[test]
    fn a_clean_body_is_cut_on_a_character_boundary() {
        let content = redactor().content("äöü".as_bytes(), Syntax::Text, 3, true);
        assert_eq!(content, Content { text: "ä".into(), truncated: true });
        let whole = redactor().content("äöü".as_bytes(), Syntax::Text, 6, true);
        assert_eq!(whole, Content { text: "äöü".into(), truncated: false });
    }

    #[test]
    fn it_redacts_before_it_cuts() {
        let content = redactor().content(br#"{"password":"0123456789","a":1}"#, Syntax::Json, 26, true);
        assert_eq!(
            content,
            Content { text: r#"{"password":"[redacted]","a"#.chars().take(26).collect(), truncated: true }
        );
    }

    #[test]
    fn what_cannot_be_read_is_withheld() {
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
    fn forms_and_queries_lose_the_values_of_sensitive_keys() {
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
    fn data_is_redacted_at_any_depth() {
        let mut data = json!({"a": [{"sessionId": {"x": 1}}], "b": "{\"pwd\":1}", "c": "pin", "u": "/x?token=1"});
        redactor().data(&mut data);
        assert_eq!(
            data,
            json!({"a": [{"sessionId": "[redacted]"}], "b": "{\"pwd\":\"[redacted]\"}", "c": "pin", "u": "[redacted]"})
        );
    }
}
