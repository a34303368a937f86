//! What is a secret: sensitive keys, patterns, and the prefilter that dismisses most texts without a closer look.

use std::borrow::Cow;

use crate::escapes::decodings;
use crate::keys::Keys;
use crate::patterns::{PatternFinder, Patterns, redact_ranges};
use crate::placeholder::REDACTED;
use crate::prefilter::Prefilter;

/// What decides whether a text holds a secret.
#[derive(Debug)]
pub(crate) struct Rules {
    pub keys: Keys,
    pub patterns: PatternFinder,
    pub prefilter: Prefilter,
}

impl Rules {
    /// `more` are keys that are sensitive beside the built-in ones.
    pub(crate) fn new(extra_keys: &[String], patterns: Patterns) -> Self {
        let keys = Keys::new(extra_keys);
        let prefilter = Prefilter::new(keys.entries(), patterns.card);
        Self { keys, patterns: PatternFinder::new(patterns), prefilter }
    }

    /// Whether there could be anything to redact; `false` is certain. The text may continue after an `open` end.
    pub(crate) fn may_match(&self, text: &[u8], partial: bool) -> bool {
        self.prefilter.may_match(text, partial)
    }

    /// Whether a secret is found in a text, or in what it is without its escapes.
    pub(crate) fn contains_secret(&self, text: &str, partial: bool) -> bool {
        !self.patterns.find(text, partial).is_empty() || self.contains_encoded_secret(text, partial)
    }

    /// Whether a secret is found in what a text is without its escapes.
    fn contains_encoded_secret(&self, text: &str, partial: bool) -> bool {
        decodings(text).skip(1).any(|text| !self.patterns.find(&text, partial).is_empty())
    }

    /// Of a text that a secret is found in: the text without it, where nothing is found then, else nothing of it.
    pub(crate) fn redact_found(&self, text: &str, partial: bool) -> Option<Cow<'static, str>> {
        let found = self.patterns.find(text, partial);
        if found.first() == Some(&(0..text.len())) {
            return Some(REDACTED.into());
        }
        if found.is_empty() && !self.contains_encoded_secret(text, partial) {
            return None;
        }
        let shown = redact_ranges(text, &found);
        Some(if self.contains_secret(&shown, partial) { REDACTED.into() } else { shown.into_owned().into() })
    }

    /// What is shown of a key that holds a secret itself.
    pub(crate) fn key(&self, key: &str) -> Option<Cow<'static, str>> {
        if self.keys.are_assigned_in(key) { Some(REDACTED.into()) } else { self.redact_found(key, false) }
    }
}
