//! Payment card numbers: the ranges and lengths that issuers use, with a valid check digit, together or in groups.
//!
//! No time of 14 or 17 digits, IMEI or snowflake id is taken for a card number, because no range has both their first
//! digits and their length: see [`is_issued`].

use std::ops::Range;

const MIN_CARD_DIGITS: usize = 13;
const MAX_CARD_DIGITS: usize = 19;
/// The leading digits of a card number that may be shown (PCI DSS 3.4): they identify the bank, not the account.
const MAX_SHOWN_DIGITS: usize = 6;

/// The groups in which cards show their numbers, a hexadecimal digit for the length of each.
const GROUPINGS: [u32; 9] = [0x4444, 0x465, 0x464, 0x44443, 0x6d, 0x44441, 0x44442, 0x4333, 0x445];
/// Their beginnings.
const INCOMPLETE_GROUPINGS: [u32; 8] = [0x4, 0x44, 0x444, 0x4444, 0x46, 0x6, 0x43, 0x433];

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
    let mut number = Number::default();
    let mut at = start;
    let mut found = None;
    loop {
        let Some(count) = number.read_group(&text[at..]) else { return found };
        let end = at + count;
        let next = next_group(text, end);
        // A partial text that ends with a separator may continue with another group.
        let is_separated = next.is_none() && end + 1 == text.len() && is_separator(text[end]);
        let after = if is_separated { end + 1 } else { end };
        if partial && after == text.len() && number.may_begin_card() {
            found = Some(after);
        } else if (!strict || may_end_card(text, end)) && number.is_card() {
            found = Some(end);
        }
        match next {
            Some(next) if number.may_continue() => at = next,
            _ => return found,
        }
    }
}

/// The digits of a number and the lengths of its groups.
#[derive(Default)]
struct Number {
    digits: [u8; MAX_CARD_DIGITS],
    length: usize,
    /// A hexadecimal digit for each.
    groups: u32,
}

impl Number {
    /// Reads a group of digits and returns its length; `None` if the number is too long for a card.
    fn read_group(&mut self, text: &[u8]) -> Option<usize> {
        let count = digits(text).take(MAX_CARD_DIGITS + 1).count();
        self.digits.get_mut(self.length..self.length + count)?.copy_from_slice(&text[..count]);
        self.length += count;
        // No group but the only one is longer.
        self.groups = self.groups << 4 | count.min(0xf) as u32;
        Some(count)
    }

    fn digits(&self) -> &[u8] {
        &self.digits[..self.length]
    }

    fn is_one_group(&self) -> bool {
        self.groups <= 0xf
    }

    /// Whether another group may follow.
    fn may_continue(&self) -> bool {
        INCOMPLETE_GROUPINGS.contains(&self.groups)
    }

    fn is_card(&self) -> bool {
        let is_grouped = GROUPINGS.contains(&self.groups);
        self.length >= MIN_CARD_DIGITS
            && (is_grouped || self.is_one_group())
            && is_issued(self.digits(), is_grouped)
            && passes_luhn(self.digits())
    }

