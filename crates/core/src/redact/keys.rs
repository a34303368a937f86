//! Which keys are sensitive.

use std::borrow::Cow;

use aho_corasick::AhoCorasick;

use super::patterns::MARKS;

/// Keys whose values are never recorded. Each stands for itself as a run of whole words: `pin` is sensitive in
/// `user_pin`, not in `shipping`.
const SENSITIVE: &str = "password passwd passphrase pwd passcode pass_word pass_phrase pass_code pin otp totp mfa secret \
    token jwt bearer authorization auth_header cookie session_id sessionid sid csrf xsrf api_key apikey access_key \
    private_key signing_key encryption_key credential credentials card_number cardnumber credit_card cvv cvc iban \
    account_number routing_number ssn social_security tax_id";

#[derive(Debug)]
pub(super) struct Keys {
    entries: Vec<Vec<String>>,
    /// Finds in a text whatever could begin a sensitive key, and the marks of secrets without one, so that a clean text is
    /// not read any closer.
    candidates: AhoCorasick,
}

impl Keys {
    pub fn new(more: &[String]) -> Self {
        let all = SENSITIVE.split_whitespace().chain(more.iter().map(String::as_str));
        let entries: Vec<Vec<String>> = all.map(words).filter(|words| !words.is_empty()).collect();
        let first = entries.iter().map(|words| words[0].as_str());
        let candidates = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            // An escaped letter can hide a key from a search of the bytes, and so can the two letters that are not ASCII but
            // whose lower case is.
            .build(first.chain(MARKS).chain(["\\u", "\\x", "%", "\u{212a}", "\u{17f}"]))
            .expect("a few short patterns make a small automaton");
        Self { entries, candidates }
    }

    /// Whether the value of this key is never shown.
    pub fn is_sensitive(&self, key: &str) -> bool {
        !self.runs(key).is_empty()
    }

    /// Whether the text could hold a sensitive key or a marked secret; `false` is certain.
    pub fn may_be_in(&self, text: &[u8]) -> bool {
        // More keys may be set in letters that the search cannot fold.
        !text.is_ascii() && self.entries.iter().any(|entry| !entry[0].is_ascii()) || self.candidates.is_match(text)
    }

    /// Whether a text names a sensitive key anywhere, in any spelling: what cannot be read for keys is judged by that.
    pub fn are_named_in(&self, text: &str) -> bool {
        readings(text).any(|text| !self.runs(&text).is_empty())
    }

    /// Whether a text gives a sensitive key a value: `password=…`, `"token": …`, `?api%5Fkey%3D…`. Prose that only names
    /// one does not.
    pub fn have_values_in(&self, text: &str) -> bool {
        readings(text).any(|text| self.runs(&text).into_iter().any(|end| is_given(&text[end..])))
    }

    /// Where each run of words that makes a sensitive key ends, in any way to split it.
    fn runs(&self, text: &str) -> Vec<usize> {
        let mut ends = self.runs_of(&spans(text, Split::Camel));
        if text.contains(char::is_uppercase) {
            ends.extend(self.runs_of(&spans(text, Split::Capitals)));
            ends.extend(self.runs_of(&spans(text, Split::Marks)));
        }
        ends
    }

    fn runs_of(&self, words: &[(String, usize)]) -> Vec<usize> {
        let ends = (0..words.len()).filter_map(|at| {
            let fits = |entry: &&Vec<String>| {
                words[at..].len() >= entry.len()
                    && entry.iter().zip(&words[at..]).all(|(word, (said, _))| is_word(word, said))
            };
            self.entries.iter().find(fits).map(|entry| words[at + entry.len() - 1].1)
        });
        ends.collect()
    }
}

/// The words of a key in lower case: `userAPIKey` is user, api, key, and so is `user[api-key]`.
fn words(key: &str) -> Vec<String> {
    spans(key, Split::Camel).into_iter().map(|(word, _)| word).collect()
}

