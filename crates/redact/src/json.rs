//! Redaction of JSON on its bytes, in one pass.
//!
//! A value depends only on the keys before it, so a truncated document can be redacted, and a long one only as far as
//! it is shown.

use std::borrow::Cow;

use crate::content::{into_text, readable};
use crate::lookahead::Lookahead;
use crate::names::{keys_in, names_in};
use crate::patterns::is_private_member;
use crate::placeholder::REDACTED;
use crate::pseudonyms::Pseudonyms;
use crate::rules::Rules;
use crate::scalars::is_scalar;
use crate::sentence::is_message;
use crate::strings::{ParseError, StringSpan, prefix, scan_string, unescape};
use crate::vocabulary::{ERRORS, KEY_TYPE, REGISTRIES, VALUES};

/// The maximum nesting depth of JSON in strings.
pub(crate) const MAX_DEPTH: u8 = 5;
/// Bytes read beyond the shown part of a body, to recognize a secret at its end: more than the length of a card number.
pub(crate) const MARGIN: usize = 64;

/// Appends at least the first `limit` bytes of the redacted document to `out`.
///
/// With `complete`, `input` is the entire document, and an unexpected end is an error. `depth` is the number of strings
/// around this document.
pub(crate) fn redact(
    rules: &Rules,
    input: &[u8],
    limit: usize,
    complete: bool,
    depth: u8,
    out: &mut Vec<u8>,
) -> Result<(), ParseError> {
    let limit = out.len().saturating_add(limit);
    let mut scanner = Scanner {
        rules,
        input,
        at: 0,
        complete,
        limit,
        depth,
        open: Vec::new(),
        redacted_depth: None,
        strict_depth: None,
        pseudonym_depths: Vec::new(),
        flushed: 0,
        lookahead: Lookahead::of(&rules.prefilter, input),
        out,
    };
    let read = scanner.run();
    scanner.flush();
    read
}

/// The replacement of a string that contains secrets: the keys of JSON in it are looked up at any depth. A `partial` string is
/// the prefix of a longer one.
pub(crate) fn redact_string(rules: &Rules, text: &str, depth: u8, partial: bool) -> Option<Cow<'static, str>> {
    let is_json = depth < MAX_DEPTH && text.trim_start().starts_with(['{', '[', '"']);
    if !is_json {
        return rules.redact_text(text, partial);
    }
    let mut inner = Vec::with_capacity(text.len());
    match redact(rules, text.as_bytes(), usize::MAX, !partial, depth + 1, &mut inner) {
        Ok(()) if inner == text.as_bytes() => None,
        Ok(()) => Some(into_text(inner).into()),
        Err(ParseError) => rules.redact_text(text, partial),
    }
}

/// The placeholder as a JSON string.
const REDACTED_JSON: &str = "\"[redacted]\"";

/// The next expected token inside the innermost container.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    Value,
    FirstValueOrEnd,
    Key,
    FirstKeyOrEnd,
    CommaOrEnd,
}

/// An open container.
struct Container {
    /// The byte that closes it.
    closing: u8,
    start: usize,
    /// The position of its last key; 0 if there is none.
    key: usize,
}

struct Scanner<'a> {
    rules: &'a Rules,
    input: &'a [u8],
    at: usize,
    /// Whether the input is the entire document.
    complete: bool,
    /// The required length of the output.
    limit: usize,
    /// The number of strings around this document.
    depth: u8,
    open: Vec<Container>,
    /// Inside the value of a sensitive key, which is not copied: the number of containers around that value.
    redacted_depth: Option<usize>,
    /// Inside the value of a sensitive key of an error, of which only messages are copied: the number of containers
    /// around that value.
    strict_depth: Option<usize>,
    /// The keys with pseudonyms around the current value: the number of containers around the value of each.
    pseudonym_depths: Vec<usize>,
    /// The end of the input that was copied or skipped.
    flushed: usize,
    lookahead: Lookahead<'a>,
    out: &'a mut Vec<u8>,
}

