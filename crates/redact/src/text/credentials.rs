//! Credentials after `Basic`, `Digest` and `_auth=`. Those after `Bearer` are a pattern.

use std::ops::Range;

use super::{Searched, value};

/// The parameters that digest credentials begin with.
const DIGEST: [&str; 9] = ["username", "realm", "nonce", "uri", "response", "qop", "cnonce", "nc", "opaque"];

pub(super) fn find(searched: &Searched<'_>, found: &mut Vec<Range<usize>>) {
    let text = searched.text;
    // The credentials of a registry in .npmrc.
    let mut done = 0;
    for (at, key) in text.match_indices("_auth=") {
        if at >= done && !text[..at].ends_with(|c: char| c.is_alphanumeric()) {
            let value = value::at(text, at + key.len());
            done = value.as_ref().map_or(done, |value| value.end);
            found.extend(value);
        }
    }
    for (at, word) in text.match_indices(['B', 'b', 'D', 'd']) {
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &text[at..];
        let after = |scheme: &str| {
            let is_scheme = rest.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
            is_scheme
                .then(|| at + scheme.len() + blank(&rest[scheme.len()..]))
                .filter(|start| *start > at + scheme.len())
        };
        let range = match word {
            "B" | "b" => after("basic").and_then(|start| basic(searched, start)),
            _ => after("digest").and_then(|start| digest(text, start)),
        };
        found.extend(range);
    }
}

fn blank(text: &str) -> usize {
    text.bytes().take_while(|byte| matches!(byte, b' ' | b'+')).count()
}

/// A user name and a password in base64. A word of a sentence, such as `Basic authentication`, is none.
fn basic(searched: &Searched<'_>, start: usize) -> Option<Range<usize>> {
    let text = searched.text;
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=_-".contains(byte);
    let length = text[start..].bytes().take_while(is_part).count();
    let token = &text[start..start + length];
    let has_digit = token.bytes().any(|byte| byte.is_ascii_digit());
    let has_inner_capital = token.bytes().skip(1).any(|byte| byte.is_ascii_uppercase());
    // `Basic realm="…"` is a challenge.
    if token.ends_with('=') && text[start + length..].starts_with(['"', '\'']) {
        return None;
    }
    let is_cut = searched.partial && start + length == text.len();
    let is_token = length >= 6 && (has_digit || has_inner_capital || token.ends_with('=')) || is_cut;
    (length > 0 && is_token).then_some(start..start + length)
}

/// The list of parameters.
fn digest(text: &str, start: usize) -> Option<Range<usize>> {
    let mut end = start;
    loop {
        let rest = &text[end..];
        let name = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        if end == start && !DIGEST.iter().any(|known| rest[..name].eq_ignore_ascii_case(known)) || name == 0 {
            break;
        }
        let Some(value) = rest[name..].strip_prefix('=') else { break };
        let length = match value.strip_prefix('"') {
            Some(quoted) => quoted.find('"').map_or(value.len(), |close| close + 2),
            None => value.find([',', ' ', '"', '\'', '\n']).unwrap_or(value.len()),
        };
        end += name + 1 + length;
        let next = text[end..].strip_prefix(',').map(|rest| rest.trim_start_matches(' '));
        match next {
            Some(next) if next.contains('=') => end = text.len() - next.len(),
            _ => break,
        }
    }
    (end > start).then_some(start..end)
}
