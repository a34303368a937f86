//! Blocks of private keys: PEM and PGP.

use std::ops::Range;

use memchr::memmem;

/// A search for the ends of blocks that continues from one mark to the next.
#[derive(Default)]
pub(super) struct BlockEnds {
    end: Option<usize>,
    words: Option<usize>,
}

impl BlockEnds {
    /// The position after the next `END … PRIVATE KEY`, or the end of the text.
    fn after(&mut self, text: &[u8], at: usize) -> usize {
        let next = |known: Option<usize>, from: usize, what: &[u8]| match known {
            Some(known) if known >= from => known,
            _ => memmem::find(&text[from..], what).map_or(text.len(), |at| from + at),
        };
        let end = next(self.end, at, b"END ");
        self.end = Some(end);
        let words = next(self.words, end, b"PRIVATE KEY");
        self.words = Some(words);
        if words == text.len() { words } else { words + b"PRIVATE KEY".len() }
    }
}

/// From the dashes before `BEGIN` to those after `END`, or to the end of the text.
// Rarely called, and large: inlining it makes the search for the other patterns 3 % slower.
#[inline(never)]
pub(super) fn private_key(text: &[u8], words: Range<usize>, ends: &mut BlockEnds) -> Option<Range<usize>> {
    /// The longest known prefix, `-----BEGIN SSH2 ENCRYPTED `, and a margin.
    const MAX_PREFIX: usize = 48;
    let line = &text[words.start.saturating_sub(MAX_PREFIX)..words.start];
    let begin = memmem::rfind(line, b"BEGIN ")?;
    if !line[begin + b"BEGIN ".len()..].iter().all(|byte| byte.is_ascii_uppercase() || b"0123456789 ".contains(byte)) {
        return None;
    }
    let begin = words.start - line.len() + begin;
    let lead = text[..begin].strip_suffix(b" ").unwrap_or(&text[..begin]);
    let dashes = lead.iter().rev().take_while(|byte| **byte == b'-').count();
    let start = if dashes == 0 { begin } else { lead.len() - dashes };
    let mut end = ends.after(text, words.end);
    end += text[end..].strip_prefix(b" BLOCK").map_or(0, |_| b" BLOCK".len());
    end += text[end..].iter().take_while(|byte| **byte == b'-').count();
    Some(start..end)
}

#[cfg(test)]
mod tests {
    use crate::patterns::{PatternFinder, Patterns};

    #[test]
    fn private_keys_are_redacted() {
        let finder = PatternFinder::new(Patterns::default());
        let shown = |text: &str| finder.redact(text, false).into_owned();
        let block = |kind: &str| format!("-----BEGIN {kind}-----\nMIIEow\nx==\n-----END {kind}-----");
        for kind in ["PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"] {
            assert_eq!(shown(&format!("a {}\nb", block(kind))), "a [redacted]\nb", "{kind}");
        }
        assert_eq!(shown("-----BEGIN EC PRIVATE KEY-----\nMIIEow"), "[redacted]");
        assert_eq!(shown("a private key"), "a private key");
        assert_eq!(shown(&block("PUBLIC KEY")), block("PUBLIC KEY"));
    }
}
