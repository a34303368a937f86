//! Which keys are sensitive.

use aho_corasick::AhoCorasick;

/// Keys whose values are never recorded. Each stands for itself as a run of whole words: `pin` is sensitive in
/// `user_pin`, not in `shipping`.
const SENSITIVE: &str = "password passwd passphrase pwd passcode pass_word pass_phrase pass_code pin otp totp mfa secret \
    token jwt bearer authorization auth_header cookie session_id sessionid sid csrf xsrf api_key apikey access_key \
    private_key signing_key encryption_key credential credentials card_number cardnumber credit_card cvv cvc iban \
    account_number routing_number ssn social_security tax_id";

#[derive(Debug)]
pub(super) struct Keys {
    entries: Vec<Vec<String>>,
    /// Finds in a text whatever could begin a sensitive key, so that a clean one is not read any closer.
    candidates: AhoCorasick,
}

impl Keys {
    pub fn new(more: &[String]) -> Self {
        let all = SENSITIVE.split_whitespace().chain(more.iter().map(String::as_str));
        let entries: Vec<Vec<String>> = all.map(words).filter(|words| !words.is_empty()).collect();
        let first = entries.iter().map(|words| words[0].as_str());
        let candidates = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            // An escaped letter can hide a key from a search of the bytes.
            .build(first.chain(["\\u00"]))
            .expect("a few short patterns make a small automaton");
        Self { entries, candidates }
    }

    /// Whether the value of this key is never shown.
    pub fn is_sensitive(&self, key: &str) -> bool {
        let words = words(key);
        self.entries.iter().any(|entry| words.windows(entry.len()).any(|run| run == entry.as_slice()))
    }

    /// Whether the text could hold a sensitive key; `false` is certain.
    pub fn may_be_in(&self, text: &[u8]) -> bool {
        // More keys may be set in letters that the search cannot fold.
        !text.is_ascii() && self.entries.iter().any(|entry| !entry[0].is_ascii()) || self.candidates.is_match(text)
    }

    /// Whether free text seems to hold a sensitive key with a value: `password=…`, `"token": …`, `<pin>…`.
    pub fn seem_to_be_in(&self, text: &str) -> bool {
        const MARKS: [char; 5] = ['=', ':', '>', '"', '\''];
        let marked = text.split_inclusive(MARKS).filter(|piece| piece.ends_with(MARKS));
        marked.map(|piece| piece.trim_end_matches([' ', '\t', '\\', ']', ')', '=', ':', '>', '"', '\''])).any(|key| {
            // What stands right before the mark, at most a few words of it.
            let start = key.char_indices().rev().nth(60).map_or(0, |(at, _)| at);
            let phrase = key[start..].rsplit(['\n', ',', ';', '&', '?', '<', '{', '(']).next().unwrap_or_default();
            let last = phrase.split_whitespace().next_back().unwrap_or_default();
            let words = words(phrase);
            self.is_sensitive(last) || self.entries.iter().any(|entry| words.ends_with(entry))
        })
    }
}

/// The words of a key in lower case, split at `_`, `-`, `.`, spaces and case changes: `userAPIKey` is user, api, key.
fn words(key: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let chars: Vec<char> = key.chars().collect();
    for (at, &c) in chars.iter().enumerate() {
        let separates = matches!(c, '_' | '-' | '.') || c.is_whitespace();
        let rises = at > 0 && c.is_uppercase() && !chars[at - 1].is_uppercase();
        let falls = c.is_uppercase() && chars.get(at + 1).is_some_and(|next| next.is_lowercase());
        if (separates || rises || falls) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if !separates {
            word.extend(c.to_lowercase());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
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
        for key in ["password", "user_password", "PassWord", "newPassword", "pin", "API-Key", "x-session-id", "eMail"] {
            assert_eq!(keys.is_sensitive(key), key != "eMail", "{key}");
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
    fn free_text_that_names_a_key_and_a_value_is_told_from_prose() {
        let keys = Keys::new(&[]);
        for text in ["password=hunter2", "user: x\nPassword : y", "<pin>1234</pin>", "api key: k", r#"name="token""#] {
            assert!(keys.seem_to_be_in(text), "{text}");
        }
        for text in ["wrong password", "shipping: 3 days", "hello, world: 1", "the token has expired"] {
            assert!(!keys.seem_to_be_in(text), "{text}");
        }
    }
}
