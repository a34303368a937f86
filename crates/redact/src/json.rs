//! Redaction of JSON, on its bytes and in one pass.
//!
//! A value is judged by the key before it, so a document can be redacted from its beginning as far as it is shown, and
//! one that was cut off as far as it goes.

use std::borrow::Cow;

use crate::content::{readable, text_of};
use crate::lookahead::Lookahead;
use crate::placeholder::REDACTED;
use crate::rules::Rules;
use crate::scalars::is_scalar;
use crate::strings::{Quoted, Unreadable, beginning, quoted, unquoted};

/// How deep strings that hold JSON are followed.
pub(crate) const DEEPEST: u8 = 5;
/// What is read beyond the part of a body that is shown, so that a secret on its edge is known: longer than a card number.
pub(crate) const BEYOND: usize = 64;

/// Appends the redacted document to `out`, at least as far as `limit` bytes of it.
///
/// `complete` says whether `input` is the whole document; one that just ends is then unreadable. `depth` is how many
/// strings this document is inside of.
pub(crate) fn redact(
    rules: &Rules,
    input: &[u8],
    limit: usize,
    complete: bool,
    depth: u8,
    out: &mut Vec<u8>,
) -> Result<(), Unreadable> {
    let limit = out.len().saturating_add(limit);
    let mut scanner = Scanner {
        rules,
        input,
        at: 0,
        complete,
        limit,
        depth,
        open: Vec::new(),
        muted: None,
        copied: 0,
        lookahead: Lookahead::of(&rules.prefilter, input),
        out,
    };
    let read = scanner.run();
    scanner.copy();
    read
}

/// What is shown of a string among others, if not the string: one that holds JSON is redacted inside, one that assigns a
/// value to a sensitive key in another way is redacted whole. A string with an `open` end is the beginning of a longer one.
pub(crate) fn redact_string(rules: &Rules, text: &str, depth: u8, open: bool) -> Option<Cow<'static, str>> {
    let is_json = depth < DEEPEST && text.trim_start().starts_with(['{', '[', '"']);
    let assigns = rules.keys.have_values_in(text);
    if is_json && (assigns || rules.keys.are_named_in(text) || rules.is_found_in(text, open)) {
        let mut inner = Vec::with_capacity(text.len());
        let read = redact(rules, text.as_bytes(), usize::MAX, !open, depth + 1, &mut inner);
        let inner = text_of(inner);
        if read.is_ok() && !rules.is_found_in(&inner, open) {
            return Some(inner.into());
        }
    }
    if assigns { Some(REDACTED.into()) } else { rules.without_found(text, open) }
}

/// What stands in the place of a secret, as JSON.
const SHOWN_INSTEAD: &str = "\"[redacted]\"";

/// What may come next inside the innermost container.
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
    /// Whether the input is the whole document.
    complete: bool,
    /// How long the output need be.
    limit: usize,
    /// How many strings this document is inside of.
    depth: u8,
    /// The containers that are open, as the bytes that close them.
    open: Vec<u8>,
    /// Inside the value of a sensitive key: how many containers were open before it. Nothing of it is copied.
    muted: Option<usize>,
    /// How far the input was copied, or is not to be.
    copied: usize,
    lookahead: Lookahead<'a>,
    out: &'a mut Vec<u8>,
}

