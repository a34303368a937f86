//! A prefilter: finds candidates for sensitive keys and secrets in one pass over a text's bytes, so that a text without
//! candidates is not searched further.
//!
//! Each pattern is four bytes long and has a bit; each byte has the bits of the patterns that it fits at each of the
//! four positions. A match is then inspected and dismissed only if a full search would definitely find nothing there:
//! `pin` in `shipping` is not a word, and `2026` not a card number.

use std::ops::Range;

use memchr::{memchr, memchr3};

use crate::anchors::Anchor;
#[cfg(target_arch = "x86_64")]
use crate::avx2;
use crate::patterns::Patterns;
use crate::patterns::cards::card_end;
use crate::patterns::ssn::number_end;
use crate::patterns::telegram::number_before;
use crate::patterns::tokens::may_start_token;
#[cfg(target_arch = "x86_64")]
use crate::teddy::{Bucket, Nibbles, READ, Teddy};
use crate::vocabulary::{JOINED_BEFORE, QUERY, REGISTRIES, SIGNATURES};

/// An escape can hide a letter from a search over bytes.
const ESCAPE: u64 = 1;
const PERCENT: u64 = 1 << 1;
/// So can the two non-ASCII letters with an ASCII lower case.
const KELVIN: u64 = 1 << 2;
const LONG_S: u64 = 1 << 3;
/// Any non-ASCII byte: configured keys may contain letters that the search cannot fold.
const NON_ASCII: u64 = 1 << 4;
const JWT: u64 = 1 << 5;
const CARD: u64 = 1 << 6;
const PRIVATE_KEY: u64 = 1 << 7;
/// The groups of [`TOKEN_STARTS`].
const TOKENS: [u64; 6] = [1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13];
const ANY_TOKEN: u64 = 0b11_1111 << 8;
const TELEGRAM: u64 = 1 << 14;
const SSN: u64 = 1 << 15;
const JWK: u64 = 1 << 16;
/// The start of a URL's authority, also with escaped slashes.
const AUTHORITY: u64 = 1 << 17;
/// The name of a parameter that is secret in the query of a URL.
const PARAMETER: u64 = 1 << 18;
/// The first four bytes of a built-in key that contains others than ASCII letters.
const FOREIGN: u64 = 1 << 19;
/// Words of at least four letters, and shorter ones. Words share bits if there are more words than bits.
const LONG_WORDS: Range<u32> = 20..44;
const SHORT_WORDS: Range<u32> = 44..64;

/// Patterns whose matches are candidates without inspection.
const ALWAYS_CANDIDATE: u64 = ESCAPE | PERCENT | KELVIN | LONG_S | NON_ASCII | JWT | JWK | FOREIGN;
/// Patterns whose first byte is the one before the candidate.
const HAS_LEADING_BYTE: u64 =
    !(PRIVATE_KEY | ANY_TOKEN | TELEGRAM | SSN | JWK | AUTHORITY | PARAMETER | FOREIGN | LONG_WORD_BITS);
const LONG_WORD_BITS: u64 = (1 << LONG_WORDS.end) - (1 << LONG_WORDS.start);

/// The first four bytes of all tokens, by group: the possible bytes at each position. Only similar ones share a group,
/// because any combination of a group's bytes is inspected. Azure's are found by [`PARAMETER_ENDS`].
const TOKEN_STARTS: [(usize, [&[u8]; 4]); 17] = [
    (0, [b"A", b"KSBC", b"IC", b"A"]),
    (0, [b"A", b"I", b"z", b"a"]),
    (0, [b"A", b"G", b"E", b"-"]),
    (0, [b"G", b"O", b"C", b"S"]),
    (1, [b"g", b"h", b"pousr", b"_"]),
    (1, [b"g", b"i", b"t", b"h"]),
    (1, [b"g", b"l", b"podrcfiasw", b"atrbpfgmoc"]),
    (2, [b"sr", b"k", b"_", b"lt"]),
    (2, [b"s", b"k", b"-", ALPHANUMERIC]),
    (0, [b"S", b"K", HEX, HEX]),
    (0, [b"S", b"G", b".", URL]),
    (4, [b"x", b"oa", b"xp", b"abcdeoprsp"]),
    (4, [b"h", b"o", b"o", b"k"]),
    (3, [b"w", b"h", b"s", b"e"]),
    (5, [b"y", b"a", b"2", b"9"]),
    (5, [b"n", b"p", b"m", b"_"]),
    (5, [b"p", b"y", b"p", b"i"]),
];
const ALPHANUMERIC: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const URL: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
const HEX: &[u8] = b"0123456789abcdef";

