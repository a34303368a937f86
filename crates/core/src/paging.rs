//! Lists, a page at a time: by the last id that was seen, so that what comes or goes meanwhile neither repeats nor hides
//! anything.

use garde::Validate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Which page of a list: `?limit=20&after=ID`, asked for as [`Query<Paging>`](crate::extract::Query).
#[derive(Debug, Clone, Deserialize, Validate)]
pub struct Paging {
    /// The most items of a page: 1 to 100, 20 when not said.
    #[serde(default = "usual_limit")]
    #[garde(range(min = 1, max = 100))]
    pub limit: u16,
    /// The id of the last item of the page before.
    #[garde(skip)]
    pub after: Option<Uuid>,
}

const fn usual_limit() -> u16 {
    20
}

impl Paging {
    /// How many items to read: one more than asked for tells whether there is a next page.
    #[must_use]
    pub fn to_read(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The page that these items make, of as many as [`to_read`](Self::to_read) says.
    ///
    /// ```
    /// use cyanotype::paging::Paging;
    /// use uuid::Uuid;
    ///
    /// let ids: Vec<Uuid> = (1..=3).map(Uuid::from_u128).collect();
    /// let page = Paging { limit: 2, after: None }.page(ids.clone(), |id| *id);
    /// assert_eq!((page.items.len(), page.next), (2, Some(ids[1])));
    /// ```
    #[must_use]
    pub fn page<T>(&self, mut items: Vec<T>, id: impl Fn(&T) -> Uuid) -> Page<T> {
        let limit = usize::from(self.limit);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(id);
        Page { items, next }
    }
}

/// A part of a list; the next one begins after `next`.
#[derive(Debug, Serialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<Uuid>,
}
