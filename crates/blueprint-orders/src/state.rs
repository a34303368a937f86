//! The status of an order and its allowed changes.
//!
//! ```text
//! placed ──pay──→ paid ──ship──→ shipped
//!    └───cancel────┴──→ cancelled
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The status of an order. A placed order is paid and then shipped. It can be cancelled until it is shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = OrderStatus, example = "placed")]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Placed,
    Paid,
    Shipped,
    Cancelled,
}

/// A request to change the status of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Pay,
    Ship,
    Cancel,
}

/// The status after the action; `None` when the current status does not allow it.
pub(crate) const fn status_after(status: Status, action: Action) -> Option<Status> {
    match (status, action) {
        (Status::Placed, Action::Pay) => Some(Status::Paid),
        (Status::Paid, Action::Ship) => Some(Status::Shipped),
        (Status::Placed | Status::Paid, Action::Cancel) => Some(Status::Cancelled),
        _ => None,
    }
}

/// The reason why an action was rejected, and the actions that the current status allows.
pub(crate) fn rejection(status: Status, action: Action) -> String {
    if status_after(status, action).is_some() {
        return format!("another request changed the status of this order to {status}; get the order and retry");
    }
    let allowed = Action::ALL.into_iter().filter(|action| status_after(status, *action).is_some());
    let allowed: Vec<&str> = allowed.map(Action::as_str).collect();
    let reason = format!("cannot {} this order: its status is {status}", action.as_str());
    match &allowed[..] {
        [] => format!("{reason}, which allows no further action"),
        allowed => format!("{reason}, which allows only {}", allowed.join(" or ")),
    }
}

impl Status {
    const ALL: [Self; 4] = [Self::Placed, Self::Paid, Self::Shipped, Self::Cancelled];

    /// The text in the database and in JSON.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Paid => "paid",
            Self::Shipped => "shipped",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The database contains an unknown status.
#[derive(Debug)]
pub(crate) struct UnknownStatus(String);

impl fmt::Display for UnknownStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an order has the unknown status {:?}", self.0)
    }
}

impl std::error::Error for UnknownStatus {}

impl TryFrom<String> for Status {
    type Error = UnknownStatus;

    fn try_from(text: String) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownStatus(text))
    }
}

impl Action {
    const ALL: [Self; 3] = [Self::Pay, Self::Ship, Self::Cancel];

    /// The last segment of its route.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pay => "pay",
            Self::Ship => "ship",
            Self::Cancel => "cancel",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Action::{Cancel, Pay, Ship};
    use super::Status::{Cancelled, Paid, Placed, Shipped};
    use super::*;

    #[test]
    fn each_status_allows_its_actions() {
        let table = [
            //           pay         ship           cancel
            (Placed, [Some(Paid), None, Some(Cancelled)]),
            (Paid, [None, Some(Shipped), Some(Cancelled)]),
            (Shipped, [None, None, None]),
            (Cancelled, [None, None, None]),
        ];
        for (status, expected) in table {
            assert_eq!([Pay, Ship, Cancel].map(|action| status_after(status, action)), expected, "from {status}");
        }
    }

    #[test]
    fn a_rejection_names_the_status_and_the_allowed_actions() {
        let changed = "another request changed the status of this order to paid; get the order and retry";
        assert_eq!(rejection(Paid, Cancel), changed);
        let text = |status| rejection(status, if status == Placed { Ship } else { Pay });
        assert_eq!(text(Placed), "cannot ship this order: its status is placed, which allows only pay or cancel");
        assert_eq!(text(Paid), "cannot pay this order: its status is paid, which allows only ship or cancel");
        assert_eq!(text(Shipped), "cannot pay this order: its status is shipped, which allows no further action");
        assert_eq!(text(Cancelled), "cannot pay this order: its status is cancelled, which allows no further action");
    }

    #[test]
    fn a_status_has_one_text_in_json_and_in_the_database() {
        for status in Status::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
            assert_eq!(Status::try_from(status.as_str().to_owned()).unwrap(), status);
        }
        assert!(Status::try_from("Placed".to_owned()).is_err());
    }
}
