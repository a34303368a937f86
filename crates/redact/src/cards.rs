//! Payment card numbers: 13 to 19 digits with a known first digit and a valid check digit, together or in groups.

use std::ops::Range;

const MIN_CARD_DIGITS: usize = 13;
const MAX_CARD_DIGITS: usize = 19;
/// In a group after the first.
const MAX_GROUP_DIGITS: usize = 7;
/// The leading digits of a card number that may be shown (PCI DSS 3.4): they identify the bank, not the account.
const MAX_SHOWN_DIGITS: usize = 6;

/// The card numbers of a text, some of which may overlap. If `strict`, each must not be part of a longer word or
/// number.
pub(crate) fn find_cards(text: &[u8], partial: bool, strict: bool) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(next) = text[at..].iter().position(u8::is_ascii_digit) {
            let start = at + next;
            at = start + digits(&text[start..]).count();
            if let Some(end) = card_end(text, start, partial, strict) {
                return Some(start..end);
            }
        }
        None
    })
}

/// The end of the longest card number that starts here, at the start of a group of digits.
#[inline]
pub(crate) fn card_end(text: &[u8], start: usize, partial: bool, strict: bool) -> Option<usize> {
    if !matches!(text[start], b'2'..=b'6') || strict && !may_start_card(text, start) {
        return None;
    }
    // Most other numbers are shorter, or contain another separator, as dates with times do.
    let may_be_one = match text.get(start..start + MIN_CARD_DIGITS) {
        Some(least) => least.iter().all(|byte| byte.is_ascii_digit() || is_separator(*byte)),
        None => partial,
    };
    if !may_be_one {
        return None;
    }
    let first = digits(&text[start..]).take(MAX_CARD_DIGITS + 1).count();
    let mut length = first;
    let mut end = start + first;
    let mut found = None;
    while length <= MAX_CARD_DIGITS {
        let next = next_group(text, end);
        // A partial text that ends with a separator may continue with another group.
        let after = if next.is_none() && end + 1 == text.len() && is_separator(text[end]) { end + 1 } else { end };
        if partial && after == text.len() && length > MAX_SHOWN_DIGITS {
            found = Some(after);
        } else if length >= MIN_CARD_DIGITS && (!strict || may_end_card(text, end)) && passes_luhn(&text[start..end]) {
            found = Some(end);
        }
        let Some(next) = next else { break };
        // Cards are printed as 4-4-4-4, 4-6-5 or 4-4-4-4-3.
        let count = digits(&text[next..]).take(MAX_GROUP_DIGITS + 1).count();
        if first != 4 || count > MAX_GROUP_DIGITS {
            break;
        }
        length += count;
        end = next + count;
    }
    found
}

fn digits(text: &[u8]) -> impl Iterator<Item = &u8> {
    text.iter().take_while(|byte| byte.is_ascii_digit())
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.')
}

/// The start of the next group of digits, if exactly one separator follows the group that ends here.
fn next_group(text: &[u8], end: usize) -> Option<usize> {
    let is_separated = matches!(text[end..], [separator, b'0'..=b'9', ..] if is_separator(separator));
    is_separated.then_some(end + 1)
}

/// Whether a card number may start here: not inside a word, and not as the decimals of a number.
fn may_start_card(text: &[u8], start: usize) -> bool {
    match text[..start] {
        [.., before, b'.'] => !before.is_ascii_digit(),
        [.., before] => !before.is_ascii_alphabetic(),
        [] => true,
    }
}

fn may_end_card(text: &[u8], end: usize) -> bool {
    match text[end..] {
        [b'.', after, ..] => !after.is_ascii_digit(),
        [after, ..] => !after.is_ascii_alphabetic(),
        [] => true,
    }
}

/// Whether the digits of a text have a valid check digit (Luhn, ISO/IEC 7812).
fn passes_luhn(text: &[u8]) -> bool {
    /// The digit sum of each doubled digit.
    const DOUBLED: [u8; 10] = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];
    let mut sum = 0;
    let mut is_doubled = false;
    for digit in text.iter().rev().filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0') {
        sum += if is_doubled { DOUBLED[usize::from(digit)] } else { digit };
        is_doubled = !is_doubled;
    }
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::MAX_SHOWN_DIGITS;
    use crate::patterns::{PatternFinder, Patterns};

    fn shown(text: &str) -> String {
        PatternFinder::new(Patterns::default()).redact(text, false).into_owned()
    }

    fn cut(text: &str) -> String {
        PatternFinder::new(Patterns::default()).redact(text, true).into_owned()
    }

    #[test]
    fn card_numbers_are_redacted() {
        for card in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "4111.1111.1111.1111",
            "378282246310005",
            "3782 822463 10005",
            "30569309025904",
            "3056 930902 5904",
            "6011000990139424",
            "2223003122003222",
            "6304000000000000",
            "4222222222222",
        ] {
            assert_eq!(shown(card), "[redacted]", "{card}");
            assert_eq!(
                shown(&format!("on 2026-11-22 {card}, 12.5 paid")),
                "on 2026-11-22 [redacted], 12.5 paid",
                "{card}"
            );
            for end in 0..card.len() {
                let shown = cut(&card[..end]);
                let digits = shown.bytes().filter(u8::is_ascii_digit).count();
                assert!(digits <= MAX_SHOWN_DIGITS, "{shown} of {card}");
            }
        }
        assert_eq!(shown("card 4111 1111 1111 1111 123."), "card [redacted] 123.");
    }

    #[test]
    fn other_numbers_are_not_redacted() {
        for number in [
            "4111111111111112",
            "1732305600000",
            "1732305600000000",
            "0.4111111111111111",
            "4111111111111111.5",
            "01a4111111111111111",
            "41111111111111111111",
            "4-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1",
            "4111  1111  1111  1111",
            "01a20497-2e54-7036-97b5-a1c884441021",
        ] {
            assert_eq!(shown(number), number);
        }
    }
}