    /// Whether these may be more than the leading digits of a card number.
    fn may_begin_card(&self) -> bool {
        if self.length <= MAX_SHOWN_DIGITS {
            return false;
        }
        let mut longer = self.groups..=self.groups | 0xf;
        let may_be_grouped = longer.any(|groups| GROUPINGS.contains(&groups) || INCOMPLETE_GROUPINGS.contains(&groups));
        // The digits that follow do not matter.
        let mut lengths = self.length.max(MIN_CARD_DIGITS)..=MAX_CARD_DIGITS;
        (may_be_grouped || self.is_one_group())
            && lengths.any(|length| is_issued(&self.digits[..length], !self.is_one_group()))
    }
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

/// Whether an issuer uses these first digits with this length.
///
/// Where ordinary numbers have the same digits and length as rare cards, only the grouped form counts: 17 and 18 digits
/// are the snowflake ids of the years 2010 to 2021. Those of 19 digits start with 1 or 2 until 2033. 15 digits are Amex
/// only: IMEIs do not start with 34 or 37.
fn is_issued(digits: &[u8], is_grouped: bool) -> bool {
    let first =
        |count: usize| digits[..count].iter().fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'));
    let length = digits.len();
    let long = || matches!(length, 16 | 19) || is_grouped && matches!(length, 17 | 18);
    match first(4) {
        // Visa
        4000..=4999 => matches!(length, 13 | 16 | 19),
        // Mastercard, and Mir
        5100..=5599 | 2221..=2720 | 2200..=2204 => length == 16,
        // American Express
        3400..=3499 | 3700..=3799 => length == 15,
        // Diners Club
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => length == 14,
        // JCB
        3528..=3589 => length == 16 || is_grouped && long(),
        // UnionPay, and Discover
        6200..=6299 | 6011 | 6440..=6599 => long(),
        // Maestro
        5000..=5099 | 5600..=5899 | 6304 | 6700..=6799 => matches!(length, 13 | 14) || long(),
        _ => false,
    }
}

/// Whether digits have a valid check digit (Luhn, ISO/IEC 7812).
fn passes_luhn(digits: &[u8]) -> bool {
    /// The digit sum of each doubled digit.
    const DOUBLED: [u8; 10] = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];
    let mut sum = 0;
    let mut is_doubled = false;
    for digit in digits.iter().rev().map(|byte| byte - b'0') {
        sum += if is_doubled { DOUBLED[usize::from(digit)] } else { digit };
        is_doubled = !is_doubled;
    }
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::{MAX_SHOWN_DIGITS, passes_luhn};
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
            "4222 222 222 222",
            "3530111333300000",
            "3566 0020 2036 0505",
            "6200000000000005",
            "6205500000000000004",
            "620550 0000000000004",
            "6205 5000 0000 0000 004",
            "6759649826438453",
            "6799990100000000019",
            "50339619890917",
            "5868 2416 0825 5333 38",
            "38520000023237",
            "36700102000000",
            "6445 6445 6445 6445",
            "5555555555554444",
            "2200 7702 3956 9819",
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
            "411111 1111111111",
            "01a20497-2e54-7036-97b5-a1c884441021",
        ] {
            assert_eq!(shown(number), number);
        }
    }

    /// The same number with each last digit.
    fn with_any_check_digit(number: u64) -> impl Iterator<Item = String> {
        (0..10).map(move |digit| (number / 10 * 10 + digit).to_string())
    }

    #[test]
    fn times_imeis_and_snowflake_ids_are_not_redacted() {
        let mut valid = 0;
        for number in [
            // YYYYMMDDhhmmss, with milliseconds, seconds and milliseconds since 1970, up to the year 2096
            20_261_122_101_530,
            21_001_231_235_959,
            20_261_122_101_530_123,
            1_732_305_600,
            3_999_999_999_999,
            1_732_305_600_000,
            1_732_305_600_000_000,
            1_732_305_600_000_000_000,
            // IMEIs
            350_077_523_237_513,
            356_938_035_643_809,
            358_240_051_111_110,
            500_238_912_345_673,
            860_000_000_000_001,
            990_000_862_471_854,
            // snowflake ids of Discord and Twitter
            80_351_110_224_678_912,
            175_928_847_299_117_063,
            222_078_108_977_594_368,
            346_353_957_029_019_648,
            412_345_678_901_234_567,
            512_345_678_901_234_567,
            586_824_160_825_533_338,
            612_345_678_901_234_567,
            650_000_000_000_000_000,
            1_000_000_000_000_000_000,
            1_444_000_000_000_000_000,
            2_050_000_000_000_000_000,
            3_500_000_000_000_000_000,
        ] {
            for number in with_any_check_digit(number) {
                valid += usize::from(passes_luhn(number.as_bytes()));
                assert_eq!(shown(&number), number);
            }
        }
        assert_eq!(valid, 27, "one check digit of each is valid");
    }
}