/// Whether what follows a key gives it a value.
fn is_given(after: &str) -> bool {
    const SIGNS: [char; 7] = ['=', ':', '：', '>', '|', '\t', '\n'];
    const REACH: usize = 40;
    /// A longer name, its quotes, and space are no distance, up to here.
    const NO_DISTANCE: usize = 200;
    let mut chars = after.chars().peekable();
    for is_passed in [|c: char| c.is_alphanumeric() || "_-.]\"'\\".contains(c), |c: char| c == ' '] {
        for _ in 0..NO_DISTANCE {
            if chars.next_if(|c| is_passed(*c)).is_none() {
                break;
            }
        }
    }
    chars.take(REACH).any(|c| SIGNS.contains(&c))
}

/// `password2` is a password too.
fn is_word(word: &str, said: &str) -> bool {
    said.strip_prefix(word).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Which changes of case separate words.
#[derive(Clone, Copy, PartialEq)]
enum Split {
    /// `userAPIKey`: user, api, key.
    Camel,
    /// `CSRFtoken`: csrf, token.
    Capitals,
    /// None: `PaSsWoRd` is one word.
    Marks,
}

/// The words of a text in lower case, each with where it ends. Whatever is no letter or digit separates.
fn spans(text: &str, split: Split) -> Vec<(String, usize)> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before: Option<char> = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let after = chars.peek().map(|(_, next)| *next);
        let rises = c.is_uppercase() && before.is_some_and(|before| !before.is_uppercase());
        let falls = c.is_uppercase() && after.is_some_and(char::is_lowercase);
        // Of a lower case letter after a capital: whether that capital was not the word's first letter.
        let drops = c.is_lowercase() && before.is_some_and(char::is_uppercase) && word.chars().count() > 1;
        let by_case = match split {
            Split::Camel => rises || falls,
            Split::Capitals => rises || drops,
            Split::Marks => false,
        };
        let separates = !c.is_alphanumeric();
        if (separates || by_case) && !word.is_empty() {
            words.push((std::mem::take(&mut word), at));
        }
        if !separates {
            word.extend(folded(c));
        }
        before = Some(c);
    }
    if !word.is_empty() {
        words.push((word, text.len()));
    }
    words
}

/// Lower case; the long s, which has it already, is an s to whoever compares without regard to case.
fn folded(c: char) -> impl Iterator<Item = char> {
    if c == 'ſ' { 's' } else { c }.to_lowercase()
}

/// The text, and what it is when its escapes are undone, and those that were escaped themselves.
pub(super) fn readings(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    const ESCAPED: usize = 3;
    let undone = |text: &Cow<'_, str>| decoded(text).map(Cow::Owned);
    std::iter::successors(Some(Cow::Borrowed(text)), undone).take(1 + ESCAPED)
}

