//! A text in which secrets are searched for.

use std::ops::Range;

use crate::keys::Keys;

/// A text with its sensitive keys.
pub(super) struct Searched<'a> {
    pub text: &'a str,
    pub keys: &'a Keys,
    /// The sensitive keys that occur in it, in order.
    pub occurrences: &'a [Range<usize>],
    /// Whether it may continue beyond its end.
    pub partial: bool,
}
