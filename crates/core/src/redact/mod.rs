//! One redactor for every sink: response bodies, query strings, headers, breadcrumb data, messages' data and fields.
//!
//! The value of a sensitive key becomes `[redacted]`, before anything is cut and before anything is queued. What looks as
//! if it held such a key but cannot be read is withheld whole.

mod json;
mod keys;

use serde_json::Value;

use keys::Keys;

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

/// A content as it may be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub text: String,
    /// Whether there was more than was shown.
    pub truncated: bool,
}

#[derive(Debug)]
pub(crate) struct Redactor {
    keys: Keys,
}

impl Redactor {
    /// `more` are keys that are sensitive beside the built-in ones.
    pub fn new(more: &[String]) -> Self {
        Self { keys: Keys::new(more) }
    }

    /// Redacts a body, then cuts it to `limit` bytes. `complete` is `false` when `body` is only the beginning of one.
    pub fn content(&self, body: &[u8], syntax: Syntax, limit: usize, complete: bool) -> Content {
        if !self.keys.may_be_in(body) && syntax != Syntax::Form {
            let enough = &body[..body.len().min(limit.saturating_add(4))];
            return cut(&String::from_utf8_lossy(enough), limit);
        }
        let withheld = Content { text: WITHHELD.into(), truncated: false };
        match syntax {
            Syntax::Form => match std::str::from_utf8(body) {
                Ok(form) => cut(&self.pairs(form, |key| self.keys.is_sensitive(key)), limit),
                Err(_) => withheld,
            },
            Syntax::Json => {
                let mut out = Vec::with_capacity(body.len().min(limit) + 32);
                match json::redact(&self.keys, body, limit.saturating_add(1), complete, &mut out) {
                    Ok(()) => cut(&String::from_utf8_lossy(&out), limit),
                    Err(json::Unreadable) => withheld,
                }
            }
            Syntax::Text => {
                let text = String::from_utf8_lossy(body);
                // JSON goes by other names too.
                if text.trim_start().starts_with(['{', '[']) {
                    return self.content(body, Syntax::Json, limit, complete);
                }
                if self.keys.are_named_in(&text) { withheld } else { cut(&text, limit) }
            }
        }
    }

    /// A query string with the values of sensitive keys, and of `code`, redacted.
    pub fn query(&self, query: &str) -> String {
        self.pairs(query, |key| key.eq_ignore_ascii_case("code") || self.keys.is_sensitive(key))
    }

    fn pairs(&self, text: &str, is_sensitive: impl Fn(&str) -> bool) -> String {
        let mut shown = String::with_capacity(text.len());
        for piece in text.split_inclusive(['&', ';', '\n']) {
            let (pair, end) = match piece.strip_suffix(['&', ';', '\n']) {
                Some(pair) => (pair, &piece[pair.len()..]),
                None => (piece, ""),
            };
            match pair.split_once('=') {
                Some((key, _)) if is_sensitive(&form_decoded(key)) => shown.extend([key, "=", REDACTED]),
                // A value may hold a query, a form or JSON of its own.
                Some((key, value)) if self.keys.have_values_in(value) => shown.extend([key, "=", REDACTED]),
                None if self.keys.have_values_in(pair) => shown.push_str(REDACTED),
                _ => shown.push_str(pair),
            }
            shown.push_str(end);
        }
        shown
    }

    /// Redacts data in place, at any depth.
    pub fn data(&self, value: &mut Value) {
        match value {
            Value::Object(map) => self.map(map),
            Value::Array(items) => items.iter_mut().for_each(|item| self.data(item)),
            Value::String(text) if self.keys.may_be_in(text.as_bytes()) && self.keys.have_values_in(text) => {
                let json = text.trim_start().starts_with(['{', '[', '"']);
                let content = json.then(|| self.content(text.as_bytes(), Syntax::Json, usize::MAX, true).text);
                *text = content.filter(|content| content != WITHHELD).unwrap_or_else(|| REDACTED.into());
            }
            _ => {}
        }
    }

    /// Redacts named values in place, at any depth.
    pub fn map(&self, map: &mut serde_json::Map<String, Value>) {
        for (key, value) in map {
            if self.keys.is_sensitive(key) {
                *value = REDACTED.into();
            } else {
                self.data(value);
            }
        }
    }

    /// Whether a request header may be shown.
    #[cfg_attr(not(feature = "sentry"), expect(dead_code, reason = "only Sentry shows headers"))]
    pub fn shows_header(name: &str) -> bool {
        HEADERS_SHOWN.iter().any(|shown| name.eq_ignore_ascii_case(shown))
    }
}

fn cut(text: &str, limit: usize) -> Content {
    let end = text.floor_char_boundary(limit);
    Content { text: text[..end].to_owned(), truncated: end < text.len() }
}

/// A key of a form or a query, its escapes undone.
fn form_decoded(key: &str) -> String {
    form_urlencoded::parse(key.as_bytes()).next().map(|(key, _)| key.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn redactor() -> Redactor {
        Redactor::new(&[])
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
        for (body, syntax) in
            [("password=x", Syntax::Json), ("password: x", Syntax::Text), ("{\"pin\" 1}", Syntax::Text)]
        {
            assert_eq!(redactor().content(body.as_bytes(), syntax, 100, true).text, WITHHELD, "{body}");
        }
    }

    #[test]
    fn forms_and_queries_lose_the_values_of_sensitive_keys() {
        let redactor = redactor();
        assert_eq!(redactor.query("a=1&pass%77ord=x&code=9&b"), "a=1&pass%77ord=[redacted]&code=[redacted]&b");
        for query in
            ["a=1;password=x", "user[password]=x", "token[]=x", "n=/cb?token=x", "n=%2Fcb%3Ftoken%3Dx", "token%3Dx"]
        {
            let shown = redactor.query(query);
            assert!(shown.contains(REDACTED) && !shown.ends_with('x'), "{shown}");
        }
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