/// The text with percent and backslash escapes undone, if it has any.
fn decoded(text: &str) -> Option<String> {
    if !text.contains(['%', '\\']) {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    let mut any = false;
    while !rest.is_empty() {
        match escape(rest) {
            Some((c, length)) => {
                match c {
                    Escaped::Byte(byte) => bytes.push(byte),
                    Escaped::Char(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                }
                rest = &rest[length..];
                any = true;
            }
            None => {
                bytes.push(rest[0]);
                rest = &rest[1..];
            }
        }
    }
    any.then(|| String::from_utf8_lossy(&bytes).into_owned())
}

enum Escaped {
    Byte(u8),
    Char(char),
}

/// What the escape that a text begins with stands for, and its length.
fn escape(text: &[u8]) -> Option<(Escaped, usize)> {
    let digits = |from: usize, count: usize| {
        let hex = text.get(from..from + count).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit))?;
        u32::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
    };
    let byte = |from: usize| digits(from, 2).and_then(|code| u8::try_from(code).ok()).map(Escaped::Byte);
    match text {
        [b'%', ..] => byte(1).map(|byte| (byte, 3)),
        [b'\\', b'x', ..] => byte(2).map(|byte| (byte, 4)),
        [b'\\', b'u', ..] => digits(2, 4).map(|code| (Escaped::Char(char::from_u32(code).unwrap_or(' ')), 6)),
        [b'\\', b'n', ..] => Some((Escaped::Byte(b'\n'), 2)),
        [b'\\', b't', ..] => Some((Escaped::Byte(b'\t'), 2)),
        [b'\\', b'r' | b'b' | b'f', ..] => Some((Escaped::Byte(b' '), 2)),
        [b'\\', c @ (b'"' | b'\'' | b'\\' | b'/'), ..] => Some((Escaped::Byte(*c), 2)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_split_at_marks_and_case_changes() {
        assert_eq!(words("userAPIKey"), ["user", "api", "key"]);
        assert_eq!(words("Session-Id"), ["session", "id"]);
        assert_eq!(words("card.number"), ["card", "number"]);
        assert_eq!(words("PASSWORD"), ["password"]);
    }

    #[test]
    fn whole_words_are_sensitive_and_parts_of_words_are_not() {
        let keys = Keys::new(&["email".into()]);
        for key in [
            "password",
            "user_password",
            "PassWord",
            "newPassword",
            "pin",
            "API-Key",
            "x-session-id",
            "PaSsWoRd",
            "password2",
            "userAPIkey",
            "CSRFtoken",
            "customerPINcode",
            "pa\u{17f}\u{17f}word",
            "to\u{212a}en",
            "eMail",
        ] {
            assert!(keys.is_sensitive(key), "{key}");
        }
        for key in ["shipping", "tokens_used_total", "opinion", "keyboard", "code", "author", "session", "key"] {
            assert!(!keys.is_sensitive(key), "{key}");
        }
        assert!(keys.is_sensitive("email_address"));
    }

    #[test]
    fn the_search_finds_whatever_is_sensitive() {
        let keys = Keys::new(&[]);
        for entry in SENSITIVE.split_whitespace() {
            assert!(keys.is_sensitive(entry) && keys.may_be_in(entry.to_uppercase().as_bytes()), "{entry}");
        }
        assert!(!keys.may_be_in(br#"{"sku":"A-1","quantity":2,"status":"placed"}"#));
    }

    #[test]
    fn a_text_that_names_a_key_is_told_from_one_that_does_not() {
        let keys = Keys::new(&[]);
        for text in [
            "wrong password",
            "<password type='x'>",
            "user,password\nbob,x",
            "pass%77ord",
            "api key",
            "p\\u0061ssword",
            "<input name=csrfToken value=x>",
            "user[password]",
        ] {
            assert!(keys.are_named_in(text), "{text}");
        }
        for text in ["shipping: 3 days", "hello, world: 1", "100 % sure", "tokenizer"] {
            assert!(!keys.are_named_in(text), "{text}");
        }
    }

    #[test]
    fn a_text_that_gives_a_key_a_value_is_told_from_prose() {
        let keys = Keys::new(&[]);
        for text in [
            "password=x",
            "Password : x",
            "<pin>1</pin>",
            "/cb?access_token=x",
            "%7B%22password%22%3A%22x%22%7D",
            "POST {\"password\":\"x\"}",
            "<input name=password value=x>",
            "user,password\nbob,x",
            "token%3Dx",
            "a=b?password=x",
            "user[password]=x",
            "a\\npassword: x",
            "\\x70assword=x",
            "token_that_was_issued_by_the_identity_provider_v2=x",
            "\"password\"                                              : 1",
        ] {
            assert!(keys.have_values_in(text), "{text}");
        }
        for text in ["wrong password", "the token has expired", "the e-mail address or the password is wrong"] {
            assert!(!keys.have_values_in(text), "{text}");
        }
    }
}