impl<'a> Scanner<'a> {
    fn run(&mut self) -> Result<(), Unreadable> {
        let mut expect = Expect::Value;
        while self.length() < self.limit {
            let new_line = self.pass_space();
            let Some(&byte) = self.input.get(self.at) else {
                let ended = self.open.is_empty() && expect == Expect::CommaOrEnd;
                return if ended { Ok(()) } else { self.cut_off() };
            };
            expect = match (expect, byte) {
                (Expect::Value | Expect::FirstValueOrEnd, b'"') => {
                    let Some(text) = quoted(self.input, self.at)? else { return self.cut_off() };
                    if self.muted.is_none() {
                        let may_match = self.lookahead.has_candidate(self.at, text.end);
                        self.string(text, may_match, |it, text, open| redact_string(it.rules, text, it.depth, open))?;
                    }
                    self.at = text.end;
                    self.value_ended()
                }
                (Expect::Key | Expect::FirstKeyOrEnd, b'"') => {
                    let Some(key) = quoted(self.input, self.at)? else { return self.cut_off() };
                    let sensitive = self.muted.is_none() && self.key(key)?;
                    self.at = key.end;
                    self.pass_space();
                    match self.input.get(self.at) {
                        Some(b':') => self.at += 1,
                        Some(_) => return Err(Unreadable),
                        None => return self.cut_off(),
                    }
                    if sensitive {
                        self.pass_space();
                        self.show_instead(REDACTED);
                        self.muted = Some(self.open.len());
                    }
                    Expect::Value
                }
                (Expect::CommaOrEnd, b',') if !self.open.is_empty() => {
                    self.at += 1;
                    if self.open.last() == Some(&b'}') { Expect::Key } else { Expect::Value }
                }
                (Expect::Value | Expect::FirstValueOrEnd, b'{') => self.enter(b'}', Expect::FirstKeyOrEnd),
                (Expect::Value | Expect::FirstValueOrEnd, b'[') => self.enter(b']', Expect::FirstValueOrEnd),
                (Expect::FirstValueOrEnd, b']') | (Expect::FirstKeyOrEnd, b'}') | (Expect::CommaOrEnd, b']' | b'}') => {
                    if self.open.pop() != Some(byte) {
                        return Err(Unreadable);
                    }
                    self.at += 1;
                    self.value_ended()
                }
                (Expect::Value | Expect::FirstValueOrEnd, _) => {
                    self.scalar()?;
                    self.value_ended()
                }
                // Newline-delimited JSON. On one line, what are several documents here may be one secret to a reader.
                (Expect::CommaOrEnd, _) if self.open.is_empty() && new_line && self.depth == 0 => Expect::Value,
                _ => return Err(Unreadable),
            };
        }
        Ok(())
    }

    /// The input ends where a document does not.
    fn cut_off(&self) -> Result<(), Unreadable> {
        if self.complete { Err(Unreadable) } else { Ok(()) }
    }

    /// How long the output is with what is still to be copied.
    fn length(&self) -> usize {
        self.out.len() + if self.muted.is_none() { self.at - self.copied } else { 0 }
    }

    /// Copies the input as far as it was read.
    fn copy(&mut self) {
        if self.muted.is_none() {
            self.out.extend_from_slice(&self.input[self.copied..self.at]);
        }
        self.copied = self.at;
    }

    /// Appends a text as it is shown in the place of another.
    fn show_instead(&mut self, text: &str) {
        self.copy();
        if text == REDACTED {
            self.out.extend_from_slice(SHOWN_INSTEAD.as_bytes());
        } else {
            serde_json::to_writer(&mut *self.out, text).expect("a text can be written into memory");
        }
    }

    fn enter(&mut self, end: u8, expect: Expect) -> Expect {
        self.open.push(end);
        self.at += 1;
        expect
    }

    fn value_ended(&mut self) -> Expect {
        if self.muted == Some(self.open.len()) {
            self.muted = None;
            self.copied = self.at;
        }
        match (self.input.get(self.at), self.open.last()) {
            (Some(b','), Some(end)) => {
                self.at += 1;
                if *end == b'}' { Expect::Key } else { Expect::Value }
            }
            _ => Expect::CommaOrEnd,
        }
    }

