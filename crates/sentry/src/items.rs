//! The items of outgoing envelopes: each is scrubbed, or dropped and counted if its content cannot be redacted.

use sentry::Envelope;
use sentry::protocol::{EnvelopeItem, ItemContainer, LogAttribute, SessionAttributes};

use crate::fallback::Fallback;
use crate::scrub::Scrubber;

/// Scrubs the items of envelopes.
pub(crate) struct ItemFilter {
    scrubber: Scrubber,
}

impl ItemFilter {
    pub(crate) fn new(scrubber: Scrubber) -> Self {
        Self { scrubber }
    }

    /// The scrubbed envelope; `None` if no item remains. What is dropped is counted.
    pub(crate) fn scrubbed(&self, envelope: Envelope, fallback: &Fallback) -> Option<Envelope> {
        let mut clean = Envelope::new().with_headers(envelope.headers().clone());
        if envelope.items().next().is_none() {
            fallback.drop_item("raw", &envelope);
        }
        for mut item in envelope.into_items() {
            match self.scrub(&mut item) {
                Ok(()) => clean.add_item(item),
                Err(kind) => fallback.drop_item(kind, &item),
            }
        }
        clean.items().next().is_some().then_some(clean)
    }

    /// Scrubs an item; fails with the kind of one whose content cannot be redacted.
    fn scrub(&self, item: &mut EnvelopeItem) -> Result<(), &'static str> {
        match item {
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
        Ok(())
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
