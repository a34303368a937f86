//! The rule by which a part of a text is redacted, from the text around it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::ops::Range;

use crate::escapes::views;
use crate::patterns::{PatternFinder, Patterns};
use crate::placeholder::REDACTED;
use crate::rules::Rules;

/// Why a text is redacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// The value belongs to this sensitive key.
    Key(String),
    /// The text has the form of a secret: the name of the setting `log.redact.*` that finds it.
    Pattern(&'static str),
    /// The value has a pseudonym, because `log.redact.pseudonymize` lists this key.
    Pseudonym(String),
    /// The password in a URL.
    UrlPassword,
    /// A secret that is encoded, or whose end is not certain.
    Uncertain,
}

impl Rule {
    /// The kind of the rule, for programs: `key`, `pattern`, `pseudonym`, `url_password` or `uncertain`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::Pattern(_) => "pattern",
            Self::Pseudonym(_) => "pseudonym",
            Self::UrlPassword => "url_password",
            Self::Uncertain => "uncertain",
        }
    }

    /// The key, or the name of the pattern.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Key(key) | Self::Pseudonym(key) => Some(key),
            Self::Pattern(name) => Some(name),
            Self::UrlPassword | Self::Uncertain => None,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "key {key}"),
            Self::Pattern(name) => write!(f, "log.redact.{name}"),
            Self::Pseudonym(key) => write!(f, "pseudonym of {key}"),
            Self::UrlPassword => f.write_str("password of a URL"),
            Self::Uncertain => f.write_str("encoded, or its end is not certain"),
        }
    }
}

/// The text before a secret that is searched for its key, in bytes.
const CONTEXT: usize = 4096;
/// The text before a secret that belongs to its form, such as `Bearer`, in bytes.
const MARGIN: usize = 64;

/// Finds the rules by which parts of a text are redacted.
pub(crate) struct Reasons<'a> {
    rules: &'a Rules,
    /// A search for each pattern alone, made when it is needed.
    patterns: OnceCell<Vec<(&'static str, PatternFinder)>>,
}

impl<'a> Reasons<'a> {
    pub(crate) fn new(rules: &'a Rules) -> Self {
        Self { rules, patterns: OnceCell::new() }
    }

    /// The rule by which this range of a text is redacted.
    pub(crate) fn rule_of(&self, text: &str, range: &Range<usize>) -> Rule {
        let before = context(text, range);
        let after = &text[range.end..];
        let key = key_before(&before);
        if let Some((key, _)) = key.filter(|(key, is_parameter)| *is_parameter || self.rules.keys.is_sensitive(key)) {
            return Rule::Key(self.harmless(key));
        }
        if is_url_password(&before, after) {
            return Rule::UrlPassword;
        }
        if let Some(name) = self.pattern(text, range) {
            return Rule::Pattern(name);
        }
        // The element, the object or the line around it, and then all that precedes it.
        let near = before.rfind(['{', '<', '\n']).map_or(&*before, |start| &before[start..]);
        let after = &after[..after.find(['}', '>', '\n']).unwrap_or(0)];
        let is_sensitive = |token: &&str| self.rules.keys.is_sensitive(token);
        let mut mentioned = tokens(near).rev().chain(tokens(after)).filter(is_sensitive);
        let named = mentioned.next().or(key.map(|(key, _)| key));
        let named = named.or_else(|| tokens(&before).rev().find(is_sensitive));
        named.map_or(Rule::Uncertain, |key| Rule::Key(self.harmless(key)))
    }

    /// The rule by which this range has a pseudonym.
    pub(crate) fn pseudonym_rule(&self, text: &str, range: &Range<usize>) -> Rule {
        key_before(&context(text, range)).map_or(Rule::Uncertain, |(key, _)| Rule::Pseudonym(self.harmless(key)))
    }

    /// A key as it is shown: cut, and redacted if it contains a secret itself.
    fn harmless(&self, key: &str) -> String {
        const MAX_LENGTH: usize = 60;
        let is_secret = self.rules.redact_text(key, false).is_some();
        if is_secret { REDACTED.to_owned() } else { key.chars().take(MAX_LENGTH).collect() }
    }

    /// The name of the pattern that finds a secret here.
    fn pattern(&self, text: &str, range: &Range<usize>) -> Option<&'static str> {
        let start = text.floor_char_boundary(range.start.saturating_sub(MARGIN));
        let part = &text[start..range.end];
        let finds =
            |finder: &PatternFinder| finder.find(part, false).iter().any(|found| start + found.end > range.start);
        let each = self
            .patterns
            .get_or_init(|| each_pattern().into_iter().map(|(name, on)| (name, PatternFinder::new(on))).collect());
        let name = each.iter().find(|(_, finder)| finds(finder)).map(|(name, _)| *name);
        // Only own patterns are left.
        name.or_else(|| finds(&self.rules.patterns).then_some("patterns"))
    }
}

