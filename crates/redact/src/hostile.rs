//! What is never shown as it is: characters that forge a line or control a terminal, and supervisord's event mark.

/// Whether a character is shown as an escape: it controls a terminal, ends a line, or turns the reading direction.
pub fn is_hostile(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        | '\u{feff}')
}

/// What follows `<` in the mark that supervisord looks for in a child's output.
const SUPERVISOR_MARK: &str = "!--XSUPERVISOR";

/// Whether a text begins with supervisord's mark.
pub(crate) fn has_supervisor_mark(text: &str) -> bool {
    text.strip_prefix('<').is_some_and(|rest| rest.starts_with(SUPERVISOR_MARK))
}

/// Whether a byte is shown as it is. Of those that are not ASCII some begin a hostile character.
pub(crate) const fn is_plain(byte: u8) -> bool {
    // Without a short cut between the tests, so that the compiler does them on a whole chunk at once.
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