/// A pattern: a predicate for each of its bytes.
type Pattern<'a> = [&'a dyn Fn(u8) -> bool; 4];

#[derive(Debug)]
pub(crate) struct Prefilter {
    /// For each byte, the patterns that it fits at each position.
    rows: Box<[[u64; 4]; 256]>,
    /// For each bit, its keys.
    keys: Vec<Vec<Anchor>>,
    /// The same patterns for a vectorized search, which has false positives.
    #[cfg(target_arch = "x86_64")]
    teddy: Teddy,
    #[cfg(target_arch = "x86_64")]
    patterns: Vec<Bucket>,
}

/// The patterns matched so far by the last one, two and three bytes.
#[derive(Clone, Copy)]
struct PartialMatches([u64; 3]);

impl PartialMatches {
    /// Advances by a byte; also returns the patterns that the byte completes.
    fn advance(self, row: &[u64; 4]) -> (Self, u64) {
        let [one, two, three] = self.0;
        (Self([row[0], one & row[1], two & row[2]]), three & row[3])
    }
}

impl Prefilter {
    /// `keys` are split into words, in lower case, and each says whether it is a built-in one.
    pub(crate) fn new<'k>(keys: impl Iterator<Item = (&'k [String], bool)>, patterns: &Patterns) -> Self {
        let mut prefilter = Self::none();
        let any = |_: u8| true;
        prefilter.add(ESCAPE, [&any, &|byte| byte == b'\\', &|byte| matches!(byte, b'u' | b'x'), &any]);
        // A text may end inside an escape, and is padded with zeros.
        let is_hex = |byte: u8| byte == 0 || byte.is_ascii_hexdigit();
        prefilter.add(PERCENT, [&any, &|byte| byte == b'%', &is_hex, &is_hex]);
        prefilter.add(KELVIN, [&any, &|byte| byte == 0xe2, &|byte| byte == 0x84, &|byte| byte == 0xaa]);
        prefilter.add(LONG_S, [&any, &|byte| byte == 0xc5, &|byte| byte == 0xbf, &any]);
        prefilter.add(JWT, [&any, &|byte| byte == b'e', &|byte| byte == b'y', &|byte| byte == b'J']);
        prefilter.add_word(PRIVATE_KEY, PRIVATE);
        let is_digit = |byte: u8| byte.is_ascii_digit();
        for (group, bytes) in TOKEN_STARTS {
            let is_in = |at: usize| move |byte: u8| bytes[at].contains(&byte);
            prefilter.add(TOKENS[group], [&is_in(0), &is_in(1), &is_in(2), &is_in(3)]);
        }
        if patterns.telegram {
            let is_a = |byte: u8| byte == b'A';
            prefilter.add(TELEGRAM, [&|byte| byte == b':', &is_a, &is_a, &any]);
        }
        if patterns.ssn {
            // From the second hyphen: dates have two digits there. A text may end before, and is padded with zeros.
            let is_digit_or_end = |byte: u8| byte == 0 || byte.is_ascii_digit();
            prefilter.add(SSN, [&|byte| byte == b'-', &is_digit_or_end, &is_digit_or_end, &is_digit_or_end]);
        }
        if patterns.jwk {
            prefilter
                .add(JWK, [&|byte| byte == b'"', &|byte| byte == b'k', &|byte| byte == b't', &|byte| byte == b'y']);
        }
        prefilter.add(AUTHORITY, [&|byte| byte == b':', &|byte| byte == b'/', &|byte| byte == b'/', &any]);
        let slash = |at: usize| move |byte: u8| byte == b":\\/\\"[at];
        prefilter.add(AUTHORITY, [&slash(0), &slash(1), &slash(2), &slash(3)]);
        for end in PARAMETER_ENDS {
            let letter = |at: usize| move |byte: u8| byte.eq_ignore_ascii_case(&end[at]);
            prefilter.add(PARAMETER, [&letter(0), &letter(1), &letter(2), &letter(3)]);
        }
        if patterns.card {
            let is_first = |byte: u8| matches!(byte, b'2'..=b'6');
            prefilter.add(CARD, [&|byte| !byte.is_ascii_digit(), &is_first, &is_digit, &is_digit]);
        }
        let mut long = BitAllocator::of(LONG_WORDS);
        let mut short = BitAllocator::of(SHORT_WORDS);
        let builtin = |word: &str| (vec![word.to_owned()], true);
        let others = ["basic", "digest", REGISTRIES].map(builtin);
        for (words, is_builtin) in keys.map(|(words, is_builtin)| (words.to_vec(), is_builtin)).chain(others) {
            let anchor = Anchor::of(&words);
            let word = anchor.words[0].clone();
            let word = &word.as_bytes()[anchor.offset..];
            let begins_foreign = word.get(..4).is_none_or(|beginning| !beginning.is_ascii());
            if !word.is_ascii() && is_builtin && begins_foreign {
                let upper = words[0].to_uppercase();
                let letter = |at: usize| {
                    let [lower, upper] = [word[at], upper.as_bytes()[at]];
                    move |byte: u8| byte == lower || byte == upper
                };
                prefilter.add(FOREIGN, [&letter(0), &letter(1), &letter(2), &letter(3)]);
            } else if !word.is_ascii() && !is_builtin {
                prefilter.add(NON_ASCII, [&any, &|byte| !byte.is_ascii(), &any, &any]);
            } else if let Some(beginning) = word.get(..4) {
                let bit = long.bit(beginning);
                prefilter.add_word(1 << bit, word);
                prefilter.add_anchor(bit, anchor);
            } else {
                let letter = |at: usize| move |byte: u8| word.get(at).is_none_or(|it| byte.eq_ignore_ascii_case(it));
                let bit = short.bit(word);
                prefilter.add(1 << bit, [&may_precede_word, &|byte| byte == word[0], &letter(1), &letter(2)]);
                prefilter.add_anchor(bit, anchor.clone());
                // An uppercase letter also starts a word after a letter.
                let capital = word[0].to_ascii_uppercase();
                let bit = short.bit(&[&[capital], &word[1..]].concat());
                prefilter.add(1 << bit, [&any, &|byte| byte == capital, &letter(1), &letter(2)]);
                prefilter.add_anchor(bit, anchor);
            }
        }
        prefilter.finished()
    }

    /// The prefilter for all added patterns.
    fn finished(self) -> Self {
        #[cfg(target_arch = "x86_64")]
        let this = Self { teddy: Teddy::new(self.patterns), patterns: Vec::new(), ..self };
        #[cfg(not(target_arch = "x86_64"))]
        let this = self;
        this
    }

    fn none() -> Self {
        Self {
            rows: Box::new([[0; 4]; 256]),
            keys: vec![Vec::new(); 64],
            #[cfg(target_arch = "x86_64")]
            teddy: Teddy::default(),
            #[cfg(target_arch = "x86_64")]
            patterns: Vec::new(),
        }
    }

    fn add_anchor(&mut self, bit: u32, anchor: Anchor) {
        let anchors = &mut self.keys[bit as usize];
        if !anchors.contains(&anchor) {
            anchors.push(anchor);
        }
    }

    /// Adds a word of at least four letters, in any case.
    fn add_word(&mut self, bit: u64, word: &[u8]) {
        let letter = |at: usize| move |byte: u8| byte.eq_ignore_ascii_case(&word[at]);
        self.add(bit, [&letter(0), &letter(1), &letter(2), &letter(3)]);
    }

    fn add(&mut self, bit: u64, pattern: Pattern<'_>) {
        for (byte, row) in (0..=u8::MAX).zip(self.rows.iter_mut()) {
            for (bits, fits) in row.iter_mut().zip(pattern) {
                *bits |= if fits(byte) { bit } else { 0 };
            }
        }
        #[cfg(target_arch = "x86_64")]
        self.patterns.push(pattern.map(|fits| Nibbles::of((0..=u8::MAX).filter(|byte| fits(*byte)))));
    }

    /// A prefilter that finds a candidate at every position.
    pub(crate) fn match_all() -> Self {
        let mut prefilter = Self::none();
        prefilter.add(NON_ASCII, [&|_| true; 4]);
        prefilter.finished()
    }

    /// Whether there may be something to redact; `false` is definite. A `partial` text may continue beyond its end.
    pub(crate) fn may_match(&self, text: &[u8], partial: bool) -> bool {
        self.first_candidate(text, 0, text.len(), partial).is_some()
    }

    /// The start of the first candidate that starts in this range.
    pub(crate) fn first_candidate(&self, text: &[u8], from: usize, to: usize, partial: bool) -> Option<usize> {
        let to = text.len().min(to + 3);
        #[cfg(target_arch = "x86_64")]
        if avx2::is_available() {
            // SAFETY: `is_available` checked the target features.
            #[expect(unsafe_code, reason = "searching 32 positions at a time takes half the time")]
            return unsafe { self.first_avx2(text, from, to, partial) };
        }
        self.first_scalar(text, from, to, partial)
    }

    /// The scalar search, for patterns that end before `to`.
    pub(crate) fn first_scalar(&self, text: &[u8], from: usize, to: usize, partial: bool) -> Option<usize> {
        let mut progress = PartialMatches([self.leading_fits(text, from), 0, 0]);
        let mut at = from;
        let (chunks, rest) = text[from..to].as_chunks::<8>();
        for chunk in chunks {
            let mut next = progress;
            let mut any = 0;
            for byte in chunk {
                let fits;
                (next, fits) = next.advance(&self.rows[usize::from(*byte)]);
                any |= fits;
            }
            if any != 0
                && let Some(found) = self.first_in_chunk(text, chunk, at, progress, partial)
            {
                return Some(found);
            }
            progress = next;
            at += chunk.len();
        }
        // A short pattern may end up to two bytes before its fourth byte: pad the text with zeros.
        let mut last = [0; 10];
        last[..rest.len()].copy_from_slice(rest);
        self.first_in_chunk(text, &last[..rest.len() + 2], at, progress, partial)
    }

    /// The first candidate among the patterns that end in these bytes, which start at `at`.
    #[inline(never)]
    fn first_in_chunk(
        &self,
        text: &[u8],
        bytes: &[u8],
        at: usize,
        mut progress: PartialMatches,
        partial: bool,
    ) -> Option<usize> {
        for (at, byte) in (at..).zip(bytes) {
            let fits;
            (progress, fits) = progress.advance(&self.rows[usize::from(*byte)]);
            if fits != 0
                && let Some(found) = self.candidate(text, at, fits, partial)
            {
                return Some(found);
            }
        }
        None
    }

    /// The vectorized search.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,popcnt")]
    fn first_avx2(&self, text: &[u8], from: usize, to: usize, partial: bool) -> Option<usize> {
        let fit = |leading: u64, next: &[u8]| {
            next.iter().zip(1..4).fold(leading, |fits, (byte, nth)| fits & self.rows[usize::from(*byte)][nth])
        };
        let mut at = from;
        loop {
            let left = &text[at..to];
            let mut padded = [0; READ];
            let read = match left.first_chunk() {
                Some(read) => read,
                None => {
                    padded[..left.len()].copy_from_slice(left);
                    &padded
                }
            };
            let fits = if at == from { fit(self.leading_fits(text, from), read) } else { 0 };
            if fits != 0
                && let Some(found) = self.candidate(text, from + 2, fits, partial)
            {
                return Some(found);
            }
            let mut places = self.teddy.candidates(read);
            while places != 0 {
                let place = places.trailing_zeros() as usize;
                let fits = fit(self.rows[usize::from(read[place])][0], &read[place + 1..]);
                if fits != 0
                    && let Some(found) = self.candidate(text, at + place + 3, fits, partial)
                {
                    return Some(found);
                }
                places &= places - 1;
            }
            at += avx2::WIDTH;
            // The shortest pattern has two bytes: the one before it and its own.
            if at + 2 > to {
                return None;
            }
        }
    }

    /// The patterns with a candidate at `at` whose first byte, the one before, fits.
    fn leading_fits(&self, text: &[u8], at: usize) -> u64 {
        at.checked_sub(1).map_or(HAS_LEADING_BYTE, |before| HAS_LEADING_BYTE & self.rows[usize::from(text[before])][0])
    }

    /// The start of the candidate whose pattern ends at `at`, unless it is dismissed.
    #[inline]
    fn candidate(&self, text: &[u8], at: usize, fits: u64, partial: bool) -> Option<usize> {
        if fits & !HAS_LEADING_BYTE != 0 && self.is_candidate(text, at - 3, fits & !HAS_LEADING_BYTE, partial) {
            return Some(at - 3);
        }
        (fits & HAS_LEADING_BYTE != 0 && self.is_candidate(text, at - 2, fits & HAS_LEADING_BYTE, partial))
            .then(|| at - 2)
    }

    #[inline(never)]
    fn is_candidate(&self, text: &[u8], at: usize, fits: u64, partial: bool) -> bool {
        if fits & ALWAYS_CANDIDATE != 0 || fits & PRIVATE_KEY != 0 && begins_with(&text[at..], PRIVATE) {
            return true;
        }
        if fits & ANY_TOKEN != 0 && may_start_token(text, at)
            || fits & TELEGRAM != 0 && number_before(text, at).is_some()
            || fits & SSN != 0 && may_be_ssn(text, at, partial)
            || fits & AUTHORITY != 0 && may_have_password(&text[at..], partial)
            || fits & PARAMETER != 0 && is_parameter(text, at + 3)
        {
            return true;
        }
        if fits & CARD != 0 {
            // A partial text may end inside an escape that stands for a digit.
            let uncut = text.strip_suffix(b"\\").filter(|_| partial).unwrap_or(text);
            if card_end(uncut, at, partial, false).is_some() {
                return true;
            }
        }
        let mut bits = fits >> LONG_WORDS.start;
        while bits != 0 {
            let bit = LONG_WORDS.start + bits.trailing_zeros();
            if self.keys[bit as usize].iter().any(|anchor| may_match_at(text, at, anchor)) {
                return true;
            }
            bits &= bits - 1;
        }
        false
    }
}

