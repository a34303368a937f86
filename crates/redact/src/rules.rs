//! The definition of a secret: sensitive keys, patterns, and a prefilter that dismisses most texts without a full
//! search.

use std::borrow::Cow;

use crate::byte_class::{ESCAPE, byte_classes};
use crate::keys::Keys;
use crate::patterns::{OwnPattern, PatternFinder, Patterns, redact_ranges};
use crate::placeholder::REDACTED;
use crate::prefilter::Prefilter;
use crate::pseudonyms::Pseudonyms;
use crate::text;

/// The rules by which a text is searched for secrets.
#[derive(Debug)]
pub(crate) struct Rules {
    pub keys: Keys,
    pub patterns: PatternFinder,
    pub prefilter: Prefilter,
    pub pseudonyms: Option<Pseudonyms>,
}

impl Rules {
    /// `extra_keys` are sensitive in addition to the built-in ones, `keep` are not.
    pub(crate) fn new(extra_keys: &[String], keep: &[String], patterns: Patterns) -> Self {
        let keys = Keys::new(extra_keys, keep);
        let prefilter = Prefilter::new(keys.entries(), &patterns);
        Self { keys, patterns: PatternFinder::new(patterns), prefilter, pseudonyms: None }
    }

    /// The same rules and these patterns. No text can be dismissed, because nothing is known about what they match.
    pub(crate) fn with_own_patterns(self, own: Vec<OwnPattern>) -> Self {
        Self { patterns: self.patterns.with_own(own), prefilter: Prefilter::match_all(), ..self }
    }

    /// The same rules, and these pseudonyms. Their keys may be any, so no text is dismissed.
    pub(crate) fn with_pseudonyms(self, pseudonyms: Pseudonyms) -> Self {
        Self { prefilter: Prefilter::match_all(), pseudonyms: Some(pseudonyms), ..self }
    }

    /// The pseudonyms, if the values of this key have some.
    pub(crate) fn pseudonyms_of(&self, key: &str) -> Option<&Pseudonyms> {
        self.pseudonyms.as_ref().filter(|pseudonyms| pseudonyms.is_listed(key))
    }

    /// Whether there may be something to redact; `false` is definite. A `partial` text may continue beyond its end.
    pub(crate) fn may_match(&self, text: &[u8], partial: bool) -> bool {
        self.prefilter.may_match(text, partial)
    }

    /// A text with its secrets redacted where they are written; `None` if it contains none.
    pub(crate) fn redact_text(&self, text: &str, partial: bool) -> Option<Cow<'static, str>> {
        /// A placeholder can complete another secret.
        const MAX_PASSES: usize = 3;
        let mut shown: Option<String> = None;
        for _ in 0..MAX_PASSES {
            let current = shown.as_deref().unwrap_or(text);
            let found = text::find(&self.keys, &self.patterns, current, partial);
            if found.is_empty() {
                return shown.map(Cow::Owned);
            }
            shown = Some(redact_ranges(current, &found).into_owned());
            if byte_classes(text.as_bytes()) & ESCAPE == 0 {
                return shown.map(Cow::Owned);
            }
        }
        Some(REDACTED.into())
    }
}
