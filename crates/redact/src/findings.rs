//! What the redactor hides in a text, where, and by which rule: for people who check a body or a log.
//!
//! The redactor itself names no rules, which would slow it down. Its output is compared with its input instead.

use std::ops::Range;

use serde::de::IgnoredAny;

use crate::hostile::is_hostile;
use crate::placeholder::REDACTED;
use crate::reasons::{Reasons, Rule};
use crate::redactor::{Redactor, Syntax};
use crate::replaced::{placeholders, replaced_ranges};

/// Something that is redacted in a text. It never contains the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The line on which the secret begins, from 1.
    pub line: usize,
    /// The column in which it begins, in characters, from 1.
    pub column: usize,
    /// Why it is redacted.
    pub rule: Rule,
    /// What the output shows there: the placeholder with the text around it on its line, without control characters.
    pub shown: String,
}

impl Syntax {
    /// The syntax that a text seems to have, if nothing declares it.
    pub fn guess(text: &str) -> Self {
        let text = text.trim_start_matches('\u{feff}').trim();
        let first_line = text.lines().next().unwrap_or_default();
        let is_pair = |pair: &str| pair.split_once('=').is_some_and(|(key, _)| !key.is_empty());
        if is_json(text) || is_json(first_line) {
            Self::Json
        } else if !text.contains(|c: char| c.is_whitespace() || "\"<{".contains(c)) && text.split('&').all(is_pair) {
            Self::Form
        } else {
            Self::Text
        }
    }
}

impl Redactor {
    /// What [`content`](Self::content) redacts in a body of this syntax, in order. Of JSON lines each one is checked by
    /// itself, and the lines between them as text.
    pub fn findings(&self, body: &[u8], syntax: Syntax) -> Vec<Finding> {
        let text = String::from_utf8_lossy(body);
        let mut findings = Vec::new();
        let mut place = Place { line: 1, column: 1 };
        let reasons = Reasons::new(&self.rules);
        for (part, syntax) in parts(&text, syntax) {
            self.find_in(part, syntax, place, &reasons, &mut findings);
            place = place.after(part);
        }
        findings
    }

    fn find_in(&self, text: &str, syntax: Syntax, start: Place, reasons: &Reasons<'_>, findings: &mut Vec<Finding>) {
        let content = self.content(text.as_bytes(), syntax, usize::MAX, true);
        let shown = content.text;
        if shown == text {
            return;
        }
        let Some(ranges) = replaced_ranges(text, &shown) else {
            // The body is withheld, or JSON in a string was written again.
            let at = text.bytes().zip(shown.bytes()).take_while(|(a, b)| a == b).count();
            let at = text.floor_char_boundary(at);
            let Place { line, column } = start.after(&text[..at]);
            let shown = excerpt(&shown, shown.floor_char_boundary(at)..shown.floor_char_boundary(at));
            findings.push(Finding { line, column, rule: reasons.rule_of(text, &(at..at)), shown });
            return;
        };
        let (mut place, mut at) = (start, 0);
        for (range, found) in ranges.into_iter().zip(placeholders(&shown)) {
            place = place.after(&text[at..range.start]);
            at = range.start;
            let placeholder = &shown[found.clone()];
            // A log has been redacted before.
            if text[range.clone()].trim_matches('"') == placeholder {
                continue;
            }
            let Place { line, column } = place;
            let rule = match placeholder {
                REDACTED => reasons.rule_of(text, &range),
                _ => reasons.pseudonym_rule(text, &range),
            };
            findings.push(Finding { line, column, rule, shown: excerpt(&shown, found) });
        }
    }
}

/// A position in the input, from 1.
#[derive(Clone, Copy)]
struct Place {
    line: usize,
    column: usize,
}

impl Place {
    /// The position after this text.
    fn after(self, text: &str) -> Self {
        match text.rfind('\n') {
            Some(end) => Self {
                line: self.line + text.bytes().filter(|byte| *byte == b'\n').count(),
                column: 1 + text[end + 1..].chars().count(),
            },
            None => Self { column: self.column + text.chars().count(), ..self },
        }
    }
}

/// The parts that are checked by themselves, which together are the text.
fn parts(text: &str, syntax: Syntax) -> Vec<(&str, Syntax)> {
    let mut lines = text.split_inclusive('\n');
    let is_lines = syntax == Syntax::Json && lines.next().is_some_and(is_json) && lines.next().is_some();
    if !is_lines {
        return vec![(text, syntax)];
    }
    let mut parts = Vec::new();
    let mut text_from = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if is_json(line) {
            if text_from < at {
                parts.push((&text[text_from..at], Syntax::Text));
            }
            parts.push((line, Syntax::Json));
            text_from = at + line.len();
        }
        at += line.len();
    }
    if text_from < at {
        parts.push((&text[text_from..], Syntax::Text));
    }
    parts
}

