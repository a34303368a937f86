//! Redaction of JSON, on its bytes and in one pass.
//!
//! A value is judged by the key before it, so a document can be redacted from its beginning as far as it is shown, and
//! one that was cut off as far as it goes.

use std::borrow::Cow;

use super::ahead::Ahead;
use super::content::readable;
use super::scalars::is_scalar;
use super::strings::{Quoted, beginning, quoted, unquoted};
use super::{BEYOND, REDACTED, Redactor};

/// The document cannot be read where it would have to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Appends the redacted document to `out`, at least as far as `limit` bytes of it.
///
/// `complete` says whether `input` is the whole document; one that just ends is then unreadable. `depth` is how many
/// strings this document is inside of.
pub(super) fn redact(
    redactor: &Redactor,
    input: &[u8],
    limit: usize,
    complete: bool,
    depth: u8,
    out: &mut Vec<u8>,
) -> Result<(), Unreadable> {
    let limit = out.len().saturating_add(limit);
    let mut scanner = Scanner {
        redactor,
        input,
        at: 0,
        complete,
        limit,
        depth,
        open: Vec::new(),
        muted: None,
        copied: 0,
        ahead: Ahead::of(&redactor.suspects, input),
        out,
    };
    let read = scanner.run();
    scanner.copy();
    read
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
    redactor: &'a Redactor,
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
    ahead: Ahead<'a>,
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
                        let suspect = self.ahead.is_suspect(self.at, text.end);
                        self.string(text, suspect, |it, text, goes_on| it.redactor.string(text, it.depth, goes_on))?;
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

    /// Gives back whether a line ended.
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
        let goes_on = !self.complete && length == rest.len();
        if length == 0 || !goes_on && !is_scalar(scalar) {
            return Err(Unreadable);
        }
        let end = self.at + length;
        let is_card = self.muted.is_none()
            && (goes_on || self.ahead.is_suspect(self.at, end))
            && self.redactor.patterns.is_card(scalar, goes_on);
        if is_card {
            self.show_instead(REDACTED);
            self.copied = end;
        }
        self.at = end;
        Ok(())
    }

    /// Shows a key, and gives back whether its value is not shown.
    fn key(&mut self, key: Quoted) -> Result<bool, Unreadable> {
        let raw = &self.input[self.at..key.end];
        let suspect = self.ahead.is_suspect(self.at, key.end);
        let sensitive = if key.has_escapes {
            let key: String = serde_json::from_slice(raw).map_err(|_| Unreadable)?;
            self.redactor.keys.is_sensitive(&key)
        } else {
            suspect && self.redactor.keys.is_sensitive(&readable(&raw[1..raw.len() - 1], usize::MAX))
        };
        self.string(key, suspect, |it, key, _| it.redactor.key(key))?;
        Ok(sensitive)
    }

    /// Shows a string, or what `redacted` says is shown of a suspect one. One that is longer than what is shown is read no
    /// further.
    fn string(
        &mut self,
        text: Quoted,
        mut suspect: bool,
        redacted: impl Fn(&Self, &str, bool) -> Option<Cow<'static, str>>,
    ) -> Result<(), Unreadable> {
        let raw = &self.input[self.at..text.end];
        let room = self.limit.saturating_sub(self.length()).saturating_add(BEYOND);
        let part = beginning(raw, room);
        let goes_on = part.len() < raw.len();
        if goes_on {
            // What is not read may have been suspect, and what is read ends in another way.
            suspect = self.redactor.may_be_in(part, true);
        }
        let shown = if suspect {
            let text = unquoted(part, goes_on, text.has_escapes)?;
            redacted(self, &text, goes_on)
        } else {
            None
        };
        match shown {
            Some(shown) => self.show_instead(&shown),
            None if goes_on => {
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

    fn shown(input: &str, limit: usize, complete: bool) -> Result<String, Unreadable> {
        let mut out = Vec::new();
        redact(&Redactor::default(), input.as_bytes(), limit, complete, 0, &mut out)?;
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
