//! Losses that have not been logged yet.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::category::Category;
use crate::spool::SpoolLosses;

/// Losses within this interval are logged together.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Drops of other things than events are logged at most this often: a rate limit can last for hours.
const DROPS_REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// The message and the additional keys of a service record.
pub(crate) type LossLine = (String, Map<String, Value>);

#[derive(Default)]
pub(crate) struct PendingLosses {
    spool: SpoolLosses,
    /// The number of dropped envelopes by kind of reason and category.
    dropped: BTreeMap<(&'static str, Category), u64>,
    /// The number of dropped items by kind.
    items: BTreeMap<&'static str, u64>,
    /// All losses since the start, by the keys of the records that report them.
    totals: BTreeMap<&'static str, u64>,
    /// When they are to be logged; `None` if there are none.
    due: Option<Instant>,
    /// When drops may be logged again.
    next_drops: Option<Instant>,
}

impl PendingLosses {
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(crate) fn add_spool(&mut self, losses: SpoolLosses, now: Instant) {
        for category in &losses.unsent {
            *self.dropped.entry(("only events are spooled", *category)).or_default() += 1;
            self.add_total(category.as_str(), 1);
        }
        self.add_total(Category::Event.as_str(), losses.evicted + losses.expired);
        self.spool.add(losses);
        self.log_at(now + REPORT_INTERVAL);
    }

    pub(crate) fn add_dropped(&mut self, category: Category, reason: &'static str, now: Instant) {
        *self.dropped.entry((reason, category)).or_default() += 1;
        self.add_total(category.as_str(), 1);
        self.log_drops(now);
    }

    /// Counts an item that was dropped because its content cannot be redacted.
    pub(crate) fn add_item(&mut self, kind: &'static str, now: Instant) {
        *self.items.entry(kind).or_default() += 1;
        self.add_total(kind, 1);
        self.log_drops(now);
    }

    /// All losses since the start, by the keys of the records that report them.
    pub(crate) const fn totals(&self) -> &BTreeMap<&'static str, u64> {
        &self.totals
    }

    fn add_total(&mut self, key: &'static str, count: u64) {
        if count > 0 {
            *self.totals.entry(key).or_default() += count;
        }
    }

    fn log_drops(&mut self, now: Instant) {
        let soon = now + REPORT_INTERVAL;
        self.log_at(self.next_drops.map_or(soon, |next| next.max(soon)));
    }

    fn log_at(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Takes what is to be logged.
    pub(crate) fn take(&mut self, now: Instant) -> Vec<LossLine> {
        self.due = None;
        let spool = std::mem::take(&mut self.spool);
        let mut lines = Vec::new();
        for (count, reason) in [
            (spool.evicted, "spool full (sentry.spool_max_bytes)"),
            (spool.expired, "older than sentry.spool_max_age_s"),
        ] {
            if count > 0 {
                let message = format!("dropped {count} spooled events: {reason}");
                lines.push((message, dropped(Category::Event, count)));
            }
        }
        lines.extend(
            spool.quarantined.into_iter().map(|name| (format!("quarantined invalid spool file {name}"), Map::new())),
        );
        if !self.dropped.is_empty() || !self.items.is_empty() {
            self.next_drops = Some(now + DROPS_REPORT_INTERVAL);
        }
        for ((reason, category), count) in std::mem::take(&mut self.dropped) {
            let message = format!("dropped {count} envelopes for Sentry ({}): {reason}", category.as_str());
            lines.push((message, dropped(category, count)));
        }
        let items = std::mem::take(&mut self.items);
        if !items.is_empty() {
            let total: u64 = items.values().sum();
            let counts: Map<String, Value> =
                items.into_iter().map(|(kind, count)| (kind.into(), count.into())).collect();
            let message = format!("dropped {total} items sent with the Sentry SDK, which cannot be redacted");
            lines.push((message, Map::from_iter([("dropped".to_owned(), counts.into())])));
        }
        lines
    }
}

fn dropped(category: Category, count: u64) -> Map<String, Value> {
    let counts = Map::from_iter([(category.as_str().to_owned(), Value::from(count))]);
    Map::from_iter([("dropped".to_owned(), counts.into())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn drops_are_logged_together_at_most_once_a_minute() {
        let begin = Instant::now();
        let second = Duration::from_secs(1);
        let mut losses = PendingLosses::default();
        assert_eq!(losses.due(), None);
        for (category, reason) in
            [(Category::Transaction, "limited"), (Category::Session, "limited"), (Category::Transaction, "limited")]
        {
            losses.add_dropped(category, reason, begin);
        }
        assert_eq!(losses.due(), Some(begin + second));
        let lines = losses.take(begin + second);
        let texts: Vec<_> = lines.iter().map(|(message, _)| message.as_str()).collect();
        let expected = [
            "dropped 2 envelopes for Sentry (transaction): limited",
            "dropped 1 envelopes for Sentry (session): limited",
        ];
        assert_eq!(texts, expected);
        assert_eq!(json!(lines[0].1), json!({"dropped": {"transaction": 2}}));
        assert_eq!(losses.due(), None);
        losses.add_dropped(Category::Log, "limited", begin + 2 * second);
        assert_eq!(losses.due(), Some(begin + 61 * second));
        let spool = SpoolLosses { evicted: 1, ..SpoolLosses::default() };
        losses.add_spool(spool, begin + 3 * second);
        assert_eq!(losses.due(), Some(begin + 4 * second), "losses of events do not wait");
        assert_eq!(losses.take(begin + 4 * second).len(), 2);
        losses.add_item("attachment", begin);
        let totals = [("attachment", 1), ("event", 1), ("log_item", 1), ("session", 1), ("transaction", 2)];
        assert_eq!(losses.totals(), &BTreeMap::from(totals), "they remain when the losses are logged");
    }
}
