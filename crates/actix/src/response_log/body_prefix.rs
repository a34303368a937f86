//! The first bytes of a body that passes, and how many it has.

use actix_web::web::Bytes;

/// Keeps the beginning of a body, up to a limit.
#[derive(Debug, Default)]
pub(crate) struct BodyPrefix {
    /// As it came, shared with who sends it, while there is no second chunk.
    first: Bytes,
    /// The first chunk and those after it.
    joined: Vec<u8>,
    limit: usize,
    /// Bytes that have gone by.
    pub size: u64,
    /// Whether the body has come to its end.
    pub ended: bool,
}

impl BodyPrefix {
    /// `wanted` is the most bytes of the beginning that are kept.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    pub(super) fn push(&mut self, chunk: &Bytes) {
        self.size += chunk.len() as u64;
        let room = self.limit.saturating_sub(self.bytes().len()).min(chunk.len());
        if room == 0 {
            return;
        }
        if self.bytes().is_empty() {
            self.first = chunk.slice(..room);
            return;
        }
        if self.joined.is_empty() {
            self.joined.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.joined.extend_from_slice(&chunk[..room]);
    }

    /// A body that is there in one piece: whatever of it is shown, all of it may be read.
    pub(super) fn push_complete(&mut self, body: &Bytes) {
        self.size += body.len() as u64;
        if self.limit > 0 {
            self.first = body.clone();
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        if self.joined.is_empty() { &self.first } else { &self.joined }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_is_kept_and_the_rest_counted() {
        let mut prefix = BodyPrefix::new(5);
        for (chunk, beginning) in [("", ""), ("ab", "ab"), ("cd", "abcd"), ("ef", "abcde"), ("g", "abcde")] {
            prefix.push(&Bytes::from_static(chunk.as_bytes()));
            assert_eq!(prefix.bytes(), beginning.as_bytes());
        }
        assert_eq!(prefix.size, 7);
    }

    #[test]
    fn a_body_in_one_piece_is_kept_whole_or_not_at_all() {
        let body = Bytes::from_static(b"abcdef");
        for (limit, beginning) in [(0, &b""[..]), (1, b"abcdef"), (100, b"abcdef")] {
            let mut prefix = BodyPrefix::new(limit);
            prefix.push_complete(&body);
            assert_eq!((prefix.bytes(), prefix.size, prefix.ended), (beginning, 6, false));
        }
        let mut prefix = BodyPrefix::new(0);
        prefix.push(&body);
        prefix.push_complete(&body);
        assert_eq!((prefix.bytes(), prefix.size), (&b""[..], 12));
    }
}
