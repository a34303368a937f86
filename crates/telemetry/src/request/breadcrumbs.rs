//! A bounded list of breadcrumbs.

use std::collections::VecDeque;

use crate::record::RecordedBreadcrumb;

/// The newest breadcrumbs, up to a limit.
#[derive(Debug, Default)]
pub struct Breadcrumbs(VecDeque<RecordedBreadcrumb>);

impl Breadcrumbs {
    /// Adds a breadcrumb, and drops the oldest ones beyond `limit`.
    pub fn push(&mut self, breadcrumb: RecordedBreadcrumb, limit: usize) {
        while self.0.len() >= limit.max(1) {
            self.0.pop_front();
        }
        if limit > 0 {
            self.0.push_back(breadcrumb);
        }
    }

    /// Inserts breadcrumbs by their time, and drops the oldest ones beyond `limit`.
    pub(crate) fn merge(&mut self, breadcrumbs: impl Iterator<Item = RecordedBreadcrumb>, limit: usize) {
        self.0.extend(breadcrumbs);
        self.0.make_contiguous().sort_by_key(|breadcrumb| breadcrumb.at);
        self.0.drain(..self.0.len().saturating_sub(limit));
    }

    /// A copy of all breadcrumbs, oldest first.
    #[must_use]
    pub fn to_vec(&self) -> Vec<RecordedBreadcrumb> {
        self.0.iter().cloned().collect()
    }
}
