//! Redaction of JSON, on its bytes and in one pass.
//!
//! A value is judged by the key before it, so a document can be redacted from its beginning as far as it is shown, and
//! one that was cut off as far as it goes.

use super::REDACTED;
use super::keys::Keys;

/// The document cannot be read where it would have to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// How deep strings that hold JSON are followed.
const NESTED: u8 = 4;

/// Appends the redacted document to `out`, at least as far as `limit` bytes of it.
///
/// `complete` says whether `input` is the whole document; one that just ends is then unreadable.
pub(super) fn redact(
    keys: &Keys,
    input: &[u8],
    limit: usize,
    complete: bool,
    out: &mut Vec<u8>,
) -> Result<(), Unreadable> {
    Scanner { keys, input, at: 0, limit, nested: 0 }.run(complete, out)
}

/// What may come next inside the innermost container.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    Key,
    Value,
    CommaOrEnd,
}

struct Scanner<'a> {
    keys: &'a Keys,
    input: &'a [u8],
    at: usize,
    limit: usize,
    nested: u8,
}

impl Scanner<'_> {
    fn run(mut self, complete: bool, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        let mut open: Vec<u8> = Vec::new();
        let mut expect = Expect::Value;
        let limit = out.len().saturating_add(self.limit);
        while out.len() < limit {
            self.copy_space(out);
            let Some(&byte) = self.input.get(self.at) else {
                let ended = open.is_empty() && expect == Expect::CommaOrEnd;
                return if complete && !ended { Err(Unreadable) } else { Ok(()) };
            };
            match (expect, byte) {
                (Expect::Value, b'{' | b'[') => {
                    open.push(byte);
                    self.copy(1, out);
                    expect = if byte == b'{' { Expect::Key } else { Expect::Value };
                }
                (Expect::Key | Expect::Value | Expect::CommaOrEnd, b'}' | b']') => {
                    // `{"a":}` and `[1,]` pass too: what is read wrong here is shown as it stands, and hides nothing.
                    if open.pop() != Some(if byte == b'}' { b'{' } else { b'[' }) {
                        return Err(Unreadable);
                    }
                    self.copy(1, out);
                    expect = Expect::CommaOrEnd;
                }
                (Expect::Value, b'"') => {
                    let Some(end) = self.string_end() else { return self.unfinished(complete) };
                    self.copy_string(end, out);
                    expect = Expect::CommaOrEnd;
                }
                (Expect::Value, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                    let length = self.input[self.at..].iter().take_while(|byte| is_plain(**byte)).count();
                    self.copy(length, out);
                    expect = Expect::CommaOrEnd;
                }
                (Expect::Key, b'"') => {
                    let Some(end) = self.string_end() else { return self.unfinished(complete) };
                    let sensitive = self.key_is_sensitive(end)?;
                    self.copy(end - self.at, out);
                    self.copy_space(out);
                    match self.input.get(self.at) {
                        Some(b':') => self.copy(1, out),
                        Some(_) => return Err(Unreadable),
                        None => return self.unfinished(complete),
                    }
                    expect = Expect::Value;
                    if sensitive {
                        self.copy_space(out);
                        let whole = self.skip_value()?;
                        out.extend_from_slice(b"\"");
                        out.extend_from_slice(REDACTED.as_bytes());
                        out.extend_from_slice(b"\"");
                        if !whole {
                            return self.unfinished(complete);
                        }
                        expect = Expect::CommaOrEnd;
                    }
                }
                (Expect::CommaOrEnd, b',') if !open.is_empty() => {
                    self.copy(1, out);
                    expect = if open.last() == Some(&b'{') { Expect::Key } else { Expect::Value };
                }
                // Documents one after the other, as in newline-delimited JSON.
                (Expect::CommaOrEnd, _) if open.is_empty() => expect = Expect::Value,
                _ => return Err(Unreadable),
            }
        }
        Ok(())
    }

    fn unfinished(&self, complete: bool) -> Result<(), Unreadable> {
        if complete { Err(Unreadable) } else { Ok(()) }
    }

    fn copy(&mut self, length: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.input[self.at..self.at + length]);
        self.at += length;
    }

    fn copy_space(&mut self, out: &mut Vec<u8>) {
        let length =
            self.input[self.at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.copy(length, out);
    }

    /// Where the string that begins here ends, its quotes included; `None` when the input ends first.
    fn string_end(&self) -> Option<usize> {
        let mut at = self.at + 1;
        loop {
            match self.input.get(at)? {
                b'"' => return Some(at + 1),
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
    }

    fn key_is_sensitive(&self, end: usize) -> Result<bool, Unreadable> {
        let raw = &self.input[self.at..end];
        if raw.contains(&b'\\') {
            let key: String = serde_json::from_slice(raw).map_err(|_| Unreadable)?;
            return Ok(self.keys.is_sensitive(&key));
        }
        Ok(self.keys.is_sensitive(&String::from_utf8_lossy(&raw[1..raw.len() - 1])))
    }

    /// Passes over one value of any kind; `false` when the input ends inside it.
    fn skip_value(&mut self) -> Result<bool, Unreadable> {
        let mut open = 0usize;
        while let Some(&byte) = self.input.get(self.at) {
            match byte {
                b'"' => match self.string_end() {
                    Some(end) => self.at = end,
                    None => {
                        self.at = self.input.len();
                        return Ok(false);
                    }
                },
                b'{' | b'[' => {
                    open += 1;
                    self.at += 1;
                    continue;
                }
                b'}' | b']' if open > 0 => {
                    open -= 1;
                    self.at += 1;
                }
                b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' if open > 0 => {
                    self.at += 1;
                    continue;
                }
                byte if is_plain(byte) => {
                    while self.input.get(self.at).is_some_and(|byte| is_plain(*byte)) {
                        self.at += 1;
                    }
                    if self.at == self.input.len() {
                        return Ok(false);
                    }
                }
                _ => return Err(Unreadable),
            }
            if open == 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Copies a string value. One that holds JSON itself is redacted inside; one that gives a key a value in another way is
    /// redacted whole.
    fn copy_string(&mut self, end: usize, out: &mut Vec<u8>) {
        let raw = &self.input[self.at..end];
        if !self.keys.may_be_in(raw) {
            return self.copy(end - self.at, out);
        }
        self.at = end;
        let shown = serde_json::from_slice::<String>(raw).ok().and_then(|text| {
            if !self.keys.have_values_in(&text) {
                return Some(raw.to_vec());
            }
            if self.nested == NESTED || !text.trim_start().starts_with(['{', '[', '"']) {
                return None;
            }
            let mut inner = Vec::with_capacity(text.len());
            let scanner =
                Scanner { keys: self.keys, input: text.as_bytes(), at: 0, limit: usize::MAX, nested: self.nested + 1 };
            scanner.run(true, &mut inner).ok()?;
            serde_json::to_vec(&String::from_utf8_lossy(&inner)).ok()
        });
        match shown {
            Some(string) => out.extend_from_slice(&string),
            None => out.extend_from_slice(format!("\"{REDACTED}\"").as_bytes()),
        }
    }
}

/// A byte of a number or a literal.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(input: &str, limit: usize, complete: bool) -> Result<String, Unreadable> {
        let mut out = Vec::new();
        redact(&Keys::new(&[]), input.as_bytes(), limit, complete, &mut out)?;
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
        for broken in [r#"{"password" "x"}"#, r#"{password:"x"}"#, r#"{"password":@}"#, r#"{"a":1"#, "]", "password=x"]
        {
            assert_eq!(shown(broken, usize::MAX, true), Err(Unreadable), "{broken}");
        }
    }
}
