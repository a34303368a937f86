//! What JSON is made of, told without reading it as a value.

/// Where the plain bytes of a string end that are here: at a quote, a backslash, a control character or the end.
pub(super) fn after_plain(text: &[u8], mut at: usize) -> usize {
    // The bytes of a word at once: of a byte that is 0 the borrow is seen in its highest bit, and in those above it.
    const LOW: u64 = u64::MAX / 0xff;
    const HIGH: u64 = LOW << 7;
    let below = |word: u64, limit: u8| word.wrapping_sub(LOW * u64::from(limit)) & !word & HIGH;
    let mut rest = text.get(at..).unwrap_or_default();
    while let Some(bytes) = rest.first_chunk() {
        let word = u64::from_le_bytes(*bytes);
        let quotes = below(word ^ (LOW * u64::from(b'"')), 1);
        let backslashes = below(word ^ (LOW * u64::from(b'\\')), 1);
        let others = quotes | backslashes | below(word, b' ');
        if others != 0 {
            return at + (others.trailing_zeros() / 8) as usize;
        }
        at += bytes.len();
        rest = &rest[bytes.len()..];
    }
    let is_other = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    rest.iter().position(is_other).map_or(text.len(), |length| at + length)
}

/// Whether this is a number or a literal as JSON has them.
pub(super) fn is_scalar(text: &[u8]) -> bool {
    matches!(text, b"true" | b"false" | b"null") || is_number(text)
}

fn is_number(text: &[u8]) -> bool {
    let rest = text.strip_prefix(b"-").unwrap_or(text);
    let rest = match rest {
        [b'0', rest @ ..] => Some(rest),
        rest => after_digits(rest),
    };
    let fraction = |rest: &[u8]| -> Option<usize> {
        match rest {
            [b'.', decimals @ ..] => after_digits(decimals).map(<[u8]>::len),
            rest => Some(rest.len()),
        }
    };
    let Some(rest) = rest else { return false };
    let Some(left) = fraction(rest) else { return false };
    match &rest[rest.len() - left..] {
        [] => true,
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            after_digits(exponent).is_some_and(<[u8]>::is_empty)
        }
        _ => false,
    }
}

/// What follows the digits that a text begins with, if it does.
fn after_digits(text: &[u8]) -> Option<&[u8]> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (length > 0).then_some(&text[length..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_goes_on_to_its_quote_escape_or_control_character() {
        for length in 0..40 {
            for plain in ["p", " ", "!", "#", "[", "]", "\u{7f}", "\u{a2}", "\u{dc}", "\u{3fff}"] {
                let before = plain.repeat(length);
                for end in ["\"", "\\", "\n", "\0", "\x1f"] {
                    let text = format!("{before}{end}{end}{plain}\"\0\\");
                    for from in 0..=length {
                        assert_eq!(after_plain(text.as_bytes(), from), before.len(), "{text:?}");
                    }
                }
                assert_eq!(after_plain(before.as_bytes(), 0), before.len());
            }
        }
    }

    #[test]
    fn scalars_are_those_that_a_parser_reads() {
        let mut texts = vec![Vec::new()];
        for _ in 0..5 {
            let longer = texts.iter().flat_map(|text: &Vec<u8>| b"01-+.eE".iter().map(|c| [text, &[*c][..]].concat()));
            texts = [texts.clone(), longer.collect()].concat();
            texts.sort();
            texts.dedup();
        }
        texts.extend(
            ["true", "false", "null", "True", "nul", "truee", "NaN", "-", "1e309", "-0.10E-07"].map(Into::into),
        );
        for text in texts {
            let read = serde_json::from_slice::<serde::de::IgnoredAny>(&text).is_ok();
            assert_eq!(is_scalar(&text), read, "{}", String::from_utf8_lossy(&text));
        }
    }
}
