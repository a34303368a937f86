//! Which classes of bytes a text has: most texts have none of those that a closer look would begin with.

/// Stands between a key and its value, or begins the sign among those that is not ASCII.
pub(crate) const ASSIGNMENT: u8 = 1;
/// Begins an escape.
pub(crate) const ESCAPE: u8 = 1 << 1;
/// Is in what bearer tokens, JWTs and private keys begin with, and in few short texts.
pub(crate) const PATTERN_START: u8 = 1 << 2;
/// Begins a card number.
pub(crate) const CARD_START: u8 = 1 << 3;
/// Is, or begins, a letter that may be a capital.
pub(crate) const UPPERCASE: u8 = 1 << 4;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < classes.len() {
        classes[byte] = match byte as u8 {
            b'=' | b':' | b'>' | b'|' | b'\t' | b'\n' => ASSIGNMENT,
            b'%' | b'\\' => ESCAPE,
            b'b' => PATTERN_START,
            b'B' | b'J' => PATTERN_START | UPPERCASE,
            b'2'..=b'6' => CARD_START,
            b'A'..=b'Z' => UPPERCASE,
            0xef => ASSIGNMENT | UPPERCASE,
            0x80.. => UPPERCASE,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// The classes of its bytes.
#[inline]
pub(crate) fn byte_classes(text: &[u8]) -> u8 {
    text.iter().fold(0, |classes, byte| classes | CLASSES[usize::from(*byte)])
}
