//! A cache of recently evaluated flags.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use lru::LruCache;
use parking_lot::Mutex;

use crate::context::Subject;
use crate::evaluated_flags::EvaluatedFlags;

/// How long cached values are valid.
const TTL: Duration = Duration::from_secs(1);

/// Maximum number of cached subjects.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(4096).expect("it is not zero");

pub(crate) struct Cache(Mutex<LruCache<Key, (Instant, EvaluatedFlags)>>);

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key([Option<String>; 3]);

impl From<&Subject<'_>> for Key {
    fn from(subject: &Subject<'_>) -> Self {
        Self([subject.blueprint, subject.route, subject.caller].map(|part| part.map(str::to_owned)))
    }
}

impl Cache {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(LruCache::new(CAPACITY)))
    }

    pub(crate) fn get(&self, key: &Key) -> Option<EvaluatedFlags> {
        let mut entries = self.0.lock();
        entries.get(key).filter(|(at, _)| at.elapsed() < TTL).map(|(_, values)| *values)
    }

    pub(crate) fn put(&self, key: Key, values: EvaluatedFlags) {
        self.0.lock().put(key, (Instant::now(), values));
    }

    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }
}
