//! The definition of a secret: sensitive keys, patterns, and a prefilter that dismisses most texts without a full
//! search.

use std::borrow::Cow;

use crate::escapes::decodings;
use crate::keys::Keys;
use crate::patterns::{OwnPattern, PatternFinder, Patterns, redact_ranges};
use crate::placeholder::REDACTED;
use crate::prefilter::Prefilter;

/// The rules by which a text is searched for secrets.
#[derive(Debug)]
pub(crate) struct Rules {
    pub keys: Keys,
    pub patterns: PatternFinder,
    pub prefilter: Prefilter,
}

impl Rules {
    /// `extra_keys` are sensitive in addition to the built-in ones.
    pub(crate) fn new(extra_keys: &[String], patterns: Patterns) -> Self {
        let keys = Keys::new(extra_keys);
        let prefilter = Prefilter::new(keys.entries(), &patterns);
        Self { keys, patterns: PatternFinder::new(patterns), prefilter }
    }

    /// The same rules and these patterns. No text can be dismissed, because nothing is known about what they match.
    pub(crate) fn with_own_patterns(self, own: Vec<OwnPattern>) -> Self {
        Self { patterns: self.patterns.with_own(own), prefilter: Prefilter::match_all(), ..self }
    }

    /// Whether there may be something to redact; `false` is definite. A `partial` text may continue beyond its end.
    pub(crate) fn may_match(&self, text: &[u8], partial: bool) -> bool {
        self.prefilter.may_match(text, partial)
    }

    /// Whether a text, or one of its decodings, contains a secret that matches a pattern.
    pub(crate) fn contains_secret(&self, text: &str, partial: bool) -> bool {
        !self.patterns.find(text, partial).is_empty() || self.contains_encoded_secret(text, partial)
    }

    /// Whether a decoding of a text contains such a secret.
    fn contains_encoded_secret(&self, text: &str, partial: bool) -> bool {
        decodings(text).skip(1).any(|text| !self.patterns.find(&text, partial).is_empty())
    }

    /// A text with its secrets redacted, or redacted entirely if they are encoded; `None` if it contains none.
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

    /// The replacement of a key that contains a secret itself.
    pub(crate) fn key(&self, key: &str) -> Option<Cow<'static, str>> {
        if self.keys.are_assigned_in(key) { Some(REDACTED.into()) } else { self.redact_found(key, false) }
    }
}
