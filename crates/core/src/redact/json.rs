//! Redaction of JSON, on its bytes and in one pass.
//!
//! A value is judged by the key before it, so a document can be redacted from its beginning as far as it is shown, and
//! one that was cut off as far as it goes.

use std::borrow::Cow;

use super::tokens::{after_plain, is_scalar};
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
        clear: 0,
        suspect: None,
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
    /// How far it was searched for suspects, and the first that was found and not passed yet.
    clear: usize,
    suspect: Option<usize>,
    out: &'a mut Vec<u8>,
}

/// Where a string ends, its quotes included, and whether there are escapes in it.
#[derive(Clone, Copy)]
struct Quoted {
    end: usize,
    has_escapes: bool,
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
                    let Some(text) = self.quoted()? else { return self.cut_off() };
                    if self.muted.is_none() {
                        let suspect = self.is_suspect(text.end);
                        self.string(text, suspect, |it, text, goes_on| it.redactor.string(text, it.depth, goes_on))?;
                    }
                    self.at = text.end;
                    self.value_ended()
                }
                (Expect::Key | Expect::FirstKeyOrEnd, b'"') => {
                    let Some(key) = self.quoted()? else { return self.cut_off() };
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

    /// Whether a suspect begins between here and there. What was asked about before is not asked about again.
    fn is_suspect(&mut self, to: usize) -> bool {
        /// Short strings are not worth a search each.
        const AHEAD: usize = 256;
        if self.suspect.is_some_and(|suspect| suspect < self.at) {
            self.suspect = None;
        }
        if self.suspect.is_none() && self.clear < to {
            let from = self.clear.max(self.at);
            let far = to.max(from + AHEAD).min(self.input.len());
            self.suspect = self.redactor.suspects.first(self.input, from, far, false);
            self.clear = self.suspect.map_or(far, |suspect| suspect + 1);
        }
        self.suspect.is_some_and(|suspect| suspect < to)
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
            && (goes_on || self.is_suspect(end))
            && self.redactor.patterns.is_card(scalar, goes_on);
        if is_card {
            self.show_instead(REDACTED);
            self.copied = end;
        }
        self.at = end;
        Ok(())
    }

    /// The string that begins here; `None` when the input ends first.
    #[inline(always)]
    fn quoted(&self) -> Result<Option<Quoted>, Unreadable> {
        let at = after_plain(self.input, self.at + 1);
        match self.input.get(at) {
            Some(b'"') => Ok(Some(Quoted { end: at + 1, has_escapes: false })),
            _ => self.quoted_with_escapes(at),
        }
    }

    /// The same of a string that is plain up to here.
    #[inline(never)]
    fn quoted_with_escapes(&self, mut at: usize) -> Result<Option<Quoted>, Unreadable> {
        let mut has_escapes = false;
        loop {
            match self.input.get(at) {
                None => return Ok(None),
                Some(b'"') => return Ok(Some(Quoted { end: at + 1, has_escapes })),
                Some(b'\\') => match self.input.get(at + 1) {
                    None => return Ok(None),
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                    Some(b'u') if self.input[at + 2..].iter().take(4).all(u8::is_ascii_hexdigit) => at += 6,
                    Some(_) => return Err(Unreadable),
                },
                Some(_) => return Err(Unreadable),
            }
            has_escapes = true;
            at = after_plain(self.input, at);
        }
    }

    /// Shows a key, and gives back whether its value is not shown.
    fn key(&mut self, key: Quoted) -> Result<bool, Unreadable> {
        let raw = &self.input[self.at..key.end];
        let suspect = self.is_suspect(key.end);
        let sensitive = if key.has_escapes {
            let key: String = serde_json::from_slice(raw).map_err(|_| Unreadable)?;
            self.redactor.keys.is_sensitive(&key)
        } else {
            suspect && self.redactor.keys.is_sensitive(&String::from_utf8_lossy(&raw[1..raw.len() - 1]))
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

/// What a string says, or the beginning of one that goes on.
fn unquoted(raw: &[u8], goes_on: bool, has_escapes: bool) -> Result<Cow<'_, str>, Unreadable> {
    if has_escapes {
        let closed = if goes_on { Cow::Owned([raw, b"\""].concat()) } else { Cow::Borrowed(raw) };
        return serde_json::from_slice(&closed).map(Cow::Owned).map_err(|_| Unreadable);
    }
    let end = if goes_on { raw.len() } else { raw.len() - 1 };
    std::str::from_utf8(&raw[1..end]).map(Cow::Borrowed).map_err(|_| Unreadable)
}

/// The beginning of a string, of about so many bytes, that no character and no escape is cut in.
fn beginning(raw: &[u8], room: usize) -> &[u8] {
    if raw.len() <= room.saturating_add(16) {
        return raw;
    }
    let is_unit = |at: usize| raw[at] == b'\\' && raw[at + 1] == b'u';
    let mut at = 1;
    while at < room {
        at += if is_unit(at) { 6 } else { 1 + usize::from(raw[at] == b'\\') };
    }
    // The second half of a surrogate pair belongs to the first.
    if is_unit(at) {
        at += 6;
    }
    while raw[at] & 0xc0 == 0x80 {
        at += 1;
    }
    &raw[..at]
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
