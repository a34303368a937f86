//! Runs of bytes of one alphabet, each scanned once, so that a search takes linear time.

use std::ops::Range;

/// The alphabet of a token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Alphabet {
    /// `0-9A-Z`
    Upper,
    /// `0-9a-f`
    Hex,
    /// `0-9A-Za-z`
    Letters,
    /// and `_`
    Word,
    /// and `-`
    Url,
    /// and `.`
    Dotted,
    /// The letters, `_-+/=` and `%`, which escapes the last three in a URL.
    Base64,
    /// The letters, `_-+/`.
    Path,
    /// What may follow the word `Bearer`: the letters and `-._~+/%=`.
    Bearer,
}

impl Alphabet {
    const COUNT: usize = Self::Bearer as usize + 1;

    fn contains(self, byte: u8) -> bool {
        match self {
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            Self::Letters => byte.is_ascii_alphanumeric(),
            Self::Word => byte.is_ascii_alphanumeric() || byte == b'_',
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
            Self::Base64 => byte.is_ascii_alphanumeric() || b"_-+/=%".contains(&byte),
            Self::Path => byte.is_ascii_alphanumeric() || b"_-+/".contains(&byte),
            Self::Bearer => byte.is_ascii_alphanumeric() || b"-._~+/%=".contains(&byte),
        }
    }
}

/// The last run of each alphabet in a text.
#[derive(Default)]
pub(super) struct Runs {
    last: [Range<usize>; Alphabet::COUNT],
    /// The position of the last dot in the last run of [`Alphabet::Dotted`]; 0 if there is none.
    pub last_dot: usize,
}

impl Runs {
    /// The end of the run that contains this position. Positions must be in ascending order.
    pub(super) fn end(&mut self, text: &[u8], at: usize, alphabet: Alphabet) -> usize {
        let last = &mut self.last[alphabet as usize];
        if !last.contains(&at) {
            let length = text[at..].iter().take_while(|byte| alphabet.contains(**byte)).count();
            *last = at..at + length;
            if alphabet == Alphabet::Dotted {
                self.last_dot = text[last.clone()].iter().rposition(|byte| *byte == b'.').map_or(0, |dot| at + dot);
            }
        }
        last.end
    }
}
