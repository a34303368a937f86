//! What a redaction replaced: the ranges of the input that its output does not show.

use std::ops::Range;

use crate::placeholder::REDACTED;
use crate::pseudonyms::Pseudonyms;

/// The ranges of `input` that [`placeholders`] stand for in `shown`, in order. `None` if `shown` is not `input` with ranges
/// replaced: a withheld body, or JSON in a string that was written again.
///
/// A placeholder may bring quotes, as in place of a number. Where a text fits in several places the first one counts, so
/// that each range is as short as possible.
pub(crate) fn replaced_ranges(input: &str, shown: &str) -> Option<Vec<Range<usize>>> {
    let mut at = 0;
    let mut pieces = Vec::new();
    for placeholder in placeholders(shown) {
        pieces.push(&shown[at..placeholder.start]);
        at = placeholder.end;
    }
    pieces.push(&shown[at..]);
    let mut pieces = pieces.into_iter().peekable();
    let mut ranges = Vec::new();
    let mut start = 0;
    let mut brings_quotes = false;
    let mut is_first = true;
    while let Some(piece) = pieces.next() {
        let piece = if brings_quotes { &piece[1..] } else { piece };
        let Some(next) = pieces.peek() else {
            let end = input.len().checked_sub(piece.len()).filter(|end| *end >= start && input.ends_with(piece))?;
            if is_first {
                return (end == 0).then_some(ranges);
            }
            ranges.push(start..end);
            return Some(ranges);
        };
        // The input shows whether the quotes around the placeholder are its own.
        let may_bring_quotes = piece.ends_with('"') && next.starts_with('"');
        let unquoted = if may_bring_quotes { &piece[..piece.len() - 1] } else { piece };
        let at = if is_first { input.starts_with(unquoted).then_some(0) } else { input[start..].find(unquoted) }?;
        let end = start + at;
        if !is_first {
            ranges.push(start..end);
        }
        is_first = false;
        start = end + unquoted.len();
        brings_quotes = may_bring_quotes && !input[start..].starts_with('"');
        start += usize::from(may_bring_quotes && !brings_quotes);
    }
    None
}

/// The places of [`REDACTED`] and of pseudonyms in an output.
pub(crate) fn placeholders(shown: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = shown[from..].find(['[', '~']) {
        let start = from + at;
        let rest = &shown[start..];
        let length = if rest.starts_with(REDACTED) { Some(REDACTED.len()) } else { Pseudonyms::token_length(rest) };
        from = start + length.unwrap_or(1);
        found.extend(length.map(|_| start..from));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced<'a>(input: &'a str, shown: &str) -> Option<Vec<&'a str>> {
        Some(replaced_ranges(input, shown)?.into_iter().map(|range| &input[range]).collect())
    }

    #[test]
    fn replaced_parts_are_found_in_order() {
        assert_eq!(replaced("a=1&b=2", "a=1&b=2").expect("is equal"), [""; 0]);
        assert_eq!(replaced("a=1&b=2&c", "a=[redacted]&b=[redacted]&c").expect("fits"), ["1", "2"]);
        assert_eq!(replaced("x", "[redacted]").expect("fits"), ["x"]);
        assert_eq!(replaced("xy z", "[redacted] [redacted]").expect("fits"), ["xy", "z"]);
        assert_eq!(replaced(r#"{"a":"b"}"#, r#"{"a":"[redacted]"}"#).expect("fits"), ["b"]);
    }

    #[test]
    fn quotes_of_a_placeholder_are_not_of_the_input() {
        let shown = r#"{"pin":"[redacted]","a":1,"otp":"[redacted]","card":"[redacted]"}"#;
        assert_eq!(
            replaced(r#"{"pin":4711,"a":1,"otp":"12","card":[1]}"#, shown).expect("fits"),
            ["4711", "12", "[1]"]
        );
    }

    #[test]
    fn a_text_that_was_written_again_has_no_ranges() {
        assert_eq!(replaced("a", "b"), None);
        assert_eq!(replaced("token=x", "[withheld]"), None);
        assert_eq!(replaced("a=x;b", "a=[redacted];c"), None);
    }
}
