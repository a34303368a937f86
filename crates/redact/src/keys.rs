//! Recognition of sensitive keys.

use std::collections::HashSet;
use std::ops::Range;

use crate::byte_class::{UPPERCASE, byte_classes};
use crate::vocabulary::{DESCRIBING, HARMLESS, JOINED, JOINED_BEFORE, SENSITIVE};
use crate::words::{Split, Words, folded, matches_word};

#[derive(Debug)]
pub(crate) struct Keys {
    /// Each split into words in lower case.
    entries: Vec<Vec<String>>,
    /// The number of entries at the end that an operator added, which no rule exempts.
    extra: usize,
    /// Indexes of entries by the first letter of their first word; non-ASCII ones are in the last bucket.
    by_first_letter: Vec<Vec<usize>>,
    /// The most frequent sensitive keys: the entries as they are listed, without those that are exempt.
    exact: HashSet<String>,
    /// Keys that are not sensitive, each split into words.
    exempt: Vec<Vec<String>>,
    /// The words of [`DESCRIBING`] by their first letter.
    describing: Vec<Vec<&'static str>>,
    /// Paths of keys that are not sensitive: each key split into words, the outermost first.
    exempt_paths: Vec<Vec<Vec<String>>>,
}

impl Keys {
    /// `extra` keys are sensitive; `keep` are keys, or paths of keys joined with dots, that are not.
    pub(crate) fn new(extra: &[String], keep: &[String]) -> Self {
        let mut entries: Vec<Vec<String>> = SENSITIVE.split_whitespace().map(words).collect();
        let first_extra = entries.len();
        entries.extend(extra.iter().map(|key| words(key)).filter(|words| !words.is_empty()));
        let mut by_first_letter = vec![Vec::new(); OTHER_LETTERS + 1];
        for (nth, words) in entries.iter().enumerate() {
            by_first_letter[first_letter(&words[0])].push(nth);
        }
        let (paths, names): (Vec<&String>, Vec<&String>) = keep.iter().partition(|key| key.contains('.'));
        let mut describing = vec![Vec::new(); OTHER_LETTERS + 1];
        for word in DESCRIBING.split_whitespace() {
            describing[first_letter(word)].push(word);
        }
        let exempt: Vec<Vec<String>> =
            HARMLESS.split_whitespace().chain(names.into_iter().map(String::as_str)).map(words).collect();
        let exempt_paths = paths.into_iter().map(|path| path.split('.').map(words).collect()).collect();
        let extra = entries.len() - first_extra;
        let exact = HashSet::new();
        let mut keys = Self { entries, extra, by_first_letter, exact, exempt, describing, exempt_paths };
        let listed = SENSITIVE.split_whitespace().filter(|key| keys.is_sensitive(key)).map(str::to_owned);
        keys.exact = listed.collect();
        keys
    }

