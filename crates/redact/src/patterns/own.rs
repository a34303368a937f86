//! Own patterns: regular expressions from the settings.

use std::fmt;
use std::ops::Range;

use regex::{Regex, RegexBuilder};

/// The limit of a pattern's text, in bytes.
const MAX_BYTES: usize = 1000;
/// The limit of a compiled pattern, and that of the tables of its search, in bytes.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// A regular expression for secrets. With a group, the first group is the secret, otherwise the whole match.
#[derive(Debug, Clone)]
pub struct OwnPattern(Regex);

impl OwnPattern {
    /// The maximum number of patterns of a redactor: each text is searched once for each.
    pub const MAX_COUNT: usize = 32;

    /// Compiles a pattern of at most 1,000 bytes.
    ///
    /// # Errors
    ///
    /// The text is not a regular expression, is too long or too large when compiled, or matches the empty text.
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        if pattern.len() > MAX_BYTES {
            return Err(PatternError(format!("the pattern is longer than {MAX_BYTES} bytes")));
        }
        let regex =
            RegexBuilder::new(pattern).size_limit(MAX_COMPILED_BYTES).dfa_size_limit(MAX_COMPILED_BYTES).build();
        match regex {
            Ok(regex) if regex.is_match("") => Err(PatternError(format!("`{pattern}` matches the empty text"))),
            Ok(regex) => Ok(Self(regex)),
            Err(regex::Error::CompiledTooBig(limit)) => {
                Err(PatternError(format!("`{pattern}` is larger than {limit} bytes when compiled")))
            }
            Err(error) => {
                // The rest repeats the pattern, with a line that points at the place.
                let text = error.to_string();
                let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
                Err(PatternError(format!("`{pattern}` is not a regular expression: {reason}")))
            }
        }
    }

    /// The secrets of a text.
    pub(super) fn find(&self, text: &str) -> impl Iterator<Item = Range<usize>> {
        let secret = |found: regex::Captures<'_>| found.get(1).or(found.get(0)).map(|found| found.range());
        self.0.captures_iter(text).filter_map(secret).filter(|secret| !secret.is_empty())
    }
}

/// The reason why a pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError(String);

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PatternError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Patterns, Redactor, Syntax};
    use serde_json::json;

    fn redactor(patterns: &[&str]) -> Redactor {
        let own = patterns.iter().map(|pattern| OwnPattern::new(pattern).expect("a pattern")).collect();
        Redactor::new(&[], Patterns::default()).with_own_patterns(own)
    }

    #[test]
    fn own_patterns_are_redacted_in_every_kind_of_text() {
        let redactor = redactor(&["EMP-[0-9]{4}", "badge ([a-z]+)"]);
        let body = br#"{"a":"of EMP-1234","b":"badge blue","n":5}"#;
        let shown = redactor.content(body, Syntax::Json, 1000, true).text.into_owned();
        assert_eq!(shown, r#"{"a":"of [redacted]","b":"badge [redacted]","n":5}"#);
        assert_eq!(redactor.content(b"EMP-1234 came", Syntax::Text, 1000, true).text, "[redacted] came");
        assert_eq!(redactor.query("a=EMP-1234&b=2"), "a=[redacted]&b=2");
        assert_eq!(redactor.query("a=EMP%2D1234"), "a=[redacted]");
        assert_eq!(redactor.path("/staff/EMP-1234"), "/staff/[redacted]");
        assert_eq!(redactor.header("EMP-1234"), "[redacted]");
        let mut data = json!({"x": ["EMP-1234"], "EMP-1234": 1});
        redactor.data(&mut data);
        assert_eq!(data, json!({"x": ["[redacted]"], "[redacted]": 1}));
    }

    #[test]
    fn own_patterns_match_numbers() {
        let redactor = redactor(&["^77[0-9]{3}$"]);
        let shown = redactor.content(br#"{"n":77123,"m":7712}"#, Syntax::Json, 1000, true).text.into_owned();
        assert_eq!(shown, r#"{"n":"[redacted]","m":7712}"#);
        let mut data = json!({"n": 77123, "m": 7712});
        redactor.data(&mut data);
        assert_eq!(data, json!({"n": "[redacted]", "m": 7712}));
    }

    #[test]
    fn unusable_patterns_are_rejected_with_the_reason() {
        for (pattern, reason) in [
            ("a(", "`a(` is not a regular expression: unclosed group"),
            ("a*", "`a*` matches the empty text"),
            (r"(\w{1,200}){1,200}", r"`(\w{1,200}){1,200}` is larger than 1048576 bytes when compiled"),
        ] {
            assert_eq!(OwnPattern::new(pattern).expect_err(pattern).to_string(), reason);
        }
        let long = "a".repeat(1001);
        assert_eq!(OwnPattern::new(&long).expect_err("long").to_string(), "the pattern is longer than 1000 bytes");
    }
}
