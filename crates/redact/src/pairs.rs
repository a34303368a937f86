//! Forms, query strings and paths. A value or segment that contains a secret is redacted entirely.

use std::borrow::Cow;

use crate::escapes::decodings;
use crate::placeholder::REDACTED;
use crate::rules::Rules;

/// Redacts pairs until `limit` bytes are written. The last pair of a `partial` text may continue beyond its end.
pub(crate) fn redact_pairs(
    rules: &Rules,
    text: &str,
    limit: usize,
    partial: bool,
    is_sensitive: impl Fn(&str) -> bool,
) -> String {
    let mut shown = String::with_capacity(text.len().min(limit));
    let mut pairs = text.split('&').peekable();
    while let Some(pair) = pairs.next() {
        let partial = partial && pairs.peek().is_none();
        redact_pair(rules, pair, partial, &is_sensitive, &mut shown);
        if shown.len() > limit {
            break;
        }
        if pairs.peek().is_some() {
            shown.push('&');
        }
    }
    shown
}

/// Some parsers treat a semicolon as a separator of pairs, others as part of the value. So a new pair starts after it,
/// but redaction of a value does not stop at it.
fn redact_pair(rules: &Rules, pair: &str, partial: bool, is_sensitive: &impl Fn(&str) -> bool, shown: &mut String) {
    for (at, part) in pair.split(';').enumerate() {
        if at > 0 {
            shown.push(';');
        }
        match part.split_once('=') {
            Some((key, _)) if is_secret(rules, key, false) => return shown.push_str(REDACTED),
            Some((key, value))
                if decodings(&spaced(key)).any(|key| is_sensitive(&key))
                    // A value may itself contain a query, a form or JSON.
                    || is_secret(rules, value, partial) =>
            {
                return shown.extend([key, "=", REDACTED]);
            }
            None if is_secret(rules, part, partial) => return shown.push_str(REDACTED),
            _ => shown.push_str(part),
        }
    }
}

/// A path with the segments redacted that contain a secret.
pub(crate) fn redact_path<'a>(rules: &Rules, path: &'a str) -> Cow<'a, str> {
    // A slash separates words, so no segment can match if the complete path does not. A plus sign may stand for a
    // space, which the prefilter does not know.
    if !path.contains('+') && !rules.may_match(path.as_bytes(), false) {
        return Cow::Borrowed(path);
    }
    // A token may contain slashes, and the block of a private key does.
    let is_across = |text: &str| rules.patterns.find(text, false).iter().any(|found| text[found.clone()].contains('/'));
    if decodings(&spaced(path)).any(|path| is_across(&path)) {
        return Cow::Owned(format!("/{REDACTED}"));
    }
    if !path.split('/').any(|segment| is_secret(rules, segment, false)) {
        return Cow::Borrowed(path);
    }
    let shown = path.split('/').map(|segment| if is_secret(rules, segment, false) { REDACTED } else { segment });
    Cow::Owned(shown.collect::<Vec<_>>().join("/"))
}

/// Whether a part of a URL or a form contains a secret.
fn is_secret(rules: &Rules, encoded: &str, partial: bool) -> bool {
    // A truncated escape does not end the text before it.
    let near_end = encoded.len().saturating_sub(2);
    let percent = encoded.as_bytes()[near_end..].iter().position(|byte| *byte == b'%');
    let cut_off = percent.filter(|_| partial);
    // A plus sign is a space in a query, which the prefilter does not know.
    let needs_search = cut_off.is_some() || encoded.contains('+') || rules.may_match(encoded.as_bytes(), partial);
    let encoded = cut_off.map_or(encoded, |at| &encoded[..near_end + at]);
    needs_search && (rules.keys.are_assigned_in(encoded) || rules.contains_secret(&spaced(encoded), partial))
}

/// A part of a form or a query with its plus signs replaced by spaces.
fn spaced(encoded: &str) -> Cow<'_, str> {
    if encoded.contains('+') { Cow::Owned(encoded.replace('+', " ")) } else { Cow::Borrowed(encoded) }
}