    /// The keys that a search must find, each split into words in lower case, and whether it is a built-in one. Words that
    /// end with one of [`JOINED`] are found by that end.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&[String], bool)> {
        let builtin = self.entries.len() - self.extra;
        self.entries.iter().enumerate().map(move |(nth, words)| (words.as_slice(), nth < builtin))
    }

    /// Whether the value of this key must be redacted.
    pub(crate) fn is_sensitive(&self, key: &str) -> bool {
        if self.exact.contains(key) {
            return true;
        }
        let mut found = Vec::new();
        self.occurrences_in(key, &mut found);
        if found.is_empty() {
            return false;
        }
        if found.iter().any(|(_, entry)| self.is_extra(*entry)) {
            return true;
        }
        let last = key.trim_end_matches(|c: char| !c.is_alphanumeric()).len();
        let ends_sensitive = found.iter().any(|(range, _)| range.end >= last);
        (ends_sensitive || !self.is_described(&key[..last])) && !self.is_exempt(key)
    }

    /// Whether a key with these keys around it, the innermost first, is exempt from redaction.
    pub(crate) fn is_exempt_path<'k>(&self, key: &str, around: &(impl Iterator<Item = &'k str> + Clone)) -> bool {
        self.exempt_paths.iter().filter_map(|path| path.split_last()).any(|(last, outer)| {
            let mut around = around.clone();
            words(key) == *last
                && outer.iter().rev().all(|words_of| around.next().is_some_and(|key| words(key) == *words_of))
        })
    }

    /// The sensitive keys that occur in a text as complete words, in order.
    pub(crate) fn occurrences(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        self.occurrences_in(text, &mut found);
        let mut found: Vec<Range<usize>> = found.into_iter().map(|(range, _)| range).collect();
        found.sort_by_key(|range| (range.start, range.end));
        found.dedup();
        found
    }

    /// With any way of splitting words; each with its entry.
    fn occurrences_in(&self, text: &str, found: &mut Vec<(Range<usize>, usize)>) {
        self.occurrences_split(text, Split::Camel, found);
        if byte_classes(text.as_bytes()) & UPPERCASE != 0 && text.contains(char::is_uppercase) {
            self.occurrences_split(text, Split::Acronyms, found);
            self.occurrences_split(text, Split::Separators, found);
        }
    }

    fn occurrences_split(&self, text: &str, split: Split, found: &mut Vec<(Range<usize>, usize)>) {
        let mut words = Words::of(text, split);
        while let Some(first) = words.next() {
            self.starting_with(text, &first, &words, found);
        }
    }

    /// The entries that start with the word `first`, which `rest` follows.
    fn starting_with(
        &self,
        text: &str,
        first: &Range<usize>,
        rest: &Words<'_>,
        found: &mut Vec<(Range<usize>, usize)>,
    ) {
        let first_word = &text[first.clone()];
        for entry in &self.by_first_letter[first_letter(first_word)] {
            let Some((word, others)) = self.entries[*entry].split_first() else { continue };
            // Most words differ in their second letter.
            let differs = match (word.as_bytes().get(1), first_word.as_bytes().get(1)) {
                (Some(letter), Some(byte)) => {
                    byte.is_ascii() && letter.is_ascii() && !byte.eq_ignore_ascii_case(letter)
                }
                _ => false,
            };
            if differs || !matches_word(word, first_word) {
                continue;
            }
            let mut end = first.end;
            let mut next = rest.clone();
            let follows = |word: &String| {
                next.next().is_some_and(|range| {
                    end = range.end;
                    matches_word(word, &text[range])
                })
            };
            if others.iter().all(follows) {
                found.push((first.start..end, *entry));
            }
        }
        if is_joined(first_word) {
            found.push((first.clone(), 0));
        }
    }

    fn is_extra(&self, entry: usize) -> bool {
        entry >= self.entries.len() - self.extra
    }

    /// Whether the last word of a key describes the sensitive words before it.
    fn is_described(&self, key: &str) -> bool {
        let last = Words::of(key, Split::Camel).last().unwrap_or_default();
        self.describing[first_letter(&key[last.clone()])].iter().any(|word| matches_word(word, &key[last.clone()]))
    }

    fn is_exempt(&self, key: &str) -> bool {
        let mut last_words: [Range<usize>; MAX_EXEMPT_WORDS] = Default::default();
        let mut count = 0;
        for word in Words::of(key, Split::Camel) {
            last_words.rotate_left(1);
            last_words[MAX_EXEMPT_WORDS - 1] = word;
            count += 1;
        }
        let last_words = &last_words[MAX_EXEMPT_WORDS - count.min(MAX_EXEMPT_WORDS)..];
        self.exempt.iter().any(|exempt| {
            last_words.len() >= exempt.len()
                && last_words[last_words.len() - exempt.len()..]
                    .iter()
                    .zip(exempt)
                    .all(|(range, word)| is_word(word, &key[range.clone()]))
        })
    }
}