impl<'a> Scanner<'a> {
    fn run(&mut self) -> Result<(), ParseError> {
        let mut expect = Expect::Value;
        while self.output_length() < self.limit {
            let new_line = self.skip_whitespace();
            let Some(&byte) = self.input.get(self.at) else {
                let ended = self.open.is_empty() && expect == Expect::CommaOrEnd;
                return if ended { Ok(()) } else { self.end_of_input() };
            };
            expect = match (expect, byte) {
                (Expect::Value | Expect::FirstValueOrEnd, b'"') => {
                    let Some(text) = scan_string(self.input, self.at)? else { return self.end_of_input() };
                    if self.redacted_depth.is_none() {
                        let may_match = self.lookahead.has_candidate(self.at, text.end);
                        let may_match = may_match || self.strict_depth.is_some() || self.pseudonyms().is_some();
                        self.string(text, may_match, |it, text, partial| {
                            if let Some(pseudonyms) = it.pseudonyms() {
                                // The pseudonym of a part would be that of another value.
                                return Some(if partial { REDACTED.into() } else { pseudonyms.token(text).into() });
                            }
                            if it.strict_depth.is_some() && !is_message(text) {
                                return Some(REDACTED.into());
                            }
                            redact_string(it.rules, text, it.depth, partial)
                        })?;
                    }
                    self.at = text.end;
                    self.end_value()
                }
                (Expect::Key | Expect::FirstKeyOrEnd, b'"') => {
                    let Some(key) = scan_string(self.input, self.at)? else { return self.end_of_input() };
                    if let Some(object) = self.open.last_mut() {
                        object.key = self.at;
                    }
                    let sensitive = self.redacted_depth.is_none() && self.key(key)?;
                    self.at = key.end;
                    self.skip_whitespace();
                    match self.input.get(self.at) {
                        Some(b':') => self.at += 1,
                        Some(_) => return Err(ParseError),
                        None => return self.end_of_input(),
                    }
                    if sensitive {
                        self.skip_whitespace();
                        self.begin_sensitive_value();
                    }
                    Expect::Value
                }
                (Expect::CommaOrEnd, b',') if !self.open.is_empty() => {
                    self.at += 1;
                    if self.closing() == Some(b'}') { Expect::Key } else { Expect::Value }
                }
                (Expect::Value | Expect::FirstValueOrEnd, b'{') => self.open_container(b'}', Expect::FirstKeyOrEnd),
                (Expect::Value | Expect::FirstValueOrEnd, b'[') => self.open_container(b']', Expect::FirstValueOrEnd),
                (Expect::FirstValueOrEnd, b']') | (Expect::FirstKeyOrEnd, b'}') | (Expect::CommaOrEnd, b']' | b'}') => {
                    if self.open.pop().is_none_or(|container| container.closing != byte) {
                        return Err(ParseError);
                    }
                    self.at += 1;
                    self.end_value()
                }
                (Expect::Value | Expect::FirstValueOrEnd, _) => {
                    self.scalar()?;
                    self.end_value()
                }
                // Newline-delimited JSON. Several documents on one line are refused: another parser may read one secret
                // there.
                (Expect::CommaOrEnd, _) if self.open.is_empty() && new_line && self.depth == 0 => Expect::Value,
                _ => return Err(ParseError),
            };
        }
        Ok(())
    }

    /// The input ends inside a document.
    fn end_of_input(&self) -> Result<(), ParseError> {
        if self.complete { Err(ParseError) } else { Ok(()) }
    }

    /// The length of the output, including input that is still to be copied.
    fn output_length(&self) -> usize {
        self.out.len() + if self.redacted_depth.is_none() { self.at - self.flushed } else { 0 }
    }

    /// Copies the input up to the current position.
    fn flush(&mut self) {
        if self.redacted_depth.is_none() {
            self.out.extend_from_slice(&self.input[self.flushed..self.at]);
        }
        self.flushed = self.at;
    }

    /// Appends a replacement for the next text.
    fn replace_with(&mut self, text: &str) {
        self.flush();
        if text == REDACTED {
            self.out.extend_from_slice(REDACTED_JSON.as_bytes());
        } else {
            serde_json::to_writer(&mut *self.out, text).expect("a text can be written into memory");
        }
    }

    /// The byte that closes the innermost container.
    fn closing(&self) -> Option<u8> {
        self.open.last().map(|container| container.closing)
    }

