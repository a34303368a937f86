//! Tokens with a published prefix: the keys of cloud services, code hosts, payment services and others.

use std::ops::Range;

use super::runs::{Alphabet, Runs};
use super::switches::Patterns;

/// A kind of token: a prefix, and then a run of bytes of one alphabet.
pub(super) struct Token {
    prefix: &'static str,
    pub is_on: fn(&Patterns) -> bool,
    alphabet: Alphabet,
    /// The number of bytes after the prefix.
    length: Range<usize>,
    /// Whether the prefix is not part of the secret: `AccountKey=`.
    shows_prefix: bool,
}

const fn token(prefix: &'static str, is_on: fn(&Patterns) -> bool, alphabet: Alphabet, min: usize) -> Token {
    Token { prefix, is_on, alphabet, length: min..usize::MAX, shows_prefix: false }
}

/// A token of exactly this length.
const fn exact(prefix: &'static str, is_on: fn(&Patterns) -> bool, alphabet: Alphabet, length: usize) -> Token {
    Token { length: length..length + 1, ..token(prefix, is_on, alphabet, length) }
}

/// A secret after a prefix that is shown.
const fn after(prefix: &'static str, is_on: fn(&Patterns) -> bool, alphabet: Alphabet, min: usize) -> Token {
    Token { shows_prefix: true, ..token(prefix, is_on, alphabet, min) }
}

use Alphabet::{Base64, Dotted, Hex, Letters, Path, Upper, Url, Word};

/// Minimum lengths are those that the services document, or below the shortest that they issued. Most have no maximum,
/// because services lengthen their tokens.
pub(super) const TOKENS: &[Token] = &[
    exact("AKIA", |on| on.aws, Upper, 16),
    exact("ASIA", |on| on.aws, Upper, 16),
    exact("ABIA", |on| on.aws, Upper, 16),
    exact("ACCA", |on| on.aws, Upper, 16),
    token("ghp_", |on| on.github, Word, 36),
    token("gho_", |on| on.github, Word, 36),
    token("ghu_", |on| on.github, Word, 36),
    token("ghs_", |on| on.github, Word, 36),
    token("ghr_", |on| on.github, Word, 36),
    token("github_pat_", |on| on.github, Word, 36),
    token("glpat-", |on| on.gitlab, Dotted, 20),
    token("gloas-", |on| on.gitlab, Dotted, 20),
    token("gldt-", |on| on.gitlab, Dotted, 20),
    token("glrt-", |on| on.gitlab, Dotted, 20),
    token("glrtr-", |on| on.gitlab, Dotted, 20),
    token("glcbt-", |on| on.gitlab, Dotted, 20),
    token("glptt-", |on| on.gitlab, Dotted, 20),
    token("glft-", |on| on.gitlab, Dotted, 20),
    token("glimt-", |on| on.gitlab, Dotted, 20),
    token("glagent-", |on| on.gitlab, Dotted, 20),
    token("glsoat-", |on| on.gitlab, Dotted, 20),
    token("glffct-", |on| on.gitlab, Dotted, 20),
    token("glwt-", |on| on.gitlab, Dotted, 20),
    token("xoxa-", |on| on.slack, Url, 16),
    token("xoxb-", |on| on.slack, Url, 16),
    token("xoxc-", |on| on.slack, Url, 16),
    token("xoxd-", |on| on.slack, Base64, 16),
    token("xoxe-", |on| on.slack, Url, 16),
    token("xoxo-", |on| on.slack, Url, 16),
    token("xoxp-", |on| on.slack, Url, 16),
    token("xoxr-", |on| on.slack, Url, 16),
    token("xoxs-", |on| on.slack, Url, 16),
    token("xapp-", |on| on.slack, Url, 40),
    after("hooks.slack.com/services/", |on| on.slack, Path, 20),
    after("hooks.slack.com/workflows/", |on| on.slack, Path, 20),
    after("hooks.slack.com/triggers/", |on| on.slack, Path, 20),
    token("sk_live_", |on| on.stripe, Letters, 16),
    token("sk_test_", |on| on.stripe, Letters, 16),
    token("rk_live_", |on| on.stripe, Letters, 16),
    token("rk_test_", |on| on.stripe, Letters, 16),
    token("whsec_", |on| on.stripe, Base64, 24),
    exact("AIza", |on| on.google, Url, 35),
    token("ya29.", |on| on.google, Dotted, 20),
    token("GOCSPX-", |on| on.google, Url, 28),
    // Hyphens would make a key of a name such as a CSS class.
    token("sk-", |on| on.openai, Letters, 32),
    token("sk-proj-", |on| on.openai, Url, 20),
    token("sk-svcacct-", |on| on.openai, Url, 20),
    token("sk-admin-", |on| on.openai, Url, 20),
    token("sk-None-", |on| on.openai, Url, 20),
    token("sk-ant-", |on| on.anthropic, Url, 20),
    token("SG.", |on| on.sendgrid, Dotted, 66),
    exact("SK", |on| on.twilio, Hex, 32),
    token("npm_", |on| on.npm, Letters, 36),
    token("pypi-AgE", |on| on.pypi, Url, 50),
    after("AccountKey=", |on| on.azure, Base64, 40),
    after("SharedAccessKey=", |on| on.azure, Base64, 40),
    after("sig=", |on| on.azure, Base64, 40),
    exact("AGE-SECRET-KEY-1", |on| on.age, Upper, 58),
];

