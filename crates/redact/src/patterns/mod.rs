//! Secrets that are recognized by their form under any key: tokens, card numbers, private keys.

mod bearer;
pub(crate) mod cards;
mod jwk;
mod jwt;
mod own;
mod private_key;
mod runs;
pub(crate) mod ssn;
mod switches;
pub(crate) mod telegram;
pub(crate) mod tokens;

use std::borrow::Cow;
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::byte_class::{CARD_START, PATTERN_START, byte_classes};
use crate::placeholder::REDACTED;

pub(crate) use jwk::is_private_member;
pub use own::{OwnPattern, PatternError};
pub use switches::Patterns;

use cards::find_cards;
use private_key::BlockEnds;
use runs::Runs;
use tokens::TOKENS;

/// The marks of the patterns with a search of their own, in lower case, each with that search. Those of [`TOKENS`]
/// follow. No mark begins inside another one at a place where its own pattern may start.
const MARKS: [(&str, Mark); 5] = [
    ("bearer", Mark::Bearer),
    ("eyj", Mark::Jwt),
    ("private key", Mark::PrivateKey),
    (telegram::MARK, Mark::Telegram),
    (jwk::MARK, Mark::Jwk),
];

#[derive(Debug, Clone, Copy)]
enum Mark {
    Bearer,
    Jwt,
    PrivateKey,
    Telegram,
    Jwk,
}

#[derive(Debug)]
pub(crate) struct PatternFinder {
    pub on: Patterns,
    marks: AhoCorasick,
    own: Vec<OwnPattern>,
}

impl PatternFinder {
    pub(crate) fn new(on: Patterns) -> Self {
        let marks = MARKS.iter().map(|(mark, _)| *mark).chain(tokens::prefixes());
        // `sk-ant-` and not `sk-`.
        let automaton =
            AhoCorasick::builder().ascii_case_insensitive(true).match_kind(MatchKind::LeftmostLongest).build(marks);
        Self { on, marks: automaton.expect("some short patterns make a small automaton"), own: Vec::new() }
    }

    /// Searches for own patterns, too. A prefilter would dismiss texts that contain them.
    pub(crate) fn with_own(self, own: Vec<OwnPattern>) -> Self {
        Self { own, ..self }
    }

    /// The ranges of the secrets in a text, in order and without overlaps. At the end of a `partial` text, the possible
    /// start of a secret counts as one.
    pub(crate) fn find(&self, text: &str, partial: bool) -> Vec<Range<usize>> {
        let bytes = text.as_bytes();
        let mut found = Vec::new();
        let classes = byte_classes(bytes);
        if classes & PATTERN_START != 0 {
            self.find_marked(text, partial, &mut found);
        }
        if self.on.card && classes & CARD_START != 0 {
            found.extend(find_cards(bytes, partial, true));
        }
        if self.on.ssn {
            found.extend(ssn::find_numbers(bytes, partial));
        }
        found.extend(self.own.iter().flat_map(|own| own.find(text)));
        merge(&mut found);
        found
    }

    /// The secrets with a mark, of which some may overlap.
    fn find_marked(&self, text: &str, partial: bool, found: &mut Vec<Range<usize>>) {
        let bytes = text.as_bytes();
        // Shared between marks, so that the search takes linear time.
        let mut runs = Runs::default();
        let mut ends = BlockEnds::default();
        let mut objects = jwk::Objects::default();
        for mark in self.marks.find_iter(text) {
            let nth = mark.pattern().as_usize();
            let secret = match MARKS.get(nth) {
                Some((_, Mark::Bearer)) if self.on.bearer => bearer::bearer(bytes, mark.range(), &mut runs),
                Some((_, Mark::Jwt)) if self.on.jwt => jwt::jwt(bytes, mark.start(), partial, &mut runs),
                Some((_, Mark::PrivateKey)) if self.on.private_key => {
                    private_key::private_key(bytes, mark.range(), &mut ends)
                }
                Some((_, Mark::Telegram)) if self.on.telegram => {
                    telegram::telegram(bytes, mark.start(), partial, &mut runs)
                }
                Some((_, Mark::Jwk)) if self.on.jwk => {
                    found.extend(objects.private_values(bytes, mark.start()));
                    None
                }
                Some(_) => None,
                None => {
                    let token = &TOKENS[nth - MARKS.len()];
                    (token.is_on)(&self.on).then(|| token.find(bytes, mark.start(), partial, &mut runs)).flatten()
                }
            };
            found.extend(secret);
        }
    }

