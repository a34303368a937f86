//! Recognition of sensitive keys.

use std::ops::Range;

use crate::byte_class::{ASSIGNMENT, ESCAPE, UPPERCASE, byte_classes};
use crate::escapes::decodings;
use crate::words::{Split, Words, folded, matches_word};

/// Keys whose values are never recorded. Each matches a sequence of complete words: `pin` matches `user_pin`, not
/// `shipping`.
const SENSITIVE: &str = "password passwd passphrase pwd passcode pass_word pass_phrase pass_code pin otp totp mfa secret \
    token jwt bearer authorization auth_header cookie session_id sessionid sid csrf xsrf api_key apikey access_key \
    private_key signing_key encryption_key credential credentials card_number cardnumber credit_card cvv cvc iban \
    account_number routing_number ssn social_security tax_id";

#[derive(Debug)]
pub(crate) struct Keys {
    /// Each split into words in lower case.
    entries: Vec<Vec<String>>,
    /// Indexes of entries by the first letter of their first word; non-ASCII ones are in the last bucket.
    by_first_letter: Vec<Vec<usize>>,
}

impl Keys {
    pub(crate) fn new(extra_keys: &[String]) -> Self {
        let all = SENSITIVE.split_whitespace().chain(extra_keys.iter().map(String::as_str));
        let entries: Vec<Vec<String>> = all.map(words).filter(|words| !words.is_empty()).collect();
        let mut by_first_letter = vec![Vec::new(); OTHER_LETTERS + 1];
        for (nth, words) in entries.iter().enumerate() {
            by_first_letter[first_letter(&words[0])].push(nth);
        }
        Self { entries, by_first_letter }
    }

    /// The keys, each split into words in lower case.
    pub(crate) fn entries(&self) -> &[Vec<String>] {
        &self.entries
    }

    /// Whether the value of this key must be redacted.
    pub(crate) fn is_sensitive(&self, key: &str) -> bool {
        self.any_match(key, |_| true)
    }

    /// Whether a text or one of its decodings mentions a sensitive key: the test for text whose keys cannot be parsed.
    pub(crate) fn are_mentioned_in(&self, text: &str) -> bool {
        decodings(text).any(|text| self.any_match(&text, |_| true))
    }

    /// Whether a text or one of its decodings assigns a value to a sensitive key: `password=…`, `"token": …`,
    /// `?api%5Fkey%3D…`. Prose that only mentions one does not.
    pub(crate) fn are_assigned_in(&self, text: &str) -> bool {
        let classes = byte_classes(text.as_bytes());
        let assigns = |text: &str| self.any_match(text, |end| is_assignment(&text[end..]));
        classes & ASSIGNMENT != 0 && assigns(text)
            || classes & ESCAPE != 0 && decodings(text).skip(1).any(|text| assigns(&text))
    }

    /// Whether a sensitive key occurs, with any way of splitting words, for whose end `predicate` holds.
    fn any_match(&self, text: &str, predicate: impl Fn(usize) -> bool) -> bool {
        let any = |split| {
            let mut words = Words::of(text, split);
            while let Some(first) = words.next() {
                if self.key_end(text, &first, &words).is_some_and(&predicate) {
                    return true;
                }
            }
            false
        };
        let may_have_capitals = || byte_classes(text.as_bytes()) & UPPERCASE != 0;
        any(Split::Camel)
            || may_have_capitals()
                && text.contains(char::is_uppercase)
                && (any(Split::Acronyms) || any(Split::Separators))
    }

    /// The end of the sensitive key that starts with the word `first`, which `rest` follows.
    fn key_end(&self, text: &str, first: &Range<usize>, rest: &Words<'_>) -> Option<usize> {
        let first_word = &text[first.clone()];
        self.by_first_letter[first_letter(first_word)].iter().find_map(|entry| {
            let (word, others) = self.entries[*entry].split_first()?;
            let mut end = first.end;
            let mut next = rest.clone();
            let follows = |word: &String| {
                next.next().is_some_and(|range| {
                    end = range.end;
                    matches_word(word, &text[range])
                })
            };
            (matches_word(word, first_word) && others.iter().all(follows)).then_some(end)
        })
    }
}

const OTHER_LETTERS: usize = 128;

/// The bucket of a word.
fn first_letter(word: &str) -> usize {
    if let Some(first @ 0..=0x7f) = word.as_bytes().first() {
        return usize::from(first.to_ascii_lowercase());
    }
    let first = word.chars().next().into_iter().flat_map(folded).next();
    first.filter(char::is_ascii).map_or(OTHER_LETTERS, |first_letter| u32::from(first_letter) as usize)
}

/// The words of a key in lower case: user, api, key for both `userAPIKey` and `user[api-key]`.
pub(crate) fn words(key: &str) -> Vec<String> {
    Words::of(key, Split::Camel).map(|word| key[word].chars().flat_map(folded).collect()).collect()
}

/// Whether the text after a key assigns it a value.
fn is_assignment(after: &str) -> bool {
    const SIGNS: [char; 7] = ['=', ':', '：', '>', '|', '\t', '\n'];
    /// The sign must be within this many characters, not counting the rest of a longer name, its quotes and spaces.
    const MAX_DISTANCE: usize = 40;
    /// The limit of each of those two.
    const MAX_SKIPPED: usize = 200;
    let mut chars = after.chars().peekable();
    for is_passed in [|c: char| c.is_alphanumeric() || "_-.]\"'\\".contains(c), |c: char| c == ' '] {
        for _ in 0..MAX_SKIPPED {
            if chars.next_if(|c| is_passed(*c)).is_none() {
                break;
            }
        }
    }
    chars.take(MAX_DISTANCE).any(|c| SIGNS.contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_split_at_separators_and_case_changes() {
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
    fn texts_that_mention_a_sensitive_key_are_recognized() {
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
            assert!(keys.are_mentioned_in(text), "{text}");
        }
        for text in ["shipping: 3 days", "hello, world: 1", "100 % sure", "tokenizer"] {
            assert!(!keys.are_mentioned_in(text), "{text}");
        }
    }

    #[test]
    fn assignments_are_distinguished_from_prose() {
        let keys = Keys::new(&[]);
        for text in [
            "password=x",
            "Password : x",
            "token：x",
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
            assert!(keys.are_assigned_in(text), "{text}");
        }
        for text in ["wrong password", "the token has expired", "the e-mail address or the password is wrong"] {
            assert!(!keys.are_assigned_in(text), "{text}");
        }
    }
}
