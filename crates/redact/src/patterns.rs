//! Secrets that are recognized by their form under any key: bearer tokens, JWTs, card numbers, private keys.

use std::borrow::Cow;
use std::ops::Range;

use aho_corasick::AhoCorasick;
use memchr::memmem;

use crate::byte_class::{CARD_START, PATTERN_START, byte_classes};
use crate::cards::find_cards;
use crate::placeholder::REDACTED;

/// The enabled patterns; by default all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
pub struct Patterns {
    /// The token after the word `Bearer`.
    pub bearer: bool,
    /// JSON Web Tokens: `eyJ….….…`.
    pub jwt: bool,
    /// Card numbers: 13 to 19 digits that start with 2 to 6 and have a valid check digit (Luhn), together or in groups.
    pub card: bool,
    /// Private keys: PEM and PGP blocks from `-----BEGIN … PRIVATE KEY` to their end.
    pub private_key: bool,
}

impl Default for Patterns {
    fn default() -> Self {
        Self { bearer: true, jwt: true, card: true, private_key: true }
    }
}

/// The marks that a bearer token, a JWT and a private key contain, in lower case.
const MARKS: [&str; 3] = ["bearer", "eyj", "private key"];

#[derive(Debug)]
pub(crate) struct PatternFinder {
    on: Patterns,
    marks: AhoCorasick,
}

impl PatternFinder {
    pub(crate) fn new(on: Patterns) -> Self {
        let marks = AhoCorasick::builder().ascii_case_insensitive(true).build(MARKS);
        Self { on, marks: marks.expect("three short patterns make a small automaton") }
    }

    /// The ranges of the secrets in a text, in order and without overlaps. At the end of a `partial` text, the possible
    /// start of a secret counts as one.
    pub(crate) fn find(&self, text: &str, partial: bool) -> Vec<Range<usize>> {
        let bytes = text.as_bytes();
        let mut found = Vec::new();
        // Shared between marks, so that the search takes linear time.
        let mut tokens = Runs::of(is_token_byte);
        let mut dotted = Runs::of(is_jwt_byte);
        let mut ends = BlockEnds::default();
        let classes = byte_classes(bytes);
        let marks = (classes & PATTERN_START != 0).then(|| self.marks.find_iter(text));
        for mark in marks.into_iter().flatten() {
            let secret = match mark.pattern().as_usize() {
                0 if self.on.bearer => bearer(bytes, mark.range(), &mut tokens),
                1 if self.on.jwt => jwt(bytes, mark.start(), partial, &mut dotted),
                2 if self.on.private_key => private_key(bytes, mark.range(), &mut ends),
                _ => None,
            };
            found.extend(secret);
        }
        if self.on.card && classes & CARD_START != 0 {
            found.extend(find_cards(bytes, partial, true));
        }
        found.sort_by_key(|range| range.start);
        found.dedup_by(|next, before| {
            let overlap = next.start < before.end;
            if overlap {
                before.end = before.end.max(next.end);
            }
            overlap
        });
        found
    }

    /// The text with the secrets redacted that are found in it.
    #[cfg(test)]
    pub(crate) fn redact<'a>(&self, text: &'a str, partial: bool) -> Cow<'a, str> {
        redact_ranges(text, &self.find(text, partial))
    }

    /// Whether a number is a card number.
    pub(crate) fn is_card(&self, number: &[u8], partial: bool) -> bool {
        // A floating-point number such as `4111111111111111.0`.
        let integer = number.strip_suffix(b".0").unwrap_or(number);
        self.on.card && find_cards(integer, partial, true).next().is_some()
    }
}

/// The text with these ranges redacted.
pub(crate) fn redact_ranges<'a>(text: &'a str, found: &[Range<usize>]) -> Cow<'a, str> {
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for secret in found {
        shown.push_str(&text[from..secret.start]);
        shown.push_str(REDACTED);
        from = secret.end;
    }
    shown.push_str(&text[from..]);
    Cow::Owned(shown)
}

/// Runs of bytes of one class, each scanned once.
struct Runs {
    is_in_class: fn(u8) -> bool,
    last: Range<usize>,
    /// The position of the last dot in the last run; 0 if there is none.
    last_dot: usize,
}

impl Runs {
    fn of(is_in_class: fn(u8) -> bool) -> Self {
        Self { is_in_class, last: 0..0, last_dot: 0 }
    }

    /// The end of the run that contains this position. Positions must be in ascending order.
    fn end(&mut self, text: &[u8], at: usize) -> usize {
        if !self.last.contains(&at) {
            let length = text[at..].iter().take_while(|byte| (self.is_in_class)(**byte)).count();
            self.last = at..at + length;
            self.last_dot = text[self.last.clone()].iter().rposition(|byte| *byte == b'.').map_or(0, |dot| at + dot);
        }
        self.last.end
    }
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/%=".contains(&byte)
}

fn is_jwt_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

/// The token after the word `Bearer`.
fn bearer(text: &[u8], word: Range<usize>, tokens: &mut Runs) -> Option<Range<usize>> {
    if text[..word.start].last().is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let between = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b':' | b'=' | b'"' | b'\'' | b'+');
    let gap = text[word.end..].iter().take_while(|byte| between(byte)).count();
    let start = word.end + gap;
    let end = tokens.end(text, start);
    (gap > 0 && end > start).then_some(start..end)
}

