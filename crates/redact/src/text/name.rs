//! Names in a text that contain a sensitive key: `access_token_v2`, `user[password]`.

use std::ops::Range;

use super::searched::Searched;

/// The most characters of a name around its sensitive words.
const MAX_LENGTH: usize = 200;

/// The names around the sensitive keys of a text, in order, without those that only describe a secret.
pub(super) fn all(searched: &Searched<'_>) -> Vec<Range<usize>> {
    let mut names: Vec<Range<usize>> = Vec::new();
    let mut done = 0;
    for key in searched.occurrences {
        if key.end > done
            && let Some(name) = around(searched, key)
        {
            done = name.end;
            names.push(name);
        }
    }
    names
}

fn around(searched: &Searched<'_>, key: &Range<usize>) -> Option<Range<usize>> {
    let text = searched.text;
    let is_part = |c: &char| c.is_alphanumeric() || "_-.[]$".contains(*c);
    let before: usize = text[..key.start].chars().rev().take(MAX_LENGTH).take_while(is_part).map(char::len_utf8).sum();
    let after: usize = text[key.end..].chars().take(MAX_LENGTH).take_while(is_part).map(char::len_utf8).sum();
    let mut range = key.start - before..key.end + after;
    // A bracket around the name is not a part of it, except in `user[password]`.
    let name = &text[range.clone()];
    if name.matches(']').count() > name.matches('[').count() {
        range.end = range.start + name.rfind(']').unwrap_or(name.len());
    }
    let name = text[range.clone()].trim_end_matches(['.', '-']);
    range.end = (range.start + name.len()).max(key.end);
    (range == *key || searched.keys.is_sensitive(&text[range.clone()])).then_some(range)
}
