//! Characters that are never written unescaped: those that forge a line or control a terminal, and supervisord's event
//! mark.

/// Whether a character must be escaped: it controls a terminal, ends a line, or changes the text direction.
pub fn is_hostile(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        | '\u{feff}')
}

/// The mark that supervisord looks for in a child's output, without its `<`.
const SUPERVISOR_MARK: &str = "!--XSUPERVISOR";

/// Whether a text begins with supervisord's mark.
pub(crate) fn has_supervisor_mark(text: &str) -> bool {
    text.strip_prefix('<').is_some_and(|rest| rest.starts_with(SUPERVISOR_MARK))
}

/// Whether a byte is written unescaped. Some non-ASCII bytes are the first byte of a hostile character.
pub(crate) const fn is_plain(byte: u8) -> bool {
    // `&` instead of `&&`, so that the compiler can vectorize the tests.
    (byte >= b' ')
        & (byte != b'"')
        & (byte != b'\\')
        & (byte != b'<')
        & (byte != 0x7f)
        & (byte != 0xc2)
        & (byte != 0xd8)
        & (byte != 0xe2)
        & (byte != 0xef)
}
