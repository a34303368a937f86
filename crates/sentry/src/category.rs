//! The categories of envelopes. Sentry limits each separately.

use sentry::Envelope;
use sentry::protocol::{EnvelopeItem, ItemContainer};

/// The category of an envelope: that of its first item in the order of these variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Category {
    /// Errors and messages. Only these are spooled.
    Event,
    Transaction,
    Session,
    Log,
    Metric,
    Other,
}

impl Category {
    pub(crate) const ALL: [Self; 6] =
        [Self::Event, Self::Transaction, Self::Session, Self::Log, Self::Metric, Self::Other];

    pub(crate) fn of(envelope: &Envelope) -> Self {
        let of_item = |item: &EnvelopeItem| match item {
            EnvelopeItem::Event(_) => Self::Event,
            EnvelopeItem::Transaction(_) => Self::Transaction,
            EnvelopeItem::SessionUpdate(_) | EnvelopeItem::SessionAggregates(_) => Self::Session,
            EnvelopeItem::ItemContainer(ItemContainer::Logs(_)) => Self::Log,
            EnvelopeItem::ItemContainer(ItemContainer::Metrics(_)) => Self::Metric,
            _ => Self::Other,
        };
        envelope.items().map(of_item).min().unwrap_or(Self::Other)
    }

    /// The name in records and in the names of spool files.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Transaction => "transaction",
            Self::Session => "session",
            Self::Log => "log_item",
            Self::Metric => "trace_metric",
            Self::Other => "other",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.as_str() == name)
    }

    /// The category with this name in Sentry's rate limits.
    pub(crate) fn from_limit(name: &str) -> Option<Self> {
        match name {
            "error" => Some(Self::Event),
            // They are no categories of Sentry.
            "event" | "other" => None,
            name => Self::from_name(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{event, transaction};
    use super::*;
    use sentry::protocol::Attachment;

    #[test]
    fn the_category_is_that_of_the_most_important_item() {
        assert_eq!(Category::of(&event("one")), Category::Event);
        let mut envelope = Envelope::new();
        envelope.add_item(Attachment::default());
        assert_eq!(Category::of(&envelope), Category::Other);
        envelope.add_item(ItemContainer::Logs(Vec::new()));
        assert_eq!(Category::of(&envelope), Category::Log);
        for item in transaction("GET /").into_items() {
            envelope.add_item(item);
        }
        assert_eq!(Category::of(&envelope), Category::Transaction);
        for item in event("one").into_items() {
            envelope.add_item(item);
        }
        assert_eq!(Category::of(&envelope), Category::Event);
    }

    #[test]
    fn names_are_unique() {
        for category in Category::ALL {
            assert_eq!(Category::from_name(category.as_str()), Some(category));
        }
        assert_eq!((Category::from_limit("error"), Category::from_limit("event")), (Some(Category::Event), None));
        assert_eq!((Category::from_limit("other"), Category::from_limit("log_item")), (None, Some(Category::Log)));
    }
}
