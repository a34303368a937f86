//! A search for suspects that runs a little ahead of whoever reads the text from its beginning.

use super::suspects::Suspects;

pub(super) struct Ahead<'a> {
    suspects: &'a Suspects,
    text: &'a [u8],
    /// How far it was searched, and the first suspect that was found and not passed yet.
    clear: usize,
    suspect: Option<usize>,
}

impl<'a> Ahead<'a> {
    pub fn of(suspects: &'a Suspects, text: &'a [u8]) -> Self {
        Self { suspects, text, clear: 0, suspect: None }
    }

    /// Whether a suspect begins between two places; never before those that were asked about.
    #[inline]
    pub fn is_suspect(&mut self, from: usize, to: usize) -> bool {
        /// Short strings are not worth a search each.
        const AHEAD: usize = 256;
        if self.suspect.is_some_and(|suspect| suspect < from) {
            self.suspect = None;
        }
        if self.suspect.is_none() && self.clear < to {
            let start = self.clear.max(from);
            let far = to.max(start + AHEAD).min(self.text.len());
            self.suspect = self.suspects.first(self.text, start, far, false);
            self.clear = self.suspect.map_or(far, |suspect| suspect + 1);
        }
        self.suspect.is_some_and(|suspect| suspect < to)
    }
}
