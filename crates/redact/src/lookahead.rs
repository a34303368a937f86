//! A search for candidates that runs ahead of a scanner.

use crate::prefilter::Prefilter;

pub(crate) struct Lookahead<'a> {
    prefilter: &'a Prefilter,
    text: &'a [u8],
    /// The end of the searched range.
    searched: usize,
    /// The first candidate in it that the scanner has not passed.
    candidate: Option<usize>,
}

impl<'a> Lookahead<'a> {
    pub(crate) fn of(prefilter: &'a Prefilter, text: &'a [u8]) -> Self {
        Self { prefilter, text, searched: 0, candidate: None }
    }

    /// Whether a candidate starts in this range. Ranges must be in ascending order.
    #[inline]
    pub(crate) fn has_candidate(&mut self, from: usize, to: usize) -> bool {
        /// A search per short string would cost more than one over many of them.
        const MIN_SEARCH: usize = 256;
        if self.candidate.is_some_and(|candidate| candidate < from) {
            self.candidate = None;
        }
        if self.candidate.is_none() && self.searched < to {
            let start = self.searched.max(from);
            let far = to.max(start + MIN_SEARCH).min(self.text.len());
            self.candidate = self.prefilter.first_candidate(self.text, start, far, false);
            self.searched = self.candidate.map_or(far, |candidate| candidate + 1);
        }
        self.candidate.is_some_and(|candidate| candidate < to)
    }
}
