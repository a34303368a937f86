//! A search for candidates that runs a little ahead of a scanner that reads the text from its beginning.

use crate::prefilter::Prefilter;

pub(crate) struct Lookahead<'a> {
    prefilter: &'a Prefilter,
    text: &'a [u8],
    /// How far it was searched, and the first candidate that was found and not passed yet.
    clear: usize,
    candidate: Option<usize>,
}

impl<'a> Lookahead<'a> {
    pub(crate) fn of(prefilter: &'a Prefilter, text: &'a [u8]) -> Self {
        Self { prefilter, text, clear: 0, candidate: None }
    }

    /// Whether a candidate begins between two places; never before the places of an earlier call.
    #[inline]
    pub(crate) fn has_candidate(&mut self, from: usize, to: usize) -> bool {
        /// Short strings are not worth a search each.
        const DISTANCE: usize = 256;
        if self.candidate.is_some_and(|candidate| candidate < from) {
            self.candidate = None;
        }
        if self.candidate.is_none() && self.clear < to {
            let start = self.clear.max(from);
            let far = to.max(start + DISTANCE).min(self.text.len());
            self.candidate = self.prefilter.first_candidate(self.text, start, far, false);
            self.clear = self.candidate.map_or(far, |candidate| candidate + 1);
        }
        self.candidate.is_some_and(|candidate| candidate < to)
    }
}
