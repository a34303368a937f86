//! Forms, query strings and paths: parts of a URL's syntax, each redacted whole.

use std::borrow::Cow;

use crate::escapes::decodings;
use crate::placeholder::REDACTED;
use crate::rules::Rules;

/// Redacts pairs until `limit` bytes of them are shown. The last pair may continue after an `open` end.
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

/// To some readers a semicolon ends a pair too, to others it is part of the value: so it begins a new pair, and is no
/// end of what is redacted.
fn redact_pair(rules: &Rules, pair: &str, partial: bool, is_sensitive: &impl Fn(&str) -> bool, shown: &mut String) {
    for (at, part) in pair.split(';').enumerate() {
        if at > 0 {
            shown.push(';');
        }
        match part.split_once('=') {
            Some((key, _)) if is_secret(rules, key, false) => return shown.push_str(REDACTED),
            Some((key, value))
                if decodings(&spaced(key)).any(|key| is_sensitive(&key))
                    // A value may hold a query, a form or JSON of its own.
                    || is_secret(rules, value, partial) =>
            {
                return shown.extend([key, "=", REDACTED]);
            }
            None if is_secret(rules, part, partial) => return shown.push_str(REDACTED),
            _ => shown.push_str(part),
        }
    }
}

/// A path whose segments that hold a secret are redacted.
pub(crate) fn redact_path<'a>(rules: &Rules, path: &'a str) -> Cow<'a, str> {
    // Slashes separate: what is in none of the segments together is in none of them. A plus sign is a space in a query.
    if !path.contains('+') && !rules.may_match(path.as_bytes(), false) {
        return Cow::Borrowed(path);
    }
    // A token may hold slashes itself, and a block does.
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

/// Whether a part of a URL or a form is not to be shown.
fn is_secret(rules: &Rules, encoded: &str, partial: bool) -> bool {
    // An escape that is cut off is no end of what goes before it.
    let near_end = encoded.len().saturating_sub(2);
    let percent = encoded.as_bytes()[near_end..].iter().position(|byte| *byte == b'%');
    let cut_off = percent.filter(|_| partial);
    // A plus sign is a space in a query.
    let worth_a_look = cut_off.is_some() || encoded.contains('+') || rules.may_match(encoded.as_bytes(), partial);
    let encoded = cut_off.map_or(encoded, |at| &encoded[..near_end + at]);
    worth_a_look && (rules.keys.are_assigned_in(encoded) || rules.contains_secret(&spaced(encoded), partial))
}

/// A part of a form or a query, its plus signs undone.
fn spaced(encoded: &str) -> Cow<'_, str> {
    if encoded.contains('+') { Cow::Owned(encoded.replace('+', " ")) } else { Cow::Borrowed(encoded) }
}
