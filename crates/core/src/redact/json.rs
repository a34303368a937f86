//! Redaction of JSON, on its bytes and in one pass.
//!
//! A value is judged by the key before it, so a document can be redacted from its beginning as far as it is shown, and
//! one that was cut off as far as it goes.

use serde::de::IgnoredAny;

use super::{BEYOND, Redactor};

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
    Scanner { redactor, input, at: 0, complete, limit, depth, open: Vec::new(), muted: None, out }.run()
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
    out: &'a mut Vec<u8>,
}

impl Scanner<'_> {
    fn run(mut self) -> Result<(), Unreadable> {
        let mut expect = Expect::Value;
        while self.out.len() < self.limit {
            let new_line = self.copy_space();
            let Some(&byte) = self.input.get(self.at) else {
                let ended = self.open.is_empty() && expect == Expect::CommaOrEnd;
                return if ended { Ok(()) } else { self.cut_off() };
            };
            expect = match (expect, byte) {
                (Expect::Value | Expect::FirstValueOrEnd, b'{') => self.enter(b'}', Expect::FirstKeyOrEnd),
                (Expect::Value | Expect::FirstValueOrEnd, b'[') => self.enter(b']', Expect::FirstValueOrEnd),
                (Expect::FirstValueOrEnd, b']') | (Expect::FirstKeyOrEnd, b'}') | (Expect::CommaOrEnd, b']' | b'}') => {
                    if self.open.pop() != Some(byte) {
                        return Err(Unreadable);
                    }
                    self.copy(1);
                    self.value_ended()
                }
                (Expect::Value | Expect::FirstValueOrEnd, b'"') => {
                    let Some(end) = self.string_end()? else { return self.cut_off() };
                    self.copy_string(end, |redactor, text, depth, goes_on| redactor.string(text, depth, goes_on))?;
                    self.value_ended()
                }
                (Expect::Value | Expect::FirstValueOrEnd, _) => {
                    self.copy_scalar()?;
                    self.value_ended()
                }
                (Expect::Key | Expect::FirstKeyOrEnd, b'"') => {
                    let Some(end) = self.string_end()? else { return self.cut_off() };
                    let sensitive = self.muted.is_none() && self.key_is_sensitive(end)?;
                    self.copy_string(end, |redactor, key, _, _| redactor.key(key))?;
                    self.copy_space();
                    match self.input.get(self.at) {
                        Some(b':') => self.copy(1),
                        Some(_) => return Err(Unreadable),
                        None => return self.cut_off(),
                    }
                    if sensitive {
                        self.copy_space();
                        self.out.extend_from_slice(SHOWN_INSTEAD.as_bytes());
                        self.muted = Some(self.open.len());
                    }
                    Expect::Value
                }
                (Expect::CommaOrEnd, b',') if !self.open.is_empty() => {
                    self.copy(1);
                    if self.open.last() == Some(&b'}') { Expect::Key } else { Expect::Value }
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

    fn enter(&mut self, end: u8, expect: Expect) -> Expect {
        self.open.push(end);
        self.copy(1);
        expect
    }

    fn value_ended(&mut self) -> Expect {
        if self.muted == Some(self.open.len()) {
            self.muted = None;
        }
        Expect::CommaOrEnd
    }

    fn copy(&mut self, length: usize) {
        if self.muted.is_none() {
            self.out.extend_from_slice(&self.input[self.at..self.at + length]);
        }
        self.at += length;
    }

    /// Gives back whether a line ended.
    fn copy_space(&mut self) -> bool {
        let rest = &self.input[self.at..];
        let length = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        let new_line = rest[..length].contains(&b'\n');
        self.copy(length);
        new_line
    }

    /// Copies a number or a literal.
    fn copy_scalar(&mut self) -> Result<(), Unreadable> {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let rest = &self.input[self.at..];
        let length = rest.iter().take_while(|byte| plain(byte)).count();
        let goes_on = !self.complete && length == rest.len();
        if length == 0 || !goes_on && serde_json::from_slice::<IgnoredAny>(&rest[..length]).is_err() {
            return Err(Unreadable);
        }
        if self.muted.is_none() && self.redactor.patterns.is_card(&rest[..length], goes_on) {
            self.at += length;
            self.out.extend_from_slice(SHOWN_INSTEAD.as_bytes());
        } else {
            self.copy(length);
        }
        Ok(())
    }

    /// Where the string that begins here ends, its quotes included; `None` when the input ends first.
    fn string_end(&self) -> Result<Option<usize>, Unreadable> {
        let mut at = self.at + 1;
        loop {
            match self.input.get(at) {
                None => return Ok(None),
                Some(b'"') => return Ok(Some(at + 1)),
                Some(b'\\') => match self.input.get(at + 1) {
                    None => return Ok(None),
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                    Some(b'u') if self.input[at + 2..].iter().take(4).all(u8::is_ascii_hexdigit) => at += 6,
                    Some(_) => return Err(Unreadable),
                },
                Some(0..=0x1f) => return Err(Unreadable),
                Some(_) => at += 1,
            }
        }
    }

    fn key_is_sensitive(&self, end: usize) -> Result<bool, Unreadable> {
        let raw = &self.input[self.at..end];
        if raw.contains(&b'\\') {
            let key: String = serde_json::from_slice(raw).map_err(|_| Unreadable)?;
            return Ok(self.redactor.keys.is_sensitive(&key));
        }
        Ok(self.redactor.keys.is_sensitive(&String::from_utf8_lossy(&raw[1..raw.len() - 1])))
    }

    /// Copies a string, or what `redacted` says is shown of it. One that is longer than what is shown is read no further.
    fn copy_string(
        &mut self,
        end: usize,
        redacted: impl Fn(&Redactor, &str, u8, bool) -> Option<String>,
    ) -> Result<(), Unreadable> {
        let raw = &self.input[self.at..end];
        self.at = end;
        if self.muted.is_some() {
            return Ok(());
        }
        let room = self.limit.saturating_sub(self.out.len()).saturating_add(BEYOND);
        let part = beginning(raw, room);
        let goes_on = part.len() < raw.len();
        if !self.redactor.may_be_in(part, goes_on) {
            self.out.extend_from_slice(part);
            return Ok(());
        }
        let closed = [part, b"\""].concat();
        let text: String = serde_json::from_slice(if goes_on { &closed } else { part }).map_err(|_| Unreadable)?;
        match redacted(self.redactor, &text, self.depth, goes_on) {
            None => self.out.extend_from_slice(part),
            Some(shown) => serde_json::to_writer(&mut *self.out, &shown).expect("a text can be written into memory"),
        }
        Ok(())
    }
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
