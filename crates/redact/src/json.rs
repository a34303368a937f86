//! Redaction of JSON on its bytes, in one pass.
//!
//! A value depends only on the keys before it, so a truncated document can be redacted, and a long one only as far as
//! it is shown.

use std::borrow::Cow;

use crate::content::{into_text, readable};
use crate::lookahead::Lookahead;
use crate::placeholder::REDACTED;
use crate::rules::Rules;
use crate::scalars::is_scalar;
use crate::strings::{ParseError, StringSpan, prefix, scan_string, unescape};

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
        closing: Vec::new(),
        redacted_depth: None,
        flushed: 0,
        lookahead: Lookahead::of(&rules.prefilter, input),
        out,
    };
    let read = scanner.run();
    scanner.flush();
    read
}

/// The replacement of a string that contains secrets: JSON in it is redacted inside; a string that assigns a value to a
/// sensitive key in another syntax is redacted entirely. A `partial` string is the prefix of a longer one.
pub(crate) fn redact_string(rules: &Rules, text: &str, depth: u8, partial: bool) -> Option<Cow<'static, str>> {
    let is_json = depth < MAX_DEPTH && text.trim_start().starts_with(['{', '[', '"']);
    let assigns = rules.keys.are_assigned_in(text);
    if is_json && (assigns || rules.keys.are_mentioned_in(text) || rules.contains_secret(text, partial)) {
        let mut inner = Vec::with_capacity(text.len());
        let read = redact(rules, text.as_bytes(), usize::MAX, !partial, depth + 1, &mut inner);
        let inner = into_text(inner);
        if read.is_ok() && !rules.contains_secret(&inner, partial) {
            return Some(inner.into());
        }
    }
    if assigns { Some(REDACTED.into()) } else { rules.redact_found(text, partial) }
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
    /// The closing bytes of the open containers.
    closing: Vec<u8>,
    /// Inside the value of a sensitive key, which is not copied: the number of containers around that value.
    redacted_depth: Option<usize>,
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
                let ended = self.closing.is_empty() && expect == Expect::CommaOrEnd;
                return if ended { Ok(()) } else { self.end_of_input() };
            };
            expect = match (expect, byte) {
                (Expect::Value | Expect::FirstValueOrEnd, b'"') => {
                    let Some(text) = scan_string(self.input, self.at)? else { return self.end_of_input() };
                    if self.redacted_depth.is_none() {
                        let may_match = self.lookahead.has_candidate(self.at, text.end);
                        self.string(text, may_match, |it, text, partial| {
                            redact_string(it.rules, text, it.depth, partial)
                        })?;
                    }
                    self.at = text.end;
                    self.end_value()
                }
                (Expect::Key | Expect::FirstKeyOrEnd, b'"') => {
                    let Some(key) = scan_string(self.input, self.at)? else { return self.end_of_input() };
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
                        self.replace_with(REDACTED);
                        self.redacted_depth = Some(self.closing.len());
                    }
                    Expect::Value
                }
                (Expect::CommaOrEnd, b',') if !self.closing.is_empty() => {
                    self.at += 1;
                    if self.closing.last() == Some(&b'}') { Expect::Key } else { Expect::Value }
                }
                (Expect::Value | Expect::FirstValueOrEnd, b'{') => self.open_container(b'}', Expect::FirstKeyOrEnd),
                (Expect::Value | Expect::FirstValueOrEnd, b'[') => self.open_container(b']', Expect::FirstValueOrEnd),
                (Expect::FirstValueOrEnd, b']') | (Expect::FirstKeyOrEnd, b'}') | (Expect::CommaOrEnd, b']' | b'}') => {
                    if self.closing.pop() != Some(byte) {
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
                (Expect::CommaOrEnd, _) if self.closing.is_empty() && new_line && self.depth == 0 => Expect::Value,
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

    fn open_container(&mut self, end: u8, expect: Expect) -> Expect {
        self.closing.push(end);
        self.at += 1;
        expect
    }

    fn end_value(&mut self) -> Expect {
        if self.redacted_depth == Some(self.closing.len()) {
            self.redacted_depth = None;
            self.flushed = self.at;
        }
        match (self.input.get(self.at), self.closing.last()) {
            (Some(b','), Some(end)) => {
                self.at += 1;
                if *end == b'}' { Expect::Key } else { Expect::Value }
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
        let is_card = self.redacted_depth.is_none()
            && (truncated || self.lookahead.has_candidate(self.at, end))
            && self.rules.patterns.is_card(scalar, truncated);
        if is_card {
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
            self.rules.keys.is_sensitive(&key)
        } else {
            may_match && self.rules.keys.is_sensitive(&readable(&raw[1..raw.len() - 1], usize::MAX))
        };
        self.string(key, may_match, |it, key, _| it.rules.key(key))?;
        Ok(sensitive)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patterns::Patterns;

    fn shown(input: &str, limit: usize, complete: bool) -> Result<String, ParseError> {
        let mut out = Vec::new();
        redact(&Rules::new(&[], Patterns::default()), input.as_bytes(), limit, complete, 0, &mut out)?;
        Ok(String::from_utf8(out).expect("stays UTF-8"))
    }

    fn whole(input: &str) -> String {
        shown(input, usize::MAX, true).expect("is readable")
    }

    #[test]
    fn values_of_sensitive_keys_are_redacted_whatever_their_type() {
        for value in [r#""hunter2""#, "12.5e3", "true", "null", "[1,[2]]", r#"{"a":{"b":"}"}}"#, r#""\"x""#] {
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
        for hidden in [
            r#"{\"token\":t"#,
            r#"\"{\\\"token\\\":\\\"t\\\"}"#,
            r"/cb?token=t",
            r#"POST {\"token\":1}"#,
            r#"\ufeff{\"token\":1}"#,
        ] {
            assert_eq!(whole(&format!(r#"{{"log":"{hidden}"}}"#)), r#"{"log":"[redacted]"}"#, "{hidden}");
        }
        assert_eq!(whole(r#"{"log":"wrong password"}"#), r#"{"log":"wrong password"}"#);
        let twice = whole(r#"{"log":"\"{\\\"token\\\":\\\"t0p\\\"}\""}"#);
        assert!(!twice.contains("t0p"), "{twice}");
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