/// Whether a word, in any case and with digits at its end, consists of two words that [`JOINED_BEFORE`] and [`JOINED`] list.
fn is_joined(word: &str) -> bool {
    let digits = word.bytes().rev().take_while(u8::is_ascii_digit).count();
    let word = &word.as_bytes()[..word.len() - digits];
    JOINED.iter().any(|end| {
        let start = word.len().checked_sub(end.len());
        start.is_some_and(|start| {
            word[start..].eq_ignore_ascii_case(end.as_bytes())
                && JOINED_BEFORE.iter().any(|before| before.as_bytes().eq_ignore_ascii_case(&word[..start]))
        })
    })
}

/// The most words of an exempt key that are compared, from its end.
const MAX_EXEMPT_WORDS: usize = 8;

/// Whether a word, in any case, is this one, in lower case.
fn is_word(word: &str, candidate: &str) -> bool {
    matches_word(word, candidate) && !(candidate.is_ascii() && candidate.len() != word.len())
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
        let keys = Keys::new(&["email".into()], &[]);
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
        for key in ["shipping", "tokens_used_total", "opinion", "keyboard", "code", "author", "session", "key", "auth"]
        {
            assert!(!keys.is_sensitive(key), "{key}");
        }
        assert!(keys.is_sensitive("email_address"));
    }

    #[test]
    fn joined_plural_and_foreign_keys_are_sensitive() {
        let keys = Keys::new(&[], &[]);
        for key in [
            "accesstoken",
            "AccessToken",
            "clientsecret",
            "secretkey",
            "userpassword",
            "DB_PASS",
            "tokens",
            "passwords",
            "api_keys",
            "recovery_codes",
            "device_code",
            "user_code",
            "code_verifier",
            "Passwort",
            "contraseña",
            "CONTRASEÑA",
            "пароль",
            "Пароль",
            "密码",
            "パスワード",
        ] {
            assert!(keys.is_sensitive(key), "{key}");
        }
        for key in ["boarding_pass", "pass_rate", "passenger", "secretary", "tokenizer", "myopia", "contrast"] {
            assert!(!keys.is_sensitive(key), "{key}");
        }
    }

    #[test]
    fn keys_that_describe_a_secret_are_not_sensitive() {
        let keys = Keys::new(&["token_type_id".into()], &["id_token".into(), "usage.tokens".into()]);
        for key in [
            "token_type",
            "tokenType",
            "token_endpoint",
            "token_endpoint_auth_methods_supported",
            "password_changed_at",
            "passwordChangedAt",
            "token_count",
            "secret_name",
            "cvc_check",
            "next_page_token",
            "nextPageToken",
            "cookie_policy_url",
            "max_tokens",
            "mfa_enabled",
            "password_required",
            "id_token",
        ] {
            assert!(!keys.is_sensitive(key), "{key}");
        }
        for key in ["token_type_id", "token_type_password", "password_at_secret", "type_token", "page_tokens"] {
            assert!(keys.is_sensitive(key), "{key}");
        }
        assert!(keys.is_exempt_path("tokens", &["usage"].into_iter()));
        assert!(!keys.is_exempt_path("tokens", &["user"].into_iter()));
    }

    #[test]
    fn each_occurrence_in_a_text_is_found() {
        let keys = Keys::new(&[], &[]);
        for (text, found) in [
            ("wrong password", vec!["password"]),
            ("<password type='x'>", vec!["password"]),
            ("user,password\nbob,x", vec!["password"]),
            ("an api key", vec!["api key"]),
            ("<input name=csrfToken value=x>", vec!["csrf", "csrfToken", "Token"]),
            ("shipping: 3 days, tokenizer", vec![]),
        ] {
            let occurrences = keys.occurrences(text);
            assert_eq!(occurrences.into_iter().map(|range| &text[range]).collect::<Vec<_>>(), found, "{text}");
        }
    }
}