/// Every private key contains this.
const PRIVATE: &[u8] = b"private key";

/// The last letters and the sign of the parameters that [`is_query_secret`](crate::text::is_query_secret) recognizes, and
/// of `_auth=`.
const PARAMETER_ENDS: [&[u8; 4]; 6] = [b"ode=", b"key=", b"mac=", b"sig=", b"ure=", b"uth="];

/// Whether the name of a parameter that may be secret ends before this sign.
fn is_parameter(text: &[u8], sign: usize) -> bool {
    let length = text[..sign].iter().rev().take(12).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let name = &text[sign - length..sign];
    let names = QUERY.iter().chain(&SIGNATURES).chain(&["auth"]);
    // An escape may stand for the character before the name.
    names.into_iter().any(|known| {
        name.len() >= known.len() && name[name.len() - known.len()..].eq_ignore_ascii_case(known.as_bytes())
    })
}

/// Whether this hyphen may be one of a social security number.
fn may_be_ssn(text: &[u8], hyphen: usize, partial: bool) -> bool {
    let starts_before =
        |digits: usize| hyphen.checked_sub(digits).is_some_and(|start| number_end(text, start, partial).is_some());
    text.get(hyphen.wrapping_sub(3)) == Some(&b'-') && starts_before("123-45".len())
        || partial && starts_before("123".len())
}