    /// Returns whether a line ended.
    fn pass_space(&mut self) -> bool {
        let mut new_line = false;
        while let Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) = self.input.get(self.at) {
            new_line |= *byte == b'\n';
            self.at += 1;
        }
        new_line
    }

    /// Reads a number or a literal.
    fn scalar(&mut self) -> Result<(), Unreadable> {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let rest = &self.input[self.at..];
        let length = rest.iter().take_while(|byte| plain(byte)).count();
        let scalar = &rest[..length];
        let truncated = !self.complete && length == rest.len();
        if length == 0 || !truncated && !is_scalar(scalar) {
            return Err(Unreadable);
        }
        let end = self.at + length;
        let is_card = self.muted.is_none()
            && (truncated || self.lookahead.has_candidate(self.at, end))
            && self.rules.patterns.is_card(scalar, truncated);
        if is_card {
            self.show_instead(REDACTED);
            self.copied = end;
        }
        self.at = end;
        Ok(())
    }

    /// Shows a key, and returns whether its value is not shown.
    fn key(&mut self, key: Quoted) -> Result<bool, Unreadable> {
        let raw = &self.input[self.at..key.end];
        let may_match = self.lookahead.has_candidate(self.at, key.end);
        let sensitive = if key.has_escapes {
            let key: String = serde_json::from_slice(raw).map_err(|_| Unreadable)?;
            self.rules.keys.is_sensitive(&key)
        } else {
            may_match && self.rules.keys.is_sensitive(&readable(&raw[1..raw.len() - 1], usize::MAX))
        };
        self.string(key, may_match, |it, key, _| it.rules.key(key))?;
        Ok(sensitive)
    }

    /// Shows a string, or what `redacted` returns in its place when it may match. One that is longer than what is shown is
    /// read no further.
    fn string(
        &mut self,
        text: Quoted,
        mut may_match: bool,
        redacted: impl Fn(&Self, &str, bool) -> Option<Cow<'static, str>>,
    ) -> Result<(), Unreadable> {
        let raw = &self.input[self.at..text.end];
        let room = self.limit.saturating_sub(self.length()).saturating_add(BEYOND);
        let part = beginning(raw, room);
        let truncated = part.len() < raw.len();
        if truncated {
            // What is not read may have matched, and what is read ends in another way.
            may_match = self.rules.may_match(part, true);
        }
        let shown = if may_match {
            let text = unquoted(part, truncated, text.has_escapes)?;
            redacted(self, &text, truncated)
        } else {
            None
        };
        match shown {
            Some(shown) => self.show_instead(&shown),
            None if truncated => {
                self.copy();
                self.out.extend_from_slice(part);
            }
            None => return Ok(()),
        }
        self.copied = text.end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patterns::Patterns;

    fn shown(input: &str, limit: usize, complete: bool) -> Result<String, Unreadable> {
        let mut out = Vec::new();
        redact(&Rules::new(&[], Patterns::default()), input.as_bytes(), limit, complete, 0, &mut out)?;
        Ok(String::from_utf8(out).expect("stays UTF-8"))
    }

    fn whole(input: &str) -> String {
        shown(input, usize::MAX, true).expect("is readable")
    }

    #[test]
    fn the_value_of_a_sensitive_key_is_gone_whatever_it_is() {
        for value in [r#""hunter2""#, "12.5e3", "true", "null", "[1,[2]]", r#"{"a":{"b":"}"}}"#, r#""\"x""#] {
            assert_eq!(
                whole(&format!(r#"{{"a":1,"password":{value},"b":2}}"#)),
                r#"{"a":1,"password":"[redacted]","b":2}"#
            );
        }
    }

    #[test]
    fn at_any_depth_with_any_spacing_and_escaped() {
        assert_eq!(whole(r#"[{"x":[{"apiKey" : "k"}]}]"#), r#"[{"x":[{"apiKey" : "[redacted]"}]}]"#);
        assert_eq!(whole(r#"{"p\u0061ssword":"x"}"#), r#"{"p\u0061ssword":"[redacted]"}"#);
    }

    #[test]
    fn everything_else_stays_to_the_byte() {
        let clean = " {\"a\" : [1, -2.5e-3, true, null, \"\\u00e9 {x\"], \"shipping\":{}} \n[]\n";
        assert_eq!(whole(clean), clean);
    }

    #[test]
    fn json_inside_a_string_is_redacted_too() {
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
    fn no_prefix_of_a_document_shows_a_secret() {
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
    fn what_cannot_be_read_is_said() {
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
            assert_eq!(shown(broken, usize::MAX, true), Err(Unreadable), "{broken}");
        }
    }
}
