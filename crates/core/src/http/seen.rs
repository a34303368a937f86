//! A body that goes by: how much of it, and its beginning.

use actix_web::web::Bytes;

/// Keeps the beginning of a body, up to a limit.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// As it came, shared with who sends it, while there is no second chunk.
    first: Bytes,
    /// The first chunk and those after it.
    joined: Vec<u8>,
    wanted: usize,
    /// Bytes that have gone by.
    pub passed: u64,
    /// Whether the body has come to its end.
    pub ended: bool,
}

impl Seen {
    /// `wanted` is the most bytes of the beginning that are kept.
    pub fn new(wanted: usize) -> Self {
        Self { wanted, ..Self::default() }
    }

    pub fn pass(&mut self, chunk: &Bytes) {
        self.passed += chunk.len() as u64;
        let room = self.wanted.saturating_sub(self.beginning().len()).min(chunk.len());
        if room == 0 {
            return;
        }
        if self.beginning().is_empty() {
            self.first = chunk.slice(..room);
            return;
        }
        if self.joined.is_empty() {
            self.joined.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.joined.extend_from_slice(&chunk[..room]);
    }

    /// A body that is there in one piece: whatever of it is shown, all of it may be read.
    pub fn pass_whole(&mut self, body: &Bytes) {
        self.passed += body.len() as u64;
        if self.wanted > 0 {
            self.first = body.clone();
        }
    }

    pub fn beginning(&self) -> &[u8] {
        if self.joined.is_empty() { &self.first } else { &self.joined }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_is_kept_and_the_rest_counted() {
        let mut seen = Seen::new(5);
        for (chunk, beginning) in [("", ""), ("ab", "ab"), ("cd", "abcd"), ("ef", "abcde"), ("g", "abcde")] {
            seen.pass(&Bytes::from_static(chunk.as_bytes()));
            assert_eq!(seen.beginning(), beginning.as_bytes());
        }
        assert_eq!(seen.passed, 7);
    }

    #[test]
    fn a_body_in_one_piece_is_kept_whole_or_not_at_all() {
        let body = Bytes::from_static(b"abcdef");
        for (wanted, beginning) in [(0, &b""[..]), (1, b"abcdef"), (100, b"abcdef")] {
            let mut seen = Seen::new(wanted);
            seen.pass_whole(&body);
            assert_eq!((seen.beginning(), seen.passed, seen.ended), (beginning, 6, false));
        }
        let mut seen = Seen::new(0);
        seen.pass(&body);
        seen.pass_whole(&body);
        assert_eq!((seen.beginning(), seen.passed), (&b""[..], 12));
    }
}