/// Whether the URL whose authority starts here may contain a password.
fn may_have_password(text: &[u8], partial: bool) -> bool {
    // The run may be longer than the URL.
    let end = memchr3(b'"', b' ', b'\n', text);
    memchr(b'@', &text[..end.unwrap_or(text.len())]).is_some() || partial && end.is_none()
}

/// Whether the letters before a word may join it: `access` in `accesstoken`.
fn may_be_joined(text: &[u8], at: usize) -> bool {
    JOINED_BEFORE.iter().any(|before| {
        let start = at.checked_sub(before.len());
        start.is_some_and(|start| {
            text[start..at].eq_ignore_ascii_case(before.as_bytes()) && may_be_word_boundary(text, start)
        })
    })
}

/// Assigns bits to the beginnings of words, and reuses them when there are no more.
struct BitAllocator {
    all: Range<u32>,
    beginnings: Vec<Vec<u8>>,
}

impl BitAllocator {
    fn of(all: Range<u32>) -> Self {
        Self { all, beginnings: Vec::new() }
    }

    fn bit(&mut self, beginning: &[u8]) -> u32 {
        let known = self.beginnings.iter().position(|known| known == beginning);
        let nth = known.unwrap_or(self.beginnings.len());
        if known.is_none() {
            self.beginnings.push(beginning.to_vec());
        }
        self.all.start + nth as u32 % self.all.len() as u32
    }
}

