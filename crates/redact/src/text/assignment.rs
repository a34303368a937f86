//! Values that a text assigns to a sensitive key: `password=…`, `"token": …`, `--api-key …`, `password '…'`.

use std::ops::Range;

use super::searched::Searched;
use super::value::{self, line_length, quoted};
use crate::sentence;

/// The most bytes of white space after a name.
const MAX_SKIPPED: usize = 200;

pub(super) fn find(searched: &Searched<'_>, names: &[Range<usize>], found: &mut Vec<Range<usize>>) {
    let text = searched.text;
    let mut done = 0;
    for name in names {
        // What is redacted already is not searched again.
        if name.end <= done {
            continue;
        }
        let value = assigned(text, name);
        // A value such as `password:` is a key itself.
        done = value
            .as_ref()
            .map_or(done, |value| if text[..value.end].ends_with([':', '=']) { name.end } else { value.end });
        found.extend(value);
    }
}

/// The value that a text assigns to a name.
fn assigned(text: &str, name: &Range<usize>) -> Option<Range<usize>> {
    // The user name of a URL, whose password another rule finds.
    if text[..name.start].ends_with("//") {
        return None;
    }
    let end = name.end;
    let closed = end + closers_length(&text[end..]);
    let is_quoted = closed > end;
    let space = blank_length(&text[closed..], is_quoted);
    let at = closed + space;
    let rest = &text[at..];
    match sign(rest) {
        Some(length) => after_sign(text, name, at + length, is_quoted),
        None if space > 0 => next_to(text, name, at),
        None => None,
    }
}

/// The length of what closes a name: quotes, brackets, marks of emphasis and a tag.
fn closers_length(text: &str) -> usize {
    let marks = text.bytes().take(4).take_while(|byte| b"\"'`])*".contains(byte)).count();
    let tag = text[marks..].strip_prefix("</").and_then(|tag| tag.find('>').filter(|length| *length <= 20));
    marks + tag.map_or(0, |length| "</>".len() + length)
}

/// The length of the sign that assigns a value.
fn sign(text: &str) -> Option<usize> {
    if text.starts_with("::") || text.starts_with("://") {
        return None;
    }
    ["=>", ":=", "===", "==", "=", ":", "：", "＝"].into_iter().find(|sign| text.starts_with(sign)).map(str::len)
}

fn blank_length(text: &str, lines: bool) -> usize {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t') || lines && matches!(byte, b'\n' | b'\r');
    text.bytes().take(MAX_SKIPPED).take_while(is_blank).count()
}

fn after_sign(text: &str, name: &Range<usize>, after: usize, is_quoted: bool) -> Option<Range<usize>> {
    let start = after + text[after..].bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let rest = &text[start..];
    if is_line_header(&text[name.clone()]) {
        return header_value(text, name, start);
    }
    let first = rest.chars().next()?;
    if let Some(tag) = rest.strip_prefix('<').filter(|tag| tag.starts_with(|c: char| c.is_ascii_alphabetic())) {
        let from = start + 1 + tag.find('>')? + 1;
        return text[from..].find("</").filter(|length| *length > 0).map(|length| from..from + length);
    }
    if let ('|' | '>', Some(line)) = (first, rest.find('\n'))
        && rest[1..line].trim().bytes().all(|byte| b"+-".contains(&byte) || byte.is_ascii_digit())
    {
        return block(text, name, start + line + 1);
    }
    if matches!(first, '\n' | '\r') {
        let next = start + rest.len() - rest.trim_start().len();
        let is_value = quoted(text, next).is_some() || text[next..].starts_with(['{', '[']) || is_quoted;
        return if is_value { value::at(text, next) } else { block(text, name, next_line(text, start)) };
    }
    value::at(text, start)
}

/// Whether the value of this name is the rest of its line.
fn is_line_header(name: &str) -> bool {
    let name = name.trim_start_matches(|c: char| !c.is_alphanumeric());
    ["cookie", "set-cookie"].iter().any(|header| name.eq_ignore_ascii_case(header))
}

/// The value of a header, which may contain spaces and separators: to the quote around it, or to the end of the line.
fn header_value(text: &str, name: &Range<usize>, start: usize) -> Option<Range<usize>> {
    if let Some(inside) = quoted(text, start) {
        return Some(inside);
    }
    let word = text[start..].split(char::is_whitespace).next().unwrap_or_default();
    if sentence::is_sentence(word, &text[start + word.len()..]) {
        return None;
    }
    // The attributes of a cookie that is set are data.
    let sets = text[name.clone()].to_ascii_lowercase().contains("set");
    let length = line_length(&text[start..]);
    let length = text[start..start + length].find(';').filter(|_| sets).unwrap_or(length);
    let around = text[..name.start].chars().next_back().filter(|c| "\"'`".contains(*c));
    let length = around.and_then(|quote| text[start..start + length].find(quote)).unwrap_or(length);
    (length > 0).then_some(start..start + length)
}

fn next_line(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |line| at + line + 1)
}

/// The lines from `start` that are indented more than the line of the name, or are items of its list.
fn block(text: &str, name: &Range<usize>, start: usize) -> Option<Range<usize>> {
    let line = text[..name.start].rfind('\n').map_or(0, |at| at + 1);
    let indent = indent_of(&text[line..name.start]);
    let mut end = start;
    for line in text[start..].split_inclusive('\n') {
        let is_item = line.trim_start().starts_with("- ") && indent_of(line) >= indent;
        let is_inside = line.trim().is_empty() || indent_of(line) > indent || is_item;
        if !is_inside {
            break;
        }
        end += line.len();
    }
    let from = start + indent_of(&text[start..end]);
    let value = text[from.min(end)..end].trim_end();
    if !value.is_empty() {
        return Some(from..from + value.len());
    }
    // `Password:` above its value.
    let next = &text[start..next_line(text, start)];
    let word = next.split_whitespace().next()?;
    let assigns = next.contains(['=', ':', '<', '{', '[']);
    let is_prose = sentence::is_sentence_word(word) || next.split_whitespace().count() > 3;
    (!assigns && !is_prose).then(|| start..start + next.trim_end().len())
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

/// A value without a sign: what is quoted right after the name, or the argument of a flag.
fn next_to(text: &str, name: &Range<usize>, at: usize) -> Option<Range<usize>> {
    let rest = &text[at..];
    if rest.starts_with(['"', '\'', '`', '“', '‘', '«']) || rest.starts_with("\\\"") || rest.starts_with("\\'") {
        return quoted(text, at).filter(|range| !range.is_empty());
    }
    let is_flag = text[name.clone()].starts_with("--") && !rest.starts_with(['-', '\n', '\r', '[', '<']);
    let value = is_flag.then(|| value::at(text, at)).flatten()?;
    let is_word = sentence::is_sentence_word(&text[value.clone()])
        || ["flag", "option", "argument"].contains(&&text[value.clone()]);
    (!is_word).then_some(value)
}
