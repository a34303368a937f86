//! Undelivered records.

use serde_json::{Map, Value};

use crate::policy::Kind;

/// Numbers of undelivered records and events, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses(pub Vec<(Kind, u64)>);

impl Losses {
    /// No losses.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether there are no losses.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The total over all kinds.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// The counts by the name of the kind.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        self.0.iter().map(|(kind, count)| (kind.as_str().to_owned(), (*count).into())).collect()
    }

    /// Adds the counts of another sink.
    pub fn add(&mut self, others: Losses) {
        for (kind, count) in others.0 {
            match self.0.iter_mut().find(|(own, _)| *own == kind) {
                Some((_, own)) => *own += count,
                None => self.0.push((kind, count)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_add_up_by_kind() {
        let mut losses = Losses(vec![(Kind::Line, 2)]);
        losses.add(Losses(vec![(Kind::Response, 3), (Kind::Line, 1)]));
        assert_eq!(losses, Losses(vec![(Kind::Line, 3), (Kind::Response, 3)]));
        assert_eq!((losses.total(), losses.is_empty(), Losses::none().is_empty()), (6, false, true));
        assert_eq!(Value::from(losses.to_json()), serde_json::json!({"line": 3, "response": 3}));
    }
}
