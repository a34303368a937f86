//! Secrets in XML and HTML: the content of a sensitive element, and the value beside a sensitive name.

use std::ops::Range;

use super::searched::Searched;
use super::value::{self, quoted};
use crate::vocabulary::{NAMES, VALUES};

/// The most bytes between a name and its value.
const MAX_DISTANCE: usize = 200;
/// The most bytes of an element's content.
const MAX_ELEMENT: usize = 16 * 1024;
/// The most bytes of a tag that are searched.
const MAX_TAG: usize = 2000;

pub(super) fn find(searched: &Searched<'_>, names: &[Range<usize>], found: &mut Vec<Range<usize>>) {
    let text = searched.text;
    let may_be_markup = text.contains('<');
    let mut done = 0;
    for name in names {
        if name.end <= done {
            continue;
        }
        let before = found.len();
        if may_be_markup {
            found.extend(element(searched, name));
            attributes(searched, name, found);
            found.extend(next_element(text, name));
        }
        if found.len() == before {
            found.extend(named_value(text, name));
        }
        done = found[before..].iter().map(|range| range.end).fold(done, usize::max);
    }
}

/// The content of the element whose name this is.
fn element(searched: &Searched<'_>, name: &Range<usize>) -> Option<Range<usize>> {
    let text = searched.text;
    let before = text[..name.start].trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == ':');
    let prefix = &text[before.len()..name.start];
    if !before.ends_with('<') || !(prefix.is_empty() || prefix.ends_with(':')) {
        return None;
    }
    let open = name.end + tag_end(&text[name.end..])?;
    if text[..open].ends_with('/') {
        return None;
    }
    let start = open + 1;
    let close = format!("</{prefix}{}", &text[name.clone()]);
    let rest = &text[start..text.floor_char_boundary(start.saturating_add(MAX_ELEMENT))];
    let end = match find_ignoring_case(rest, &close) {
        Some(end) => end,
        None if start + rest.len() < text.len() => rest.len(),
        // A placeholder in prose, such as `<password>`, is no element.
        None if !searched.partial && !rest.contains("</") => return None,
        None => rest.find(['<', '\n']).unwrap_or(rest.len()),
    };
    (!rest[..end].trim().is_empty()).then_some(start..start + end)
}

/// The position of the `>` that closes a tag.
fn tag_end(text: &str) -> Option<usize> {
    let end = text.len().min(MAX_TAG);
    text.as_bytes()[..end].iter().position(|byte| *byte == b'>').filter(|at| !text.as_bytes()[..*at].contains(&b'<'))
}

fn find_ignoring_case(text: &str, what: &str) -> Option<usize> {
    text.match_indices("</")
        .map(|(at, _)| at)
        .find(|at| text.as_bytes()[*at..].get(..what.len()).is_some_and(|it| it.eq_ignore_ascii_case(what.as_bytes())))
}

/// The attributes with a value in the tag in which the name is the value of another attribute.
fn attributes(searched: &Searched<'_>, name: &Range<usize>, found: &mut Vec<Range<usize>>) {
    let text = searched.text;
    let from = text.floor_char_boundary(name.start.saturating_sub(MAX_TAG));
    let Some(open) = text[from..name.start].rfind('<').map(|at| from + at) else { return };
    let inside = &text[open + 1..name.start];
    let is_attribute = inside.trim_end_matches(['"', '\'']).ends_with('=');
    if inside.contains('>') || !inside.starts_with(|c: char| c.is_ascii_alphabetic()) || !is_attribute {
        return;
    }
    let end = tag_end(&text[name.end..]).map_or(text.len(), |end| name.end + end);
    for attribute in ["value", "content"] {
        for (at, _) in text[open..end].match_indices(attribute) {
            let sign = open + at + attribute.len();
            let is_name = text[..open + at].ends_with(char::is_whitespace);
            if let Some(rest) = text[sign..].strip_prefix('=').filter(|_| is_name) {
                let start = text.len() - rest.len();
                let value = quoted(text, start).unwrap_or_else(|| {
                    start..start + rest.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(rest.len())
                });
                found.push(value.start..value.end.min(text.len()));
            }
        }
    }
}

/// The content of the element after the one that contains the name: `<key>password</key><string>…</string>`.
fn next_element(text: &str, name: &Range<usize>) -> Option<Range<usize>> {
    let after = text[name.end..].strip_prefix("</").filter(|_| text[..name.start].ends_with('>'))?;
    let tag_length = after.find('>').filter(|length| *length <= MAX_DISTANCE)?;
    let tag = after[..tag_length].rsplit(':').next()?;
    if !NAMES.iter().chain(&["th", "td", "dt"]).any(|known| tag.eq_ignore_ascii_case(known)) {
        return None;
    }
    let next = after[tag_length + 1..].trim_start();
    let start_tag = next.strip_prefix('<').filter(|rest| !rest.starts_with('/'))?;
    let start = text.len() - start_tag.len() + start_tag.find('>')? + 1;
    let length = text[start..].find("</").unwrap_or(text.len() - start);
    (length > 0).then_some(start..start + length)
}

/// The value that follows a name in the same object: `name: DB_PASSWORD, value: …`.
fn named_value(text: &str, name: &Range<usize>) -> Option<Range<usize>> {
    let before = text[..name.start].trim_end_matches([' ', '"', '\'', '\\']);
    let before = before.strip_suffix([':', '=']).or_else(|| before.strip_suffix("=>"))?;
    let before = before.trim_end_matches([' ', '"', '\'', '\\']);
    let key = &before[before.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_').len()..];
    if !NAMES.iter().any(|known| key.eq_ignore_ascii_case(known)) {
        return None;
    }
    let skipped = |c: char| c.is_whitespace() || ",;\"'\\-".contains(c);
    let rest = text[name.end..].trim_start_matches(skipped);
    let value = VALUES.iter().find(|value| rest.get(..value.len()).is_some_and(|it| it.eq_ignore_ascii_case(value)))?;
    let sign = rest[value.len()..].trim_start_matches([' ', '"', '\'', '\\']);
    let after = sign.strip_prefix([':', '=']).map(|after| after.strip_prefix('>').unwrap_or(after))?;
    let after = after.trim_start_matches([' ', '\t']);
    value::at(text, text.len() - after.len())
}
