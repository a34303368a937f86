//! Credentials after `Basic`, `Digest` and `_auth=`. Those after `Bearer` are a pattern.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::searched::Searched;
use super::value;

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
    for (scheme, end) in SCHEME_ENDS.iter() {
        for at in end.find_iter(text.as_bytes()).filter_map(|at| at.checked_sub(1)) {
            let is_scheme = text.get(at..at + scheme.len()).is_some_and(|word| word.eq_ignore_ascii_case(scheme));
            if !is_scheme || text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let after = at + scheme.len();
            let start = after + blank(&text[after..]);
            if start > after {
                found.extend(if *scheme == "basic" { basic(searched, start) } else { digest(text, start) });
            }
        }
    }
}

/// The schemes, each with a search for its letters after the first, which may be a capital.
static SCHEME_ENDS: LazyLock<[(&str, Finder<'static>); 4]> = LazyLock::new(|| {
    [("basic", "asic"), ("basic", "ASIC"), ("digest", "igest"), ("digest", "IGEST")]
        .map(|(scheme, end)| (scheme, Finder::new(end)))
});

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
