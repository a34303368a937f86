//! What is a secret: sensitive keys, patterns, and the prefilter that dismisses most texts without a closer look.

use std::borrow::Cow;

use crate::escapes::readings;
use crate::keys::Keys;
use crate::patterns::{Finder, Patterns, without};
use crate::placeholder::REDACTED;
use crate::prefilter::Prefilter;

/// What decides whether a text holds a secret.
#[derive(Debug)]
pub(crate) struct Rules {
    pub keys: Keys,
    pub patterns: Finder,
    pub prefilter: Prefilter,
}

impl Rules {
    /// `more` are keys that are sensitive beside the built-in ones.
    pub(crate) fn new(more: &[String], patterns: Patterns) -> Self {
        let keys = Keys::new(more);
        let prefilter = Prefilter::new(keys.entries(), patterns.card);
        Self { keys, patterns: Finder::new(patterns), prefilter }
    }

    /// Whether there could be anything to redact; `false` is certain. The text may continue after an `open` end.
    pub(crate) fn may_match(&self, text: &[u8], open: bool) -> bool {
        self.prefilter.may_match(text, open)
    }

    /// Whether a secret is found in a text, or in what it is without its escapes.
    pub(crate) fn is_found_in(&self, text: &str, open: bool) -> bool {
        !self.patterns.find(text, open).is_empty() || self.is_hidden_in(text, open)
    }

    /// Whether a secret is found in what a text is without its escapes.
    fn is_hidden_in(&self, text: &str, open: bool) -> bool {
        readings(text).skip(1).any(|text| !self.patterns.find(&text, open).is_empty())
    }

    /// Of a text that a secret is found in: the text without it, where nothing is found then, else nothing of it.
    pub(crate) fn without_found(&self, text: &str, open: bool) -> Option<Cow<'static, str>> {
        let found = self.patterns.find(text, open);
        if found.first() == Some(&(0..text.len())) {
            return Some(REDACTED.into());
        }
        if found.is_empty() && !self.is_hidden_in(text, open) {
            return None;
        }
        let shown = without(text, &found);
        Some(if self.is_found_in(&shown, open) { REDACTED.into() } else { shown.into_owned().into() })
    }

    /// What is shown of a key that holds a secret itself.
    pub(crate) fn key(&self, key: &str) -> Option<Cow<'static, str>> {
        if self.keys.have_values_in(key) { Some(REDACTED.into()) } else { self.without_found(key, false) }
    }
}