    /// The keys around the current one, the innermost first.
    fn keys_around(&self) -> impl Iterator<Item = &'a str> + Clone {
        let input = self.input;
        let objects = self.open.iter().rev().skip(1).filter(|container| container.closing == b'}');
        objects.filter_map(move |object| {
            let end = scan_string(input, object.key).ok().flatten()?.end;
            std::str::from_utf8(&input[object.key + 1..end - 1]).ok()
        })
    }

    /// The pseudonyms, if the next value has one: it is that of a listed key, or in a list of such values.
    fn pseudonyms(&self) -> Option<&'a Pseudonyms> {
        let depth = *self.pseudonym_depths.last()?;
        let is_item = self.open[depth..].iter().all(|container| container.closing == b']');
        self.rules.pseudonyms.as_ref().filter(|_| is_item)
    }

    /// The value of a sensitive key starts here: a literal is data, and the messages of an error are.
    fn begin_sensitive_value(&mut self) {
        if matches!(self.input.get(self.at), Some(b't' | b'f' | b'n')) {
            return;
        }
        if self.keys_around().any(|key| ERRORS.contains(&key)) {
            self.strict_depth.get_or_insert(self.open.len());
            return;
        }
        self.replace_with(REDACTED);
        self.redacted_depth = Some(self.open.len());
    }

    fn open_container(&mut self, end: u8, expect: Expect) -> Expect {
        self.open.push(Container { closing: end, start: self.at, key: 0 });
        self.at += 1;
        expect
    }

    fn end_value(&mut self) -> Expect {
        if self.redacted_depth == Some(self.open.len()) {
            self.redacted_depth = None;
            self.flushed = self.at;
        }
        if self.strict_depth == Some(self.open.len()) {
            self.strict_depth = None;
        }
        if self.pseudonym_depths.last() == Some(&self.open.len()) {
            self.pseudonym_depths.pop();
        }
        match (self.input.get(self.at), self.closing()) {
            (Some(b','), Some(end)) => {
                self.at += 1;
                if end == b'}' { Expect::Key } else { Expect::Value }
            }
            _ => Expect::CommaOrEnd,
        }
    }

    /// Skips whitespace and returns whether it contains a line end.
    fn skip_whitespace(&mut self) -> bool {
        let mut new_line = false;
        while let Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) = self.input.get(self.at) {
            new_line |= *byte == b'\n';
            self.at += 1;
        }
        new_line
    }

    /// Reads a number or a literal.
    fn scalar(&mut self) -> Result<(), ParseError> {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let rest = &self.input[self.at..];
        let length = rest.iter().take_while(|byte| plain(byte)).count();
        let scalar = &rest[..length];
        let truncated = !self.complete && length == rest.len();
        if length == 0 || !truncated && !is_scalar(scalar) {
            return Err(ParseError);
        }
        let end = self.at + length;
        let is_secret = self.redacted_depth.is_none()
            && (self.strict_depth.is_some() && !is_literal(scalar)
                || (truncated || self.lookahead.has_candidate(self.at, end))
                    && self.rules.patterns.is_card(scalar, truncated));
        let token = self.pseudonyms().filter(|_| self.redacted_depth.is_none() && !is_literal(scalar));
        if let Some(pseudonyms) = token {
            let token = pseudonyms.token(&readable(scalar, usize::MAX));
            self.replace_with(if truncated { REDACTED } else { &token });
            self.flushed = end;
        } else if is_secret {
            self.replace_with(REDACTED);
            self.flushed = end;
        }
        self.at = end;
        Ok(())
    }

    /// Processes a key and returns whether it is sensitive.
    fn key(&mut self, key: StringSpan) -> Result<bool, ParseError> {
        let raw = &self.input[self.at..key.end];
        let may_match = self.lookahead.has_candidate(self.at, key.end);
        let sensitive = if key.has_escapes {
            let key: String = serde_json::from_slice(raw).map_err(|_| ParseError)?;
            self.is_sensitive(&key)
        } else if may_match {
            self.is_sensitive(&readable(&raw[1..raw.len() - 1], usize::MAX))
        } else {
            self.is_sensitive_by_context(&raw[1..raw.len() - 1])
        };
        if !sensitive && self.rules.pseudonyms.is_some() {
            let name = unescape(raw, false, key.has_escapes)?;
            if self.rules.pseudonyms_of(&name).is_some() {
                self.pseudonym_depths.push(self.open.len());
            }
        }
        self.string(key, may_match, |it, key, _| it.rules.redact_text(key, false))?;
        Ok(sensitive)
    }

    fn is_sensitive(&self, key: &str) -> bool {
        let rules = self.rules;
        rules.keys.is_sensitive(key) && !rules.keys.is_exempt_path(key, &self.keys_around())
            || self.is_sensitive_by_context(key.as_bytes())
    }

    /// Whether a key is sensitive because of the object that it is in.
    fn is_sensitive_by_context(&self, key: &[u8]) -> bool {
        let may_be_value = matches!(key.len(), 5 | 6 | 13 | 14) && VALUES.iter().any(|value| value.as_bytes() == key);
        may_be_value && self.object_names_secret()
            || key.len() <= 2
                && self.rules.patterns.on.jwk
                && std::str::from_utf8(key).is_ok_and(is_private_member)
                && self.is_web_key()
            || key == b"auth" && self.keys_around().any(|key| key == REGISTRIES)
    }

    /// Whether the object is a JSON Web Key.
    fn is_web_key(&self) -> bool {
        keys_in(self.searched_object()).any(|key| key == KEY_TYPE.as_bytes())
    }

    /// The start of the innermost container.
    fn searched_object(&self) -> &'a [u8] {
        /// A key of three moduli of 16,384 bits is shorter.
        const MAX_SEARCHED: usize = 16 * 1024;
        let start = self.open.last().map_or(self.at, |object| object.start);
        &self.input[start..self.input.len().min(start.saturating_add(MAX_SEARCHED))]
    }

    /// Whether another value of the object is the name of a secret: `{"name": "DB_PASSWORD", "value": "…"}`.
    fn object_names_secret(&self) -> bool {
        let object = self.searched_object();
        self.rules.may_match(object, false)
            && names_in(object).any(|name| self.rules.keys.is_sensitive(&readable(name, usize::MAX)))
    }

    /// Processes a string: replaces it with the result of `redacted`, if any, when it may match. A string that exceeds
    /// the limit is truncated.
    fn string(
        &mut self,
        text: StringSpan,
        mut may_match: bool,
        redacted: impl Fn(&Self, &str, bool) -> Option<Cow<'static, str>>,
    ) -> Result<(), ParseError> {
        let raw = &self.input[self.at..text.end];
        let room = self.limit.saturating_sub(self.output_length()).saturating_add(MARGIN);
        let part = prefix(raw, room);
        let truncated = part.len() < raw.len();
        if truncated {
            // The match may be in the truncated part, and the new end may complete one.
            may_match = self.rules.may_match(part, true);
        }
        let shown = if may_match {
            let text = unescape(part, truncated, text.has_escapes)?;
            redacted(self, &text, truncated)
        } else {
            None
        };
        match shown {
            Some(shown) => self.replace_with(&shown),
            None if truncated => {
                self.flush();
                self.out.extend_from_slice(part);
            }
            None => return Ok(()),
        }
        self.flushed = text.end;
        Ok(())
    }
}

