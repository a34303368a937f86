//! Forms, query strings and paths.

use std::borrow::Cow;

use crate::escapes::views;
use crate::patterns::redact_ranges;
use crate::placeholder::REDACTED;
use crate::rules::Rules;
use crate::text;

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
    // A value may itself contain a query, a form or JSON, in which a semicolon separates nothing.
    let pair = redact_part(rules, pair, partial);
    let mut at = 0;
    for (nth, part) in pair.split(';').enumerate() {
        if nth > 0 {
            shown.push(';');
        }
        match part.split_once('=') {
            Some((key, _)) if views(&spaced(key)).any(|key| is_sensitive(&key.text)) => {
                shown.extend([key, "="]);
                if at + key.len() + 1 < pair.len() {
                    shown.push_str(REDACTED);
                }
                return;
            }
            Some((key, value)) if let Some(pseudonyms) = rules.pseudonyms_of(&decoded(key)) => {
                shown.extend([key, "=", &pseudonyms.token(&decoded(value))]);
            }
            // The key is not a part of a table in the value.
            Some((key, value)) => {
                let partial = partial && at + part.len() == pair.len();
                shown.extend([key, "=", &redact_part(rules, value, partial)]);
            }
            None => shown.push_str(part),
        }
        at += part.len() + 1;
    }
}

/// A path with its secrets redacted.
pub(crate) fn redact_path<'a>(rules: &Rules, path: &'a str) -> Cow<'a, str> {
    redact_part(rules, path, false)
}

/// A part of a URL or a form with its secrets redacted where they are written.
fn redact_part<'a>(rules: &Rules, encoded: &'a str, partial: bool) -> Cow<'a, str> {
    // A truncated escape does not end the text before it.
    let near_end = encoded.floor_char_boundary(encoded.len().saturating_sub(2));
    let cut_off = encoded[near_end..].find('%').filter(|_| partial).map(|at| near_end + at);
    let uncut = cut_off.map_or(encoded, |at| &encoded[..at]);
    // A plus sign is a space in a query, which the prefilter does not know.
    let has_plus = encoded.contains('+');
    if cut_off.is_none() && !has_plus && !rules.may_match(encoded.as_bytes(), partial) {
        return Cow::Borrowed(encoded);
    }
    let shown = match rules.redact_text(uncut, partial) {
        Some(shown) => shown,
        None => Cow::Borrowed(encoded),
    };
    if !has_plus {
        return shown;
    }
    let found = text::find(&rules.keys, &rules.patterns, &spaced(&shown), partial);
    if found.is_empty() { shown } else { Cow::Owned(redact_ranges(&shown, &found).into_owned()) }
}

/// A part of a form or a query without its encoding.
fn decoded(encoded: &str) -> String {
    let spaced = spaced(encoded);
    views(&spaced).nth(1).map_or_else(|| spaced.to_string(), |view| view.text.into_owned())
}

/// A part of a form or a query with its plus signs replaced by spaces.
fn spaced(encoded: &str) -> Cow<'_, str> {
    if encoded.contains('+') { Cow::Owned(encoded.replace('+', " ")) } else { Cow::Borrowed(encoded) }
}