/// The prefixes, in the order of [`TOKENS`].
pub(crate) fn prefixes() -> impl Iterator<Item = &'static str> {
    TOKENS.iter().map(|token| token.prefix)
}

/// Whether the prefix of a token starts here, with any way of escaping the text before it.
pub(crate) fn may_start_token(text: &[u8], at: usize) -> bool {
    let is_inside_word = match text[..at] {
        [.., b'\\', b'n' | b't' | b'r' | b'b' | b'f'] => false,
        [.., before] => before.is_ascii_alphanumeric(),
        [] => false,
    };
    // Comparing the first byte first is faster by half.
    let starts = |prefix: &str| text[at] == prefix.as_bytes()[0] && text[at..].starts_with(prefix.as_bytes());
    !is_inside_word && prefixes().any(starts)
}

impl Token {
    /// The token whose prefix may start here in another case. At the end of a `partial` text, the beginning of a token
    /// counts as one.
    pub(super) fn find(&self, text: &[u8], start: usize, partial: bool, runs: &mut Runs) -> Option<Range<usize>> {
        let is_inside_word = text[..start].last().is_some_and(u8::is_ascii_alphanumeric);
        if is_inside_word || !text[start..].starts_with(self.prefix.as_bytes()) {
            return None;
        }
        let from = start + self.prefix.len();
        let run = runs.end(text, from, self.alphabet);
        let is_cut = partial && run == text.len();
        // A full stop ends the sentence.
        let dots = text[from..run].iter().rev().take_while(|byte| **byte == b'.').count();
        let end = if is_cut { run } else { run - dots };
        let length = end - from;
        let is_inside_next_word = text.get(end).is_some_and(u8::is_ascii_alphanumeric);
        let fits = self.length.contains(&length) && !is_inside_next_word || is_cut && length < self.length.end;
        (fits && length > 0).then_some(if self.shows_prefix { from } else { start }..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patterns::PatternFinder;

    fn finder() -> PatternFinder {
        PatternFinder::new(Patterns::default())
    }

    /// A token of the shortest length.
    fn example(token: &Token) -> String {
        let letters = match token.alphabet {
            Upper => "Q4",
            Hex => "b0",
            _ => "aZ9",
        };
        token.prefix.chars().chain(letters.chars().cycle().take(token.length.start)).collect()
    }

    fn hidden(token: &Token) -> String {
        format!("{}[redacted]", if token.shows_prefix { token.prefix } else { "" })
    }

    #[test]
    fn every_token_is_redacted_in_a_text() {
        for token in TOKENS {
            let text = example(token);
            for (before, after) in [("", ""), ("used ", " twice"), ("\"", "\""), ("(", ")."), ("_", ","), ("é", "é")]
            {
                let shown = finder().redact(&format!("{before}{text}{after}"), false).into_owned();
                assert_eq!(shown, format!("{before}{}{after}", hidden(token)), "{text}");
            }
        }
    }

    #[test]
    fn words_and_short_runs_are_not_tokens() {
        for token in TOKENS {
            let text = example(token);
            for other in
                [format!("x{text}"), format!("5{text}"), text[..text.len() - 1].to_owned(), token.prefix.to_owned()]
            {
                assert_eq!(finder().redact(&other, false), other);
            }
            if token.length.end < usize::MAX {
                let longer = format!("{text}4");
                assert_eq!(finder().redact(&longer, false), longer);
            }
        }
        for text in [
            "pk_live_51HxYzAbCdEfGhIjKlMnOp",
            "sk-SK",
            "class sk-fading-circle-with-a-very-long-name-of-its-parts",
            "AC0123456789abcdef0123456789abcdef",
            "AKIA and ASIA, the AIzawa clan",
            "task-0123456789012345678901234567890123456789",
            "SG.",
            "https://example.org/?sig=short",
        ] {
            assert_eq!(finder().redact(text, false), text);
        }
    }

    #[test]
    fn no_beginning_of_a_token_is_shown_at_a_cut() {
        for token in TOKENS {
            let text = example(token);
            for end in token.prefix.len() + 1..text.len() {
                let shown = finder().redact(&text[..end], true).into_owned();
                assert_eq!(shown, hidden(token), "{}", &text[..end]);
            }
        }
    }

    #[test]
    fn longer_and_joined_forms_are_redacted_whole() {
        for (text, shown) in [
            (concat!("t=", "xoxe.xo", "xp-1-Mi0yLTEyMzQ1Njc4OTAtMTIz;"), "t=xoxe.[redacted];"),
            (concat!("git", "hub_pat_11ABCDEFG0aBcDeFgHiJkL_mNoPqRsTuVwXyZ0123456789abcdef."), "[redacted]."),
            (concat!("gl", "pat-aBcDeFgHiJkLmNoPqRsTuVwXyZ0.01.1a2b3c4d5. Next"), "[redacted]. Next"),
            (concat!("/bot", "?sig=aZ09%2Bxyz%2FaZ09xyzaZ09xyzaZ09xyzaZ09xyz%3D&se=1"), "/bot?sig=[redacted]&se=1"),
        ] {
            assert_eq!(finder().redact(text, false), shown);
        }
    }
}
