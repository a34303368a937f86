//! Views of a text: itself, and with its percent and backslash escapes and HTML entities decoded. A range of a view has a range in the
//! text, so that a secret is replaced where it is written.

use std::borrow::Cow;
use std::ops::Range;

use crate::byte_class::{ESCAPE, byte_classes};

/// A text as one of its readers may see it.
pub(crate) struct View<'a> {
    pub text: Cow<'a, str>,
    /// The position in the source of each byte and of the end; `None` if they are equal.
    sources: Option<Vec<usize>>,
}

impl View<'_> {
    /// The range of the source that a range of this view stands for.
    pub(crate) fn source(&self, range: &Range<usize>) -> Range<usize> {
        match &self.sources {
            Some(sources) => sources[range.start]..sources[range.end],
            None => range.clone(),
        }
    }

    /// This view with its escapes decoded, if it has any.
    fn decoded<'a>(&self) -> Option<View<'a>> {
        let (bytes, positions) = decoded(&self.text)?;
        let mut text = String::with_capacity(bytes.len());
        let mut sources = Vec::with_capacity(bytes.len() + 1);
        let mut at = 0;
        let source = |position: usize| self.sources.as_ref().map_or(position, |sources| sources[position]);
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            sources.extend(positions[at..at + chunk.valid().len()].iter().map(|position| source(*position)));
            at += chunk.valid().len();
            if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
                sources.extend([source(positions[at]); char::REPLACEMENT_CHARACTER.len_utf8()]);
                at += chunk.invalid().len();
            }
        }
        sources.push(source(self.text.len()));
        Some(View { text: text.into(), sources: Some(sources) })
    }
}

/// The text, then the text decoded once, twice and three times, as long as there are escapes.
pub(crate) fn views(text: &str) -> impl Iterator<Item = View<'_>> {
    const MAX_DECODINGS: usize = 3;
    let first = View { text: Cow::Borrowed(text), sources: None };
    std::iter::successors(Some(first), View::decoded).take(1 + MAX_DECODINGS)
}

/// The bytes of a text with its escapes decoded, and the position of each byte in the text; `None` if it has no escapes.
fn decoded(text: &str) -> Option<(Vec<u8>, Vec<usize>)> {
    if byte_classes(text.as_bytes()) & ESCAPE == 0 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut positions = Vec::with_capacity(text.len());
    let text = text.as_bytes();
    let mut at = 0;
    let mut any = false;
    while at < text.len() {
        let length = match escape(&text[at..]) {
            Some((Escaped::Byte(byte), length)) => {
                bytes.push(byte);
                any = true;
                length
            }
            Some((Escaped::Char(c), length)) => {
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                any = true;
                length
            }
            None => {
                bytes.push(text[at]);
                1
            }
        };
        positions.resize(bytes.len(), at);
        at += length;
    }
    any.then_some((bytes, positions))
}

/// Whether the last bytes of a text may be an escape that stands for a separator of words.
pub(crate) fn may_be_escaped(text: &[u8]) -> bool {
    matches!(
        text,
        [.., b'\\', b'n' | b't' | b'r' | b'b' | b'f'] | [.., b'\\' | b'%'] | [.., b'%', _] | [.., b'%', _, _]
    )
}

enum Escaped {
    Byte(u8),
    Char(char),
}

/// The value and the length of the escape at the start of a text.
fn escape(text: &[u8]) -> Option<(Escaped, usize)> {
    let digits = |from: usize, count: usize| {
        let hex = text.get(from..from + count).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit))?;
        u32::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
    };
    let byte = |from: usize| digits(from, 2).and_then(|code| u8::try_from(code).ok()).map(Escaped::Byte);
    match text {
        [b'%', ..] => byte(1).map(|byte| (byte, 3)),
        [b'\\', b'x', ..] => byte(2).map(|byte| (byte, 4)),
        [b'\\', b'u', ..] => digits(2, 4).map(|code| (Escaped::Char(char::from_u32(code).unwrap_or(' ')), 6)),
        [b'\\', b'n', ..] => Some((Escaped::Byte(b'\n'), 2)),
        [b'\\', b't', ..] => Some((Escaped::Byte(b'\t'), 2)),
        [b'\\', b'r', ..] => Some((Escaped::Byte(b'\r'), 2)),
        [b'\\', b'b', ..] => Some((Escaped::Byte(0x8), 2)),
        [b'\\', b'f', ..] => Some((Escaped::Byte(0xc), 2)),
        [b'\\', c @ (b'"' | b'\'' | b'\\' | b'/'), ..] => Some((Escaped::Byte(*c), 2)),
        [b'&', ..] => {
            let entity = ENTITIES.iter().find(|(entity, _)| text.starts_with(entity.as_bytes()));
            entity.map(|(entity, byte)| (Escaped::Byte(*byte), entity.len()))
        }
        _ => None,
    }
}

/// The entities of HTML that stand for quotes and signs.
const ENTITIES: [(&str, u8); 8] = [
    ("&quot;", b'"'),
    ("&#34;", b'"'),
    ("&#x22;", b'"'),
    ("&apos;", b'\''),
    ("&#39;", b'\''),
    ("&#x27;", b'\''),
    ("&#61;", b'='),
    ("&amp;", b'&'),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_view_has_a_source() {
        let text = "a%2562%5Cu00e9c\\\"%ff!";
        let views: Vec<View<'_>> = views(text).collect();
        let read: Vec<&str> = views.iter().map(|view| &*view.text).collect();
        assert_eq!(read, [text, "a%62\\u00e9c\"\u{fffd}!", "ab\u{e9}c\"\u{fffd}!"]);
        for view in &views {
            assert_eq!(view.source(&(0..view.text.len())), 0..text.len());
            let c = view.text.find("c").expect("no view hides it");
            assert_eq!(&text[view.source(&(c..c + 1))], "c");
        }
        let last = &views[2];
        let b = last.text.find('b').expect("it is decoded twice");
        assert_eq!(&text[last.source(&(b..b + 1))], "%2562");
    }
}
