//! An envelope that is ready to be sent.

use std::sync::Arc;

use sentry::Envelope;
use sentry::protocol::client_report::{ItemLoss, LossSource};
use sentry::protocol::{EnvelopeItem, Event};

use crate::category::Category;
use crate::trim;

/// A serialized envelope.
#[derive(Clone)]
pub(crate) struct QueuedEnvelope {
    pub bytes: Arc<[u8]>,
    pub category: Category,
    /// The event in the envelope, if any, which is written to stderr if it can be neither sent nor spooled.
    pub event: Option<Arc<Event<'static>>>,
    /// What Sentry's client reports count if the envelope is discarded.
    pub losses: Arc<[ItemLoss]>,
}

impl QueuedEnvelope {
    /// Serializes an envelope. An event that is too large for Sentry is trimmed.
    pub(crate) fn new(envelope: &Envelope) -> Option<Self> {
        let bytes = serialized(envelope)?;
        if bytes.len() > trim::MAX_EVENT_BYTES && envelope.event().is_some() {
            let envelope = trimmed(envelope);
            return Some(Self::with_bytes(&envelope, serialized(&envelope)?));
        }
        Some(Self::with_bytes(envelope, bytes))
    }

    fn with_bytes(envelope: &Envelope, bytes: Vec<u8>) -> Self {
        Self {
            bytes: bytes.into(),
            category: Category::of(envelope),
            event: envelope.event().map(|event| Arc::new(event.clone())),
            losses: envelope.losses().collect(),
        }
    }

    pub(crate) fn is_event(&self) -> bool {
        self.category == Category::Event
    }
}

fn serialized(envelope: &Envelope) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    envelope.to_writer(&mut bytes).ok()?;
    Some(bytes)
}

fn trimmed(envelope: &Envelope) -> Envelope {
    let mut fitting = Envelope::new().with_headers(envelope.headers().clone());
    for item in envelope.items() {
        match item {
            EnvelopeItem::Event(event) => fitting.add_item(trim::fit((**event).clone())),
            other => fitting.add_item(other.clone()),
        }
    }
    fitting
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{event, transaction};
    use super::*;

    fn queued(message: &str) -> QueuedEnvelope {
        QueuedEnvelope::new(&event(message)).expect("it can be written")
    }

    #[test]
    fn the_category_is_that_of_the_content() {
        let envelope = queued("one");
        assert_eq!(envelope.category, Category::Event);
        assert_eq!(envelope.event.expect("it has one").message.as_deref(), Some("one"));
        let envelope = QueuedEnvelope::new(&transaction("GET /")).expect("it can be written");
        assert_eq!((envelope.category, envelope.event.is_some()), (Category::Transaction, false));
        let attachment = sentry::protocol::Attachment::default();
        let mut envelope = Envelope::new();
        envelope.add_item(attachment);
        let envelope = QueuedEnvelope::new(&envelope).expect("it can be written");
        assert_eq!((envelope.category, envelope.event.is_some()), (Category::Other, false));
    }

    #[test]
    fn only_the_event_of_a_large_envelope_is_trimmed() {
        let attachment = sentry::protocol::Attachment { buffer: vec![b'a'; 2 << 20], ..Default::default() };
        let mut envelope = event(&"x".repeat(3 << 20));
        envelope.add_item(attachment.clone());
        let queued = QueuedEnvelope::new(&envelope).expect("it can be written");
        let sent = Envelope::from_slice(&queued.bytes).expect("it is an envelope");
        assert_eq!(sent.uuid(), envelope.uuid());
        let bytes = queued.bytes.len() - (2 << 20);
        assert!(bytes > 1_000_000 && bytes < (1 << 20) + 500, "{bytes}");
        let is_attachment =
            |item: &EnvelopeItem| matches!(item, EnvelopeItem::Attachment(sent) if sent.buffer == attachment.buffer);
        assert!(sent.items().any(is_attachment));
        let message = |event: Option<&Event<'static>>| event.and_then(|event| event.message.clone());
        assert!(message(sent.event()) == message(queued.event.as_deref()), "stderr would get the event that is sent");
    }
}
