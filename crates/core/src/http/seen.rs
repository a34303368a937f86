//! A body that goes by: how much of it, and its beginning.

use actix_web::web::Bytes;

/// Keeps the beginning of a body, up to a limit.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    beginning: Vec<u8>,
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
        let room = self.wanted.saturating_sub(self.beginning.len()).min(chunk.len());
        self.beginning.extend_from_slice(&chunk[..room]);
    }

    pub fn beginning(&self) -> &[u8] {
        &self.beginning
    }
}