/// Whether a word in lower case may start after this byte: it is not a lowercase letter or digit, or may end an escape.
fn may_precede_word(byte: u8) -> bool {
    !(byte.is_ascii_lowercase() || byte.is_ascii_digit()) || ends_escape(byte)
}

/// Whether this may be the second byte of an escape that stands for a separator of words.
fn ends_escape(byte: u8) -> bool {
    matches!(byte, b'n' | b't' | b'r' | b'b' | b'f')
}

/// Whether a text starts with these letters in any case. False positives are possible: bytes other than letters.
fn begins_with(text: &[u8], word: &[u8]) -> bool {
    const LOWER_CASE: u8 = 0x20;
    text.len() >= word.len() && text.iter().zip(word).all(|(byte, letter)| byte | LOWER_CASE == *letter)
}

/// Whether a sequence of words may start here, with any way of splitting the text.
fn may_match_at(text: &[u8], at: usize, anchor: &Anchor) -> bool {
    let Some(start) = at.checked_sub(anchor.offset) else { return false };
    let mut at = start;
    for (nth, word) in anchor.words.iter().enumerate() {
        if nth > 0 {
            let is_between = |byte: &u8| byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"\\%".contains(byte);
            at += text[at..].iter().take_while(|byte| is_between(byte)).count();
        }
        let rest = &text[at..];
        // The next word is incomplete, escaped or not ASCII: no definite answer.
        if nth > 0 && (rest.len() < word.len() || !word.is_ascii() || matches!(rest[0], b'\\' | b'%' | 0x80..)) {
            return true;
        }
        let ascii = word.bytes().take_while(u8::is_ascii).count();
        if !begins_with(rest, &word.as_bytes()[..ascii]) {
            return false;
        }
        if nth == 0 && !(may_be_word_boundary(text, start) || may_be_joined(text, start)) {
            return false;
        }
        // The rest is not compared.
        if ascii < word.len() {
            return true;
        }
        // Trailing digits are part of a word: `password2`.
        at += word.len();
        at += text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !may_be_word_boundary(text, at) {
            return false;
        }
    }
    anchor.may_follow(&text[..start]) && anchor.may_precede(&text[at..])
}

/// Whether a word may end and another start here; `true` next to non-ASCII bytes.
fn may_be_word_boundary(text: &[u8], at: usize) -> bool {
    let (Some(before), Some(byte)) = (text[..at].last(), text.get(at)) else { return true };
    if !before.is_ascii_alphanumeric() || !byte.is_ascii_alphanumeric() {
        return true;
    }
    let is_escaped = ends_escape(*before) && at > 1 && text[at - 2] == b'\\';
    let by_case = match byte {
        b'A'..=b'Z' if before.is_ascii_uppercase() => {
            text.get(at + 1).is_some_and(|after| after.is_ascii_lowercase() || !after.is_ascii())
        }
        b'A'..=b'Z' => true,
        b'a'..=b'z' => before.is_ascii_uppercase(),
        _ => false,
    };
    is_escaped || by_case
}