fn is_literal(scalar: &[u8]) -> bool {
    matches!(scalar.first(), Some(b't' | b'f' | b'n'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patterns::Patterns;

    fn shown(input: &str, limit: usize, complete: bool) -> Result<String, ParseError> {
        let mut out = Vec::new();
        redact(&Rules::new(&[], &[], Patterns::default()), input.as_bytes(), limit, complete, 0, &mut out)?;
        Ok(String::from_utf8(out).expect("stays UTF-8"))
    }

    fn whole(input: &str) -> String {
        shown(input, usize::MAX, true).expect("is readable")
    }

    #[test]
    fn values_of_sensitive_keys_are_redacted_unless_they_are_literals() {
        for literal in ["true", "false", "null"] {
            let document = format!(r#"{{"a":1,"password":{literal},"b":2}}"#);
            assert_eq!(whole(&document), document);
        }
        for value in [r#""hunter2""#, "12.5e3", "[1,[2]]", r#"{"a":{"b":"}"}}"#, r#""\"x""#] {
            assert_eq!(
                whole(&format!(r#"{{"a":1,"password":{value},"b":2}}"#)),
                r#"{"a":1,"password":"[redacted]","b":2}"#
            );
        }
    }

    #[test]
    fn nested_spaced_and_escaped_keys_are_recognized() {
        assert_eq!(whole(r#"[{"x":[{"apiKey" : "k"}]}]"#), r#"[{"x":[{"apiKey" : "[redacted]"}]}]"#);
        assert_eq!(whole(r#"{"p\u0061ssword":"x"}"#), r#"{"p\u0061ssword":"[redacted]"}"#);
    }

    #[test]
    fn all_other_bytes_are_unchanged() {
        let clean = " {\"a\" : [1, -2.5e-3, true, null, \"\\u00e9 {x\"], \"shipping\":{}} \n[]\n";
        assert_eq!(whole(clean), clean);
    }

    #[test]
    fn json_inside_a_string_is_redacted() {
        assert_eq!(whole(r#"{"log":"{\"token\":\"t\"}"}"#), r#"{"log":"{\"token\":\"[redacted]\"}"}"#);
        for (written, shown) in [
            (r#"{\"token\":t"#, r#"{\"token\":[redacted]"#),
            (r#"\"{\\\"token\\\":\\\"t\\\"}"#, r#"\"{\\\"token\\\":\\\"[redacted]\\\"}"#),
            (r"/cb?token=t", "/cb?token=[redacted]"),
            (r#"POST {\"token\":1}"#, r#"POST {\"token\":[redacted]}"#),
            (r#"\ufeff{\"token\":1}"#, "\u{feff}{\\\"token\\\":[redacted]}"),
        ] {
            assert_eq!(whole(&format!(r#"{{"log":"{written}"}}"#)), format!(r#"{{"log":"{shown}"}}"#));
        }
        assert_eq!(whole(r#"{"log":"wrong password"}"#), r#"{"log":"wrong password"}"#);
        let twice = whole(r#"{"log":"\"{\\\"token\\\":\\\"t0p\\\"}\""}"#);
        assert!(!twice.contains("t0p"), "{twice}");
    }

    #[test]
    fn messages_of_errors_are_shown() {
        let errors =
            r#"{"errors":{"password":["must be at least 12 characters","hunter2 is too short",5,null],"pin":"is"}}"#;
        let shown = r#"{"errors":{"password":["must be at least 12 characters","[redacted]","[redacted]",null],"pin":"[redacted]"}}"#;
        assert_eq!(whole(errors), shown);
        assert_eq!(whole(r#"{"token":"must be at least 12"}"#), r#"{"token":"[redacted]"}"#);
    }

    #[test]
    fn the_value_beside_the_name_of_a_secret_is_redacted() {
        for (before, after) in [
            (r#"{"name":"DB_PASSWORD","value":"x"}"#, r#"{"name":"DB_PASSWORD","value":"[redacted]"}"#),
            (r#"{"value":"x","key":"apiKey"}"#, r#"{"value":"[redacted]","key":"apiKey"}"#),
            (r#"{"loc":["body","pin"],"input":[1]}"#, r#"{"loc":["body","pin"],"input":"[redacted]"}"#),
            (r#"[{"name":"a","value":"x"},{"name":"pin"}]"#, r#"[{"name":"a","value":"x"},{"name":"pin"}]"#),
            (r#"{"auths":{"r":{"auth":"x"}},"auth":"y"}"#, r#"{"auths":{"r":{"auth":"[redacted]"}},"auth":"y"}"#),
        ] {
            assert_eq!(whole(before), after);
        }
    }

    #[test]
    fn no_prefix_of_a_document_leaks_a_secret() {
        let document = r#"{"a":[1,{"password":"hunter2","deep":{"pin":[77,88]}}],"token":"hunter2"}"#;
        for cut in 0..document.len() {
            let prefix = shown(&document[..cut], usize::MAX, false).expect("a prefix is readable");
            assert!(!prefix.contains("hun") && !prefix.contains("77") && !prefix.contains("88"), "{prefix}");
        }
        for limit in 0..document.len() {
            let prefix = shown(document, limit, true).expect("is readable");
            assert!(!prefix.contains("hun") && !prefix.contains("77"), "{prefix}");
        }
    }

    #[test]
    fn malformed_json_is_an_error() {
        for broken in [
            r#"{"password" "x"}"#,
            r#"{password:"x"}"#,
            r#"{"password":@}"#,
            r#"{"password":[1},"a":"x"}"#,
            r#"{"a":}"#,
            "[1,]",
            "[01]",
            "[nul]",
            "4111 1111 1111 1111",
            "\"\\q\"",
            "\"\n\"",
            r#"{"a":1"#,
            "]",
            "password=x",
        ] {
            assert_eq!(shown(broken, usize::MAX, true), Err(ParseError), "{broken}");
        }
    }
}
