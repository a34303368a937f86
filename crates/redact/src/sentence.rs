//! Prose after a sensitive word is no secret.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::vocabulary::SENTENCE;

/// Whether a word, in any case, is one that sentences about secrets begin with.
pub(crate) fn is_sentence_word(word: &str) -> bool {
    static WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| SENTENCE.split_whitespace().collect());
    let word = word.trim_end_matches(['.', '!', '?']);
    WORDS.contains(word.to_lowercase().replace('’', "'").as_str())
}

/// Whether more words follow: after optional punctuation and white space.
fn words_follow(after: &str) -> bool {
    let rest = after.trim_start_matches([',', ';', '.', ')']);
    let trimmed = rest.trim_start_matches([' ', '\t']);
    trimmed.len() < rest.len() && trimmed.starts_with(|c: char| c.is_alphanumeric() || "\"'`“‘(<[{".contains(c))
}

/// Whether a word begins a sentence, of which the rest follows.
pub(crate) fn is_sentence(word: &str, after: &str) -> bool {
    is_sentence_word(word) && words_follow(after)
}

/// Whether a text under a sensitive key of an error reads like a message: three or more words that begin with a listed one.
pub(crate) fn is_message(text: &str) -> bool {
    let mut words = text.split_whitespace();
    words.next().is_some_and(is_sentence_word) && words.count() >= 2
}
