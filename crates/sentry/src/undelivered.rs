//! Why an envelope was not delivered.

use sentry::protocol::client_report::Reason;

/// Why an envelope was not delivered. It decides what happens to an event, and how anything else is counted.
#[derive(Debug)]
pub(crate) enum Undelivered {
    /// Sentry refused it, and would refuse it again.
    Refused(String),
    /// Sentry cannot be reached, or fails. A later attempt may succeed.
    Unavailable(String),
    /// Sentry refused it because of a rate limit.
    Limited(String),
    /// It was not sent because of a rate limit.
    HeldBack,
    /// The queue is full or closed.
    QueueFull,
    /// The service stopped.
    Stopped,
}

impl Undelivered {
    /// The exact reason.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Refused(reason) | Self::Unavailable(reason) | Self::Limited(reason) => reason,
            Self::HeldBack | Self::QueueFull | Self::Stopped => self.kind(),
        }
    }

    /// The kind of reason, by which drops are counted.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused by Sentry",
            Self::Unavailable(_) => "Sentry unavailable",
            Self::Limited(_) | Self::HeldBack => "rate limited by Sentry",
            Self::QueueFull => "transport queue full or closed",
            Self::Stopped => "service stopped before delivery",
        }
    }

    /// The reason in Sentry's client reports; `None` if Sentry has counted it itself.
    pub(crate) fn reported_as(&self) -> Option<Reason> {
        match self {
            Self::Refused(_) => Some(Reason::SendError),
            Self::Unavailable(_) => Some(Reason::NetworkError),
            Self::Limited(_) => None,
            Self::HeldBack => Some(Reason::RatelimitBackoff),
            Self::QueueFull => Some(Reason::QueueOverflow),
            Self::Stopped => Some(Reason::InternalSdkError),
        }
    }
}
