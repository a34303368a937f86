//! Records and events that stay in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

#[derive(Debug, Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<All>>);

#[derive(Debug, Default)]
struct All {
    records: Vec<Value>,
    events: Vec<Value>,
}

impl Kept {
    pub fn record(&self, line: &[u8]) {
        let record = serde_json::from_slice(line).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(line)));
        self.lock().records.push(record);
    }

    #[cfg_attr(not(feature = "sentry"), expect(dead_code, reason = "without Sentry there are none"))]
    pub fn event(&self, event: Value) {
        self.lock().events.push(event);
    }

    /// All records and events so far, which are forgotten here.
    #[cfg(all(test, feature = "sentry"))]
    pub fn take(&self) -> (Vec<Value>, Vec<Value>) {
        let all = std::mem::take(&mut *self.lock());
        (all.records, all.events)
    }

    /// What one request has left.
    pub fn of_request(&self, id: &str) -> (Vec<Value>, Vec<Value>) {
        let all = self.lock();
        let records = all.records.iter().filter(|record| record["request_id"] == id);
        let events = all.events.iter().filter(|event| event["tags"]["request_id"] == id);
        (records.cloned().collect(), events.cloned().collect())
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        // Each change is one push.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