    /// The text with the secrets redacted that are found in it.
    #[cfg(test)]
    pub(crate) fn redact<'a>(&self, text: &'a str, partial: bool) -> Cow<'a, str> {
        redact_ranges(text, &self.find(text, partial))
    }

    /// Whether a number is a card number, or matches an own pattern.
    pub(crate) fn is_card(&self, number: &[u8], partial: bool) -> bool {
        // A floating-point number such as `4111111111111111.0`.
        let integer = number.strip_suffix(b".0").unwrap_or(number);
        self.on.card && find_cards(integer, partial, true).next().is_some()
            || std::str::from_utf8(number)
                .is_ok_and(|number| self.own.iter().any(|own| own.find(number).next().is_some()))
    }
}

/// Sorts ranges, and merges those that overlap.
fn merge(found: &mut Vec<Range<usize>>) {
    found.sort_by_key(|range| range.start);
    found.dedup_by(|next, before| {
        let overlap = next.start < before.end;
        if overlap {
            before.end = before.end.max(next.end);
        }
        overlap
    });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_time_is_linear() {
        let finder = PatternFinder::new(Patterns::default());
        for piece in [
            "eyJ.",
            "eyJeyJ",
            "bearer=",
            "bearer bearer=",
            "BEGIN PRIVATE KEY ",
            "-",
            "4111-",
            "4111 1111 1111 1112 ",
            "sk-",
            "glpat-",
            "AccountKey=",
            "123-45-",
            "12345678:AA",
            "\"kty\"",
            "{\"kty\":\"d\":\"",
        ] {
            // With one scan per mark this would take minutes.
            let text = piece.repeat(400_000 / piece.len());
            finder.find(&text, false);
            finder.find(&text, true);
        }
    }

    #[test]
    fn each_pattern_can_be_disabled() {
        let all = Patterns::default();
        for (off, text) in [
            (Patterns { bearer: false, ..all }, "Bearer x"),
            (Patterns { jwt: false, ..all }, "eyJh.eyJz.x"),
            (Patterns { card: false, ..all }, "4111111111111111"),
            (Patterns { private_key: false, ..all }, "-----BEGIN PRIVATE KEY-----"),
            (Patterns { jwk: false, ..all }, r#"{"kty":"oct","k":"x"}"#),
            (
                Patterns { age: false, ..all },
                concat!("AGE-SECRET-", "KEY-1", "QQQQQQQQQQQQQQQQQQQQQQQQQQQQQ", "QQQQQQQQQQQQQQQQQQQQQQQQQQQQQ"),
            ),
            (Patterns { aws: false, ..all }, concat!("AK", "IAQQQQQQQQQQQQQQQQ")),
            (Patterns { azure: false, ..all }, "AccountKey=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=="),
            (Patterns { google: false, ..all }, concat!("ya", "29.aaaaaaaaaaaaaaaaaaaaaaaa")),
            (Patterns { github: false, ..all }, concat!("gh", "p_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")),
            (Patterns { gitlab: false, ..all }, concat!("gl", "pat-aaaaaaaaaaaaaaaaaaaa")),
            (Patterns { npm: false, ..all }, concat!("np", "m_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")),
            (
                Patterns { pypi: false, ..all },
                concat!("py", "pi-AgEIaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
            ),
            (Patterns { slack: false, ..all }, concat!("xo", "xb-aaaaaaaaaaaaaaaaaaaa")),
            (Patterns { telegram: false, ..all }, concat!("123456789:", "AAF0aZ-_9xYwVuTsRqPoNmLkJiHgFeDcBa1")),
            (Patterns { twilio: false, ..all }, concat!("S", "K00000000000000000000000000000000")),
            (
                Patterns { sendgrid: false, ..all },
                concat!("S", "G.aaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
            ),
            (Patterns { stripe: false, ..all }, concat!("sk_", "live_aaaaaaaaaaaaaaaa")),
            (Patterns { openai: false, ..all }, concat!("sk-", "proj-aaaaaaaaaaaaaaaaaaaa")),
            (Patterns { anthropic: false, ..all }, concat!("sk-", "ant-aaaaaaaaaaaaaaaaaaaa")),
            (Patterns { ssn: false, ..all }, "123-45-6789"),
        ] {
            assert_eq!(PatternFinder::new(off).redact(text, false), text);
            assert_ne!(PatternFinder::new(all).redact(text, false), text);
        }
    }
}
