//! Redaction of JSON, on its bytes and in one pass.
//!
//! A value is judged by the key before it, so a document can be redacted from its beginning as far as it is shown, and
//! one that was cut off as far as it goes.

use super::Redactor;

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
    Scanner { redactor, input, at: 0, limit, depth }.run(complete, out)
}

/// What stands in the place of a secret, as JSON.
const SHOWN_INSTEAD: &str = "\"[redacted]\"";

/// What may come next inside the innermost container.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    Key,
    Value,
    CommaOrEnd,
}

struct Scanner<'a> {
    redactor: &'a Redactor,
    input: &'a [u8],
    at: usize,
    limit: usize,
    depth: u8,
}

impl Scanner<'_> {
    fn run(mut self, complete: bool, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        let mut open: Vec<u8> = Vec::new();
        let mut expect = Expect::Value;
        let limit = out.len().saturating_add(self.limit);
        while out.len() < limit {
            let new_line = self.copy_space(out);
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
                    self.copy_string(end, out, |redactor, text, depth| redactor.string(text, depth));
                    expect = Expect::CommaOrEnd;
                }
                (Expect::Value, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                    let length = self.input[self.at..].iter().take_while(|byte| is_plain(**byte)).count();
                    let goes_on = !complete && self.at + length == self.input.len();
                    if self.redactor.patterns.is_card(&self.input[self.at..self.at + length], goes_on) {
                        self.at += length;
                        out.extend_from_slice(SHOWN_INSTEAD.as_bytes());
                    } else {
                        self.copy(length, out);
                    }
                    expect = Expect::CommaOrEnd;
                }
                (Expect::Key, b'"') => {
                    let Some(end) = self.string_end() else { return self.unfinished(complete) };
                    let sensitive = self.key_is_sensitive(end)?;
                    self.copy_string(end, out, |redactor, key, _| redactor.key(key));
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
                        out.extend_from_slice(SHOWN_INSTEAD.as_bytes());
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
                // Newline-delimited JSON. On one line, what are several documents here may be one secret to a reader.
                (Expect::CommaOrEnd, _) if open.is_empty() && new_line => expect = Expect::Value,
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

    /// Gives back whether a line ended.
    fn copy_space(&mut self, out: &mut Vec<u8>) -> bool {
        let rest = &self.input[self.at..];
        let length = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        let new_line = rest[..length].contains(&b'\n');
        self.copy(length, out);
        new_line
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
            return Ok(self.redactor.keys.is_sensitive(&key));
        }
        Ok(self.redactor.keys.is_sensitive(&String::from_utf8_lossy(&raw[1..raw.len() - 1])))
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

    /// Copies a string, or what `redacted` says is shown of it.
    fn copy_string(&mut self, end: usize, out: &mut Vec<u8>, redacted: impl Fn(&Redactor, &str, u8) -> Option<String>) {
        let raw = &self.input[self.at..end];
        self.at = end;
        if !self.redactor.may_be_in(raw, false) {
            return out.extend_from_slice(raw);
        }
        let text = serde_json::from_slice::<String>(raw);
        match text.map(|text| redacted(self.redactor, &text, self.depth)) {
            Ok(None) => out.extend_from_slice(raw),
            Ok(Some(shown)) => {
                serde_json::to_writer(out, &shown).expect("a text can be written into memory");
            }
            Err(_) => out.extend_from_slice(SHOWN_INSTEAD.as_bytes()),
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
        for broken in [r#"{"password" "x"}"#, r#"{password:"x"}"#, r#"{"password":@}"#, r#"{"a":1"#, "]", "password=x"]
        {
            assert_eq!(shown(broken, usize::MAX, true), Err(Unreadable), "{broken}");
        }
    }
}
