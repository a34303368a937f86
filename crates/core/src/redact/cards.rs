//! Card numbers: digits that begin and add up as those of payment cards do, together or in groups.

use std::ops::Range;

const SHORTEST_CARD: usize = 13;
const LONGEST_CARD: usize = 19;
/// The digits of a card number that anyone may be shown (PCI DSS 3.4): they name the bank, not the account.
const SHOWN_OF_CARD: usize = 6;

/// The card numbers of a text, some of which may overlap. Each stands by itself, unless its surroundings are not
/// `strict`ly what they will be.
pub(super) fn cards(text: &[u8], open: bool, strict: bool) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < text.len() {
            if !text[at].is_ascii_digit() {
                at += 1;
                continue;
            }
            let run = Run::at(text, at);
            at = run.end;
            if run.digits() > SHOWN_OF_CARD {
                return Some(run.cards(text, open, strict));
            }
        }
        None
    })
    .flatten()
}

/// Groups of digits with one separator between each.
struct Run {
    groups: Vec<Range<usize>>,
    /// After the last group, and after a separator there that the text ends with.
    end: usize,
}

impl Run {
    fn at(text: &[u8], start: usize) -> Self {
        let mut groups = Vec::new();
        let mut at = start;
        loop {
            let length = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if length == 0 {
                return Self { groups, end: at };
            }
            groups.push(at..at + length);
            at += length;
            match text.get(at) {
                Some(b' ' | b'-' | b'.') if text.get(at + 1).is_none_or(u8::is_ascii_digit) => at += 1,
                _ => return Self { groups, end: at },
            }
        }
    }

    fn digits(&self) -> usize {
        self.groups.iter().map(ExactSizeIterator::len).sum()
    }

    /// The longest card number that begins at each of its groups.
    fn cards(&self, text: &[u8], open: bool, strict: bool) -> Vec<Range<usize>> {
        let is_last_of_text = open && self.end == text.len();
        let mut found = Vec::new();
        for (first, group) in self.groups.iter().enumerate() {
            if !matches!(text[group.start], b'2'..=b'6') || strict && !self.may_begin(text, first) {
                continue;
            }
            let mut digits = 0;
            let mut end = None;
            for (last, next) in self.groups.iter().enumerate().skip(first) {
                // As cards are printed: 4-4-4-4, 4-6-5, 4-4-4-4-3.
                let fits = last == first || group.len() == 4 && next.len() <= 7;
                digits += next.len();
                if !fits || digits > LONGEST_CARD {
                    break;
                }
                if is_last_of_text && last + 1 == self.groups.len() && digits > SHOWN_OF_CARD {
                    end = Some(self.end);
                } else if digits >= SHORTEST_CARD
                    && (!strict || self.may_end(text, last))
                    && passes_luhn(&text[group.start..next.end])
                {
                    end = Some(next.end);
                }
            }
            found.extend(end.map(|end| group.start..end));
        }
        found
    }

    /// Not in the middle of a word, and not the decimals of a number.
    fn may_begin(&self, text: &[u8], group: usize) -> bool {
        let start = self.groups[group].start;
        match text[..start].last() {
            Some(b'.') => group == 0,
            Some(before) => !before.is_ascii_alphabetic(),
            None => true,
        }
    }

    fn may_end(&self, text: &[u8], group: usize) -> bool {
        let end = self.groups[group].end;
        match text.get(end) {
            Some(b'.') => group + 1 == self.groups.len(),
            Some(after) => !after.is_ascii_alphabetic(),
            None => true,
        }
    }
}

/// The check digit of ISO/IEC 7812, over the digits of a text.
fn passes_luhn(text: &[u8]) -> bool {
    let digits = text.iter().rev().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte - b'0'));
    let sum: u32 = digits
        .enumerate()
        .map(|(at, digit)| match at % 2 {
            0 => digit,
            _ if digit > 4 => 2 * digit - 9,
            _ => 2 * digit,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::super::patterns::{Finder, Patterns};
    use super::SHOWN_OF_CARD;

    fn shown(text: &str) -> String {
        Finder::new(Patterns::default()).redacted(text, false).into_owned()
    }

    fn cut(text: &str) -> String {
        Finder::new(Patterns::default()).redacted(text, true).into_owned()
    }

    #[test]
    fn card_numbers() {
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
                assert!(digits <= SHOWN_OF_CARD, "{shown} of {card}");
            }
        }
        assert_eq!(shown("card 4111 1111 1111 1111 123."), "card [redacted] 123.");
    }

    #[test]
    fn numbers_that_are_no_cards() {
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
