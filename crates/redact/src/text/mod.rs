//! The rule for all text: only the secret itself is replaced, where it is written. Each rule finds the ranges of secrets
//! in a text; the text is searched as written and with its escapes decoded.

mod assignment;
mod credentials;
mod markup;
mod name;
mod searched;
mod table;
mod url;
mod value;

use std::ops::Range;

use crate::byte_class::{ASSIGNMENT, byte_classes};
use crate::escapes::views;
use crate::keys::Keys;
use crate::patterns::PatternFinder;

use searched::Searched;
pub(crate) use url::is_query_secret;

/// The secrets of a text, in order and without overlaps. At the end of a `partial` text, the possible start of a secret
/// counts as one.
pub(crate) fn find(keys: &Keys, patterns: &PatternFinder, text: &str, partial: bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for view in views(text) {
        let first = found.len();
        find_in_view(keys, patterns, &view.text, partial, &mut found);
        for range in &mut found[first..] {
            *range = view.source(range);
        }
    }
    merge(text, found)
}

fn find_in_view(keys: &Keys, patterns: &PatternFinder, text: &str, partial: bool, found: &mut Vec<Range<usize>>) {
    found.extend(patterns.find(text, partial));
    let may_assign = byte_classes(text.as_bytes()) & ASSIGNMENT != 0 || text.contains("--");
    let occurrences = if may_assign { keys.occurrences(text) } else { Vec::new() };
    let searched = Searched { text, keys, occurrences: &occurrences, partial };
    if !occurrences.is_empty() {
        let names = name::all(&searched);
        assignment::find(&searched, &names, found);
        markup::find(&searched, &names, found);
        table::find(&searched, found);
    }
    url::find(&searched, found);
    credentials::find(&searched, found);
}

/// Ranges in order, with those combined that overlap or touch. Text that is redacted already is none.
fn merge(text: &str, mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let is_redacted = |range: &Range<usize>| {
        let open = text[range.clone()].starts_with('[') || text[..range.start].ends_with('[');
        let closed = text[range.clone()].ends_with(']') || text[range.end..].starts_with(']');
        // Another rule may end the placeholder at its bracket.
        open && closed && text[range.clone()].trim_matches(['[', ']']) == "redacted"
    };
    found.retain(|range| !range.is_empty() && !is_redacted(range));
    found.sort_by_key(|range| range.start);
    found.dedup_by(|next, before| {
        let touches = next.start <= before.end;
        if touches {
            before.end = before.end.max(next.end);
        }
        touches
    });
    found
}

#[cfg(test)]
mod tests {
    use crate::json;
    use crate::patterns::Patterns;
    use crate::rules::Rules;

    fn shown(text: &str) -> String {
        let rules = Rules::new(&[], &[], Patterns::default());
        rules.redact_text(text, false).map_or_else(|| text.to_owned(), |shown| shown.into_owned())
    }

    #[test]
    fn only_the_secret_itself_is_redacted() {
        for (text, expected) in [
            ("token refresh failed: connection refused", None),
            (
                "invalid password 'hunter2' for postgres://app:hunter2@db/x",
                Some("invalid password '[redacted]' for postgres://app:[redacted]@db/x"),
            ),
            ("password: must be at least 12 characters", None),
            ("password: hunter2 is too short", Some("password: [redacted] is too short")),
            ("invalid token: expired", Some("invalid token: [redacted]")),
            ("retry with --api-key k3y --verbose", Some("retry with --api-key [redacted] --verbose")),
            ("the --token flag is required", None),
            ("GET /cb?code=x&state=y HTTP/1.1", Some("GET /cb?code=[redacted]&state=y HTTP/1.1")),
            ("exit code=5, key=7", None),
            ("Authorization: Basic dTpw, retried", Some("Authorization: Basic [redacted], retried")),
            ("sent Basic dXNlcjpwYXNz", Some("sent Basic [redacted]")),
            ("Basic authentication failed", None),
            ("Digest username=\"a\", response=\"b\" was refused", Some("Digest [redacted] was refused")),
            ("Cookie: a=b; c=d\nHost: e", Some("Cookie: [redacted]\nHost: e")),
            ("Set-Cookie: a=b; Path=/", Some("Set-Cookie: [redacted]; Path=/")),
            ("token::Error at secret://x", None),
            ("name,pin\nada,1234\nbob,5", Some("name,pin\nada,[redacted]\nbob,[redacted]")),
            ("pin:\n  - 1\n  - 2\nname: x", Some("pin:\n  [redacted]\nname: x")),
            ("- name: DB_PASSWORD\n  value: x y", Some("- name: DB_PASSWORD\n  value: [redacted] y")),
            ("%7B%22pin%22%3A%22x%22%7D", Some("%7B%22pin%22%3A%22[redacted]%22%7D")),
            ("<input name='csrf_token' value='x'>", Some("<input name='csrf_token' value='[redacted]'>")),
            ("<dict><key>pin</key><string>x</string>", Some("<dict><key>pin</key><string>[redacted]</string>")),
            ("usage: login <user> <password>", None),
            ("токен, пароль: тест", Some("токен, пароль: [redacted]")),
        ] {
            assert_eq!(shown(text), expected.unwrap_or(text));
            assert_eq!(shown(&shown(text)), shown(text), "{text}");
        }
    }

    #[test]
    fn any_characters_may_surround_a_secret() {
        for c in ['\u{fffd}', 'é', '€', '\u{1f600}', '\u{0}'] {
            for text in
                ["{\"token\":[1]#", "pin=[redacted#", "#token#=#x#", "//a:#b@c", "?code=#&", "Basic a1b2c3#", "<pin>#"]
            {
                let text = text.replace('#', &c.to_string().repeat(2));
                assert_eq!(shown(&shown(&text)), shown(&text), "{text}");
            }
        }
    }

    #[test]
    fn search_time_is_linear() {
        let rules = Rules::new(&[], &[], Patterns::default());
        for piece in [
            "token: ",
            "token: [",
            "token: \"",
            "token 'a",
            "://",
            "://a:",
            "?code=",
            "?",
            "Basic ",
            "digest uri=",
            "pin,a\n",
            "<pin>",
            "<a name=pin ",
            "cookie: is x ",
            "pin:\n",
            "password",
            "\\u0070in=",
            "%25",
            "</pin><",
            "name: pin, value: ",
            "{\"name\":\"pin\",\"value\":",
            "[\"",
            "_auth=",
            "token: a(",
        ] {
            // With a search from each start to the end this would take minutes.
            let text = piece.repeat(60_000 / piece.len());
            for partial in [false, true] {
                json::redact_string(&rules, &text, 0, partial);
            }
        }
    }
}