/// Whether a text is a JSON object or array.
fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// A part of the output with the text around it on its line.
fn excerpt(shown: &str, part: Range<usize>) -> String {
    const BEFORE: usize = 40;
    const AFTER: usize = 20;
    let first = |chars: &mut dyn Iterator<Item = (usize, char)>, count| chars.nth(count).map(|(at, _)| at);
    let before = first(&mut shown[..part.start].char_indices().rev(), BEFORE - 1).unwrap_or(0);
    let start = shown[before..part.start].rfind('\n').map_or(before, |end| before + end + 1);
    let after = first(&mut shown[part.end..].char_indices(), AFTER).map_or(shown.len(), |at| part.end + at);
    let end = shown[part.end..after].find('\n').map_or(after, |end| part.end + end);
    let is_line_end = |text: &str| text.is_empty() || text.starts_with('\n');
    let is_line_start = |text: &str| text.is_empty() || text.ends_with('\n');
    let text: String = shown[start..end].chars().map(|c| if is_hostile(c) { ' ' } else { c }).collect();
    let mark = |is_cut: bool| is_cut.then_some('…');
    mark(!is_line_start(&shown[..start]))
        .into_iter()
        .chain(text.trim().chars())
        .chain(mark(!is_line_end(&shown[end..])))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(usize, usize, String)> {
        let findings = Redactor::default().findings(text.as_bytes(), Syntax::guess(text));
        findings.into_iter().map(|it| (it.line, it.column, it.rule.to_string())).collect()
    }

    #[test]
    fn each_finding_has_its_place_and_its_rule() {
        assert_eq!(
            found("{\n  \"user\": \"ada\",\n  \"apiKey\": \"x1\", \"é\": {\"pin\": 4711},\n  \"n\": \"Bearer abc\"}"),
            [(3, 14, "key apiKey".to_owned()), (3, 32, "key pin".to_owned()), (4, 16, "log.redact.bearer".to_owned()),]
        );
        assert_eq!(found("a=1&token=x&b=2"), [(1, 11, "key token".to_owned())]);
        assert_eq!(found("{\"card\":\"4111 1111 1111 1111\"}"), [(1, 10, "log.redact.card".to_owned())]);
    }

    #[test]
    fn each_line_of_a_log_is_checked() {
        let log =
            "{\"a\":1,\"token\":\"t1\"}\nplain Bearer abc\nmore\n{\"b\":\"x\"}\n{\"pin\":\"[redacted]\",\"otp\":7}\n";
        assert_eq!(
            found(log),
            [(1, 17, "key token".to_owned()), (2, 14, "log.redact.bearer".to_owned()), (5, 27, "key otp".to_owned())]
        );
    }

    #[test]
    fn own_patterns_are_named_by_their_setting() {
        let own = crate::OwnPattern::new("CUST-[0-9]+").expect("is valid");
        let findings = Redactor::default().with_own_patterns(vec![own]).findings(b"see CUST-123456", Syntax::Text);
        let found: Vec<_> = findings.iter().map(|it| (it.column, it.rule.to_string())).collect();
        assert_eq!(found, [(5, "log.redact.patterns".to_owned())]);
    }

    #[test]
    fn pseudonyms_are_findings_of_their_key() {
        let key = "k1:000102030405060708090a0b0c0d0e0f";
        let pseudonyms = crate::Pseudonyms::new(&["email".into()], key).expect("is valid");
        let redactor = Redactor::default().with_pseudonyms(pseudonyms);
        let text = r#"{"email":"ada@example.org","n":1,"pin":7}"#;
        let findings = redactor.findings(text.as_bytes(), Syntax::Json);
        let found: Vec<_> = findings.iter().map(|it| (it.column, it.rule.to_string())).collect();
        assert_eq!(found, [(11, "pseudonym of email".to_owned()), (40, "key pin".to_owned())]);
        let shown = redactor.content(text.as_bytes(), Syntax::Json, 1000, true);
        assert_eq!(redactor.findings(shown.text.as_bytes(), Syntax::Json), []);
    }

    #[test]
    fn a_clean_text_has_no_findings() {
        for text in ["", "hello", "{\"a\":[1,2]}", "a=1&b=2", "{\"token\":\"[redacted]\"}", "the token has expired"] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn a_finding_shows_the_output_around_the_placeholder() {
        let text = "{\"user\":\"ada\",\n\"password\":\"hunter2\",\"next\":\"a long text after it\"}";
        let findings = Redactor::default().findings(text.as_bytes(), Syntax::Json);
        assert_eq!(findings[0].shown, "\"password\":\"[redacted]\",\"next\":\"a long tex…");
        let hostile = Redactor::default().findings("\u{1b}[2J Bearer abc".as_bytes(), Syntax::Text);
        assert_eq!(hostile[0].shown, "[2J Bearer [redacted]");
    }

    #[test]
    fn no_finding_contains_a_secret() {
        for secret in ["hunter2-9x", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "4111111111111111"] {
            let text = format!("{{\"password\":\"{secret}\",\"Bearer {secret}\":\"x\",\"a\":\"Bearer {secret}\"}}");
            for syntax in [Syntax::Json, Syntax::Text, Syntax::Form] {
                let findings = Redactor::default().findings(text.as_bytes(), syntax);
                assert!(!findings.is_empty() && !format!("{findings:?}").contains(secret), "{findings:?}");
            }
        }
    }

    #[test]
    fn the_syntax_of_a_text_is_recognized() {
        for (text, syntax) in [
            ("{\"a\":1}", Syntax::Json),
            ("\u{feff} [1]\n", Syntax::Json),
            ("{\"a\":1}\n{\"b\":1}\n", Syntax::Json),
            ("a=1&b=%20", Syntax::Form),
            ("a=1 b=2", Syntax::Text),
            ("<a>1</a>", Syntax::Text),
            ("", Syntax::Text),
        ] {
            assert_eq!(Syntax::guess(text), syntax, "{text}");
        }
    }
}