/// Base64url parts separated by dots. Every header starts with `{"`, which is encoded as `eyJ`.
fn jwt(text: &[u8], start: usize, partial: bool, dotted: &mut Runs) -> Option<Range<usize>> {
    if !text[start..].starts_with(b"eyJ") {
        return None;
    }
    let end = dotted.end(text, start);
    (dotted.last_dot > start || partial && end == text.len()).then_some(start..end)
}

/// A search for the ends of blocks that continues from one mark to the next.
#[derive(Default)]
struct BlockEnds {
    end: Option<usize>,
    words: Option<usize>,
}

impl BlockEnds {
    /// The position after the next `END … PRIVATE KEY`, or the end of the text.
    fn after(&mut self, text: &[u8], at: usize) -> usize {
        let next = |known: Option<usize>, from: usize, what: &[u8]| match known {
            Some(known) if known >= from => known,
            _ => memmem::find(&text[from..], what).map_or(text.len(), |at| from + at),
        };
        let end = next(self.end, at, b"END ");
        self.end = Some(end);
        let words = next(self.words, end, b"PRIVATE KEY");
        self.words = Some(words);
        if words == text.len() { words } else { words + b"PRIVATE KEY".len() }
    }
}

/// From the dashes before `BEGIN` to those after `END`, or to the end of the text.
// Rarely called, and large: inlining it makes the search for the other patterns 3 % slower.
#[inline(never)]
fn private_key(text: &[u8], words: Range<usize>, ends: &mut BlockEnds) -> Option<Range<usize>> {
    /// The longest known prefix, `-----BEGIN SSH2 ENCRYPTED `, and a margin.
    const MAX_PREFIX: usize = 48;
    let line = &text[words.start.saturating_sub(MAX_PREFIX)..words.start];
    let begin = memmem::rfind(line, b"BEGIN ")?;
    if !line[begin + b"BEGIN ".len()..].iter().all(|byte| byte.is_ascii_uppercase() || b"0123456789 ".contains(byte)) {
        return None;
    }
    let begin = words.start - line.len() + begin;
    let lead = text[..begin].strip_suffix(b" ").unwrap_or(&text[..begin]);
    let dashes = lead.iter().rev().take_while(|byte| **byte == b'-').count();
    let start = if dashes == 0 { begin } else { lead.len() - dashes };
    let mut end = ends.after(text, words.end);
    end += text[end..].strip_prefix(b" BLOCK").map_or(0, |_| b" BLOCK".len());
    end += text[end..].iter().take_while(|byte| **byte == b'-').count();
    Some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        PatternFinder::new(Patterns::default()).redact(text, false).into_owned()
    }

    fn cut(text: &str) -> String {
        PatternFinder::new(Patterns::default()).redact(text, true).into_owned()
    }

    #[test]
    fn bearer_tokens_are_redacted() {
        assert_eq!(shown("sent Bearer abc.def~g/h+== to it"), "sent Bearer [redacted] to it");
        assert_eq!(shown("sent as bearer xyz"), "sent as bearer [redacted]");
        assert_eq!(shown("BEARER:  \"x\""), "BEARER:  \"[redacted]\"");
        assert_eq!(shown("the bearer, the forbearer x"), "the bearer, the forbearer x");
        assert_eq!(cut("Bearer"), "Bearer");
    }

    #[test]
    fn json_web_tokens_are_redacted() {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-_x";
        assert_eq!(shown(&format!("t={token};")), "t=[redacted];");
        assert_eq!(shown("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."), "[redacted]");
        assert_eq!(shown("eyJhbGciOiJIUzI1NiJ9 and EYJ.x"), "eyJhbGciOiJIUzI1NiJ9 and EYJ.x");
        for end in 3..token.len() {
            assert_eq!(cut(&token[..end]), "[redacted]");
        }
    }

    #[test]
    fn private_keys_are_redacted() {
        let block = |kind: &str| format!("-----BEGIN {kind}-----\nMIIEow\nx==\n-----END {kind}-----");
        for kind in ["PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"] {
            assert_eq!(shown(&format!("a {}\nb", block(kind))), "a [redacted]\nb", "{kind}");
        }
        assert_eq!(shown("-----BEGIN EC PRIVATE KEY-----\nMIIEow"), "[redacted]");
        assert_eq!(shown("a private key"), "a private key");
        assert_eq!(shown(&block("PUBLIC KEY")), block("PUBLIC KEY"));
    }

    #[test]
    fn search_time_is_linear() {
        let finder = PatternFinder::new(Patterns::default());
        for piece in
            ["eyJ.", "eyJeyJ", "bearer=", "bearer bearer=", "BEGIN PRIVATE KEY ", "-", "4111-", "4111 1111 1111 1112 "]
        {
            // With one scan per mark this would take minutes.
            let text = piece.repeat(400_000 / piece.len());
            finder.find(&text, false);
            finder.find(&text, true);
        }
    }

    #[test]
    fn each_pattern_can_be_disabled() {
        let all = Patterns::default();
        let text = "Bearer x, eyJh.eyJz.x, 4111111111111111, -----BEGIN PRIVATE KEY-----";
        for (on, shown_part) in [
            (Patterns { bearer: false, ..all }, "Bearer x"),
            (Patterns { jwt: false, ..all }, "eyJh.eyJz.x"),
            (Patterns { card: false, ..all }, "4111111111111111"),
            (Patterns { private_key: false, ..all }, "-----BEGIN PRIVATE KEY-----"),
        ] {
            let shown = PatternFinder::new(on).redact(text, false).into_owned();
            assert!(shown.contains(shown_part) && shown.matches(REDACTED).count() == 3, "{shown}");
        }
    }
}
