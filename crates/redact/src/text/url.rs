//! Secrets of URLs: the password before the host, and the parameters that grant access.

use std::ops::Range;

use memchr::memmem;

use super::searched::Searched;
use crate::vocabulary::{QUERY, SIGNATURES};

/// Whether a parameter of a query that is no sensitive key is a secret there.
pub(crate) fn is_query_secret(name: &str) -> bool {
    QUERY.iter().any(|secret| name.eq_ignore_ascii_case(secret))
        || name
            .rsplit(|c: char| !c.is_ascii_alphanumeric())
            .next()
            .is_some_and(|word| SIGNATURES.iter().any(|secret| word.eq_ignore_ascii_case(secret)))
}

pub(super) fn find(searched: &Searched<'_>, found: &mut Vec<Range<usize>>) {
    let text = searched.text;
    found.extend(memmem::find_iter(text.as_bytes(), b"://").filter_map(|at| password(searched, at + 3)));
    let mut done = 0;
    for at in memchr::memchr_iter(b'?', text.as_bytes()) {
        if at >= done {
            done = parameters(searched, at + 1, found);
        }
    }
}

/// The password in the authority that starts here.
fn password(searched: &Searched<'_>, start: usize) -> Option<Range<usize>> {
    let text = searched.text;
    // Another URL may follow without a space.
    let rest = &text[start..memmem::find(&text.as_bytes()[start..], b"://").map_or(text.len(), |next| start + next)];
    let run = &rest[..rest.find(is_end).unwrap_or(rest.len())];
    let authority = &run[..run.find(['/', '?', '#']).unwrap_or(run.len())];
    let colon = run.find(':')?;
    // A password may contain the characters that end an authority.
    let is_port = run[colon + 1..].starts_with(|c: char| c.is_ascii_digit())
        && run[colon + 1..].trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(['/', '?', '#']);
    let end = match authority.rfind('@') {
        Some(at) => at,
        None if colon < authority.len() && !is_port => match run.rfind('@') {
            Some(at) => at,
            // The rest of the password may be beyond the end of the text.
            None if searched.partial && start + run.len() == text.len() => run.len(),
            None => return None,
        },
        None => return None,
    };
    (colon + 1 < end).then(|| start + colon + 1..start + end)
}

/// Whether a character ends a URL in a text.
fn is_end(c: char) -> bool {
    c.is_whitespace() || "\"'`<>{}|\\^".contains(c)
}

/// Adds the values of secret parameters in the query that starts here, and returns its end.
fn parameters(searched: &Searched<'_>, start: usize, found: &mut Vec<Range<usize>>) -> usize {
    let run = &searched.text[start..];
    let run = &run[..run.find(is_end).unwrap_or(run.len())];
    let mut at = start;
    for pair in run.split(['&', ';', '?']) {
        if let Some((name, value)) = pair.split_once('=')
            && name.len() <= 100
            && is_query_secret(name.strip_prefix("amp;").unwrap_or(name))
        {
            let value_at = at + name.len() + 1;
            let value = value.split('#').next().unwrap_or(value).trim_end_matches(['.', ',', ')', ']', '}']);
            found.push(value_at..value_at + value.len());
        }
        at += pair.len() + 1;
    }
    start + run.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Keys;

    fn secrets(text: &str, partial: bool) -> Vec<&str> {
        let mut found = Vec::new();
        let keys = Keys::new(&[], &[]);
        find(&Searched { text, keys: &keys, occurrences: &[], partial }, &mut found);
        found.into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn the_password_of_a_url_is_found() {
        for (text, password) in [
            ("to postgres://app:hunter2@db/x failed", Some("hunter2")),
            ("redis://:hunter2@cache:6379/0", Some("hunter2")),
            ("https://a:p/s?s#w@b@host/x", Some("p/s?s#w@b")),
            ("'amqp://u:p@h'", Some("p")),
            ("http://host:8080/a@b", None),
            ("http://host:8080", None),
            ("https://user@host/x", None),
            ("// a:b@c", None),
            ("http://a/b:c@d", None),
        ] {
            assert_eq!(secrets(text, false), Vec::from_iter(password), "{text}");
        }
        assert_eq!(secrets("x://app:hunt", true), ["hunt"]);
        assert_eq!(secrets("x://app:hunt", false), [""; 0]);
    }

    #[test]
    fn parameters_that_grant_access_are_found() {
        assert_eq!(
            secrets("GET /cb?state=a&code=b&X-Amz-Signature=c&sort_key=d&sig=e&key=f#g.", false),
            ["b", "c", "e", "f"]
        );
        assert_eq!(secrets("is code=5 right? code=6", false), [""; 0]);
    }
}
