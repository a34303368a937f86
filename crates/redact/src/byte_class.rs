//! Classes of bytes: most texts contain no byte that a full search would start at, so the search is skipped.

/// Separates a key from its value or quotes a value, or is the first byte of such a character. Every value of a key but the
/// argument of a flag has one.
pub(crate) const ASSIGNMENT: u8 = 1;
/// Starts an escape sequence.
pub(crate) const ESCAPE: u8 = 1 << 1;
/// Occurs in the mark of every pattern with a mark. Card numbers and social security numbers have none.
pub(crate) const PATTERN_START: u8 = 1 << 2;
/// Starts a card number.
pub(crate) const CARD_START: u8 = 1 << 3;
/// Is an uppercase letter, or the first byte of a non-ASCII character that may be one.
pub(crate) const UPPERCASE: u8 = 1 << 4;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < classes.len() {
        classes[byte] = match byte as u8 {
            b'=' => ASSIGNMENT | PATTERN_START,
            b'"' => ASSIGNMENT | PATTERN_START,
            b'\'' | b'`' => ASSIGNMENT,
            b':' | b'>' | b'|' | b'\t' | b'\n' => ASSIGNMENT,
            b'%' | b'\\' | b'&' => ESCAPE,
            b'b' | b'_' | b'-' | b'.' => PATTERN_START,
            b'A' | b'B' | b'J' | b'K' => PATTERN_START | UPPERCASE,
            b'2'..=b'6' => CARD_START,
            b'A'..=b'Z' => UPPERCASE,
            0xc2 | 0xe2 | 0xef => ASSIGNMENT | UPPERCASE,
            0x80.. => UPPERCASE,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// The union of the classes of all bytes.
#[inline]
pub(crate) fn byte_classes(text: &[u8]) -> u8 {
    text.iter().fold(0, |classes, byte| classes | CLASSES[usize::from(*byte)])
}