macro_rules! patterns_by_name {
    ($($name:ident)*) => {
        /// Each pattern alone, with its name.
        fn each_pattern() -> Vec<(&'static str, Patterns)> {
            // Names every field, so that a new pattern must be listed.
            const NONE: Patterns = Patterns { $($name: false),* };
            vec![$((stringify!($name), Patterns { $name: true, ..NONE })),*]
        }
    };
}

patterns_by_name! {
    bearer jwt card private_key jwk age aws azure google github gitlab npm pypi slack telegram twilio sendgrid stripe openai
    anthropic ssn
}

/// The text before a range, decoded.
fn context<'t>(text: &'t str, range: &Range<usize>) -> Cow<'t, str> {
    let before = &text[text.ceil_char_boundary(range.start.saturating_sub(CONTEXT))..range.start];
    views(before).last().map_or(before.into(), |view| view.text)
}

/// The key that directly precedes a value, and whether it is a parameter of a URL.
fn key_before(before: &str) -> Option<(&str, bool)> {
    let is_around = |c: char| c.is_whitespace() || "\"'`\\[({".contains(c);
    let assigned = before.trim_end_matches(is_around);
    let named = assigned.trim_end_matches(['=', ':', '：', '>']);
    if named.len() == assigned.len() {
        return None;
    }
    let named = named.trim_end_matches(|c: char| c.is_whitespace() || "\"'`\\".contains(c));
    let key = tokens(named).next_back().filter(|key| named.ends_with(key))?;
    Some((key, named[..named.len() - key.len()].ends_with(['?', '&', ';'])))
}

fn is_url_password(before: &str, after: &str) -> bool {
    let url = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    after.starts_with('@') && url.ends_with(':') && url.contains("//")
}

/// The parts of a text that may be keys.
fn tokens(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    let is_part = |c: char| c.is_alphanumeric() || "_-.%".contains(c);
    text.split(move |c| !is_part(c)).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_rule(text: &str, secret: &str, rule: &str) {
        let start = text.find(secret).expect("the text contains it");
        let rules = Rules::new(&[], &[], Patterns::default());
        assert_eq!(Reasons::new(&rules).rule_of(text, &(start..start + secret.len())).to_string(), rule, "{text}");
    }

    #[test]
    fn the_key_before_a_value_is_its_rule() {
        for (text, key) in [
            ("{\"password\" : \"s3\"}", "password"),
            ("{\"api_key\":[\"s3\"]}", "api_key"),
            ("x Password：s3", "Password"),
            ("{:token=>\"s3\"}", "token"),
            ("{\\\"pwd\\\":\\\"s3\\\"}", "pwd"),
            ("<n1:Password>s3</n1:Password>", "Password"),
            ("/cb?a=1&sig=s3", "sig"),
            ("/?next=%2Fcb%3Ftoken%3Ds3", "token"),
            ("spring.datasource.password=s3", "spring.datasource.password"),
        ] {
            assert_rule(text, "s3", &format!("key {key}"));
        }
    }

    #[test]
    fn a_key_that_is_mentioned_nearby_is_the_rule() {
        assert_rule("invalid password 's3' for ada", "s3", "key password");
        assert_rule("<input name=\"csrf_token\" value=\"s3\">", "s3", "key csrf_token");
        assert_rule("{\"value\":\"s3\",\"name\":\"DB_PASSWORD\"}", "s3", "key DB_PASSWORD");
        assert_rule("user,api_key\nada,s3\n", "s3", "key api_key");
        assert_rule("<meta name=\"csrf-token\" content=\"s3\">", "s3", "key csrf-token");
        assert_rule("{\"password\":\"x\",\"ghcr.io\":{\"auth\":\"s3\"}}", "s3", "key auth");
    }

    #[test]
    fn a_form_is_the_rule_where_no_key_is() {
        assert_rule("at postgres://app:s3@db/x", "s3", "password of a URL");
        assert_rule("sent Bearer s3-xyz to it", "s3-xyz", "log.redact.bearer");
        assert_rule("see 4111111111111111", "4111111111111111", "log.redact.card");
        assert_rule("nothing s3 here", "s3", "encoded, or its end is not certain");
    }

    #[test]
    fn a_key_that_contains_a_secret_is_not_shown() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln";
        assert_rule(&format!("/x?{jwt}=s3"), "s3", "key [redacted]");
    }
}
