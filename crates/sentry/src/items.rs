//! The items of outgoing envelopes: each is scrubbed, or dropped and counted if its content cannot be redacted.

use std::collections::BTreeMap;
use std::time::Duration;

use cyanotype_telemetry::WindowCounter;
use sentry::Envelope;
use sentry::protocol::{EnvelopeItem, ItemContainer, LogAttribute, SessionAttributes};

use crate::fallback::Fallback;
use crate::scrub::Scrubber;

/// The number of dropped items, by kind.
pub(crate) type DroppedItems = BTreeMap<&'static str, u64>;

/// Scrubs the items of envelopes, and counts those that it drops.
pub(crate) struct ItemFilter {
    scrubber: Scrubber,
    dropped: WindowCounter<DroppedItems>,
}

impl ItemFilter {
    /// Dropped items are reported once per `window`.
    pub(crate) fn new(scrubber: Scrubber, window: Duration) -> Self {
        Self { scrubber, dropped: WindowCounter::new("dropped-items", window) }
    }

    /// The scrubbed envelope; `None` if no item remains.
    pub(crate) fn scrubbed(&self, envelope: Envelope, fallback: &Fallback) -> Option<Envelope> {
        let mut clean = Envelope::new().with_headers(envelope.headers().clone());
        let mut is_raw = true;
        let mut has_items = false;
        for item in envelope.into_items() {
            is_raw = false;
            match self.scrubbed_item(item) {
                Ok(item) => {
                    has_items = true;
                    clean.add_item(item);
                }
                Err(kind) => self.count(kind, fallback),
            }
        }
        if is_raw {
            self.count("raw", fallback);
        }
        has_items.then_some(clean)
    }

    /// Reports the items dropped in the current window.
    pub(crate) fn report_dropped(&self, fallback: &Fallback) {
        if let Some(dropped) = self.dropped.close() {
            fallback.report_dropped_items(&dropped);
        }
    }

    fn count(&self, kind: &'static str, fallback: &Fallback) {
        let fallback = fallback.clone();
        let report = move |dropped| fallback.report_dropped_items(&dropped);
        self.dropped.count(|dropped| *dropped.entry(kind).or_default() += 1, report);
    }

    /// The scrubbed item, or the kind of one whose content cannot be redacted.
    fn scrubbed_item(&self, mut item: EnvelopeItem) -> Result<EnvelopeItem, &'static str> {
        match &mut item {
            EnvelopeItem::Event(event) => self.scrubber.event(event),
            EnvelopeItem::Transaction(transaction) => self.scrubber.transaction(transaction),
            EnvelopeItem::SessionUpdate(session) => {
                session.distinct_id.iter_mut().for_each(|id| self.scrubber.user_id(id));
                self.scrub_session(&mut session.attributes);
            }
            EnvelopeItem::SessionAggregates(sessions) => {
                let ids = sessions.aggregates.iter_mut().filter_map(|it| it.distinct_id.as_mut());
                ids.for_each(|id| self.scrubber.user_id(id));
                self.scrub_session(&mut sessions.attributes);
            }
            EnvelopeItem::MonitorCheckIn(check_in) => self.scrubber.text(&mut check_in.monitor_slug),
            EnvelopeItem::ItemContainer(ItemContainer::Logs(logs)) => {
                for log in logs {
                    self.scrubber.text(&mut log.body);
                    self.scrub_attributes(log.attributes.iter_mut());
                }
            }
            EnvelopeItem::ItemContainer(ItemContainer::Metrics(metrics)) => {
                for metric in metrics {
                    self.scrubber.text(metric.name.to_mut());
                    self.scrub_attributes(metric.attributes.iter_mut());
                }
            }
            EnvelopeItem::ClientReport(_) => {}
            EnvelopeItem::Attachment(_) => return Err("attachment"),
            EnvelopeItem::ItemContainer(other) => return Err(other.ty()),
            _ => return Err("other"),
        }
        Ok(item)
    }

    fn scrub_attributes<'a>(
        &self,
        attributes: impl Iterator<Item = (&'a (impl AsRef<str> + 'a), &'a mut LogAttribute)>,
    ) {
        for (key, LogAttribute(value)) in attributes {
            // The SDK's name of a user's address; `user.id` and `user.name` are names of records.
            let key = if key.as_ref() == "user.email" { "email" } else { key.as_ref() };
            self.scrubber.value(key, value);
        }
    }

    fn scrub_session(&self, attributes: &mut SessionAttributes<'static>) {
        attributes.user_agent.iter_mut().for_each(|agent| self.scrubber.text(agent));
        // The protocol accepts no pseudonym.
        attributes.ip_address = attributes.ip_address.filter(|it| self.scrubber.address_pseudonym(*it).is_none());
    }
}
