//! The first bytes of a body, and its size.

use actix_web::web::Bytes;

/// Collects the beginning of a body up to a limit, and counts its bytes.
#[derive(Debug, Default)]
pub(crate) struct BodyPrefix {
    /// The first chunk, shared with the sender, until a second one arrives.
    first: Bytes,
    /// The first chunk and the following ones.
    joined: Vec<u8>,
    limit: usize,
    /// Number of bytes so far.
    pub size: u64,
    /// Whether the body has ended.
    pub ended: bool,
}

impl BodyPrefix {
    /// `limit` is the maximum number of stored bytes.
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

    /// Adds a body that is available in one piece. It is stored completely, at no cost, so that redaction can read all of it.
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
    fn the_beginning_is_stored_and_the_rest_is_counted() {
        let mut prefix = BodyPrefix::new(5);
        for (chunk, beginning) in [("", ""), ("ab", "ab"), ("cd", "abcd"), ("ef", "abcde"), ("g", "abcde")] {
            prefix.push(&Bytes::from_static(chunk.as_bytes()));
            assert_eq!(prefix.bytes(), beginning.as_bytes());
        }
        assert_eq!(prefix.size, 7);
    }

    #[test]
    fn a_body_in_one_piece_is_stored_completely_or_not_at_all() {
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
