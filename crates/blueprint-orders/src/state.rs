//! What may become of an order.
//!
//! ```text
//! placed ──pay──→ paid ──ship──→ shipped
//!    └───cancel────┴──→ cancelled
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A placed order is paid, then shipped; until then it can be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = OrderStatus, example = "placed")]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Placed,
    Paid,
    Shipped,
    Cancelled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Move {
    Pay,
    Ship,
    Cancel,
}

/// The status that the move leads to, or `None` when it is not possible.
pub(crate) const fn next(status: Status, by: Move) -> Option<Status> {
    match (status, by) {
        (Status::Placed, Move::Pay) => Some(Status::Paid),
        (Status::Paid, Move::Ship) => Some(Status::Shipped),
        (Status::Placed | Status::Paid, Move::Cancel) => Some(Status::Cancelled),
        _ => None,
    }
}

/// Where an order stands and what is possible from there, for the one whose move was refused.
pub(crate) fn outlook(status: Status) -> String {
    let possible = Move::ALL.into_iter().filter(|by| next(status, *by).is_some());
    let possible: Vec<&str> = possible.map(Move::as_str).collect();
    match &possible[..] {
        [] => format!("the order is {status}: nothing more can be done with it"),
        moves => format!("the order is {status}: possible is {}", moves.join(" or ")),
    }
}

impl Status {
    const ALL: [Self; 4] = [Self::Placed, Self::Paid, Self::Shipped, Self::Cancelled];

    /// As it is stored and sent.
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

/// What the database holds is no status.
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

impl Move {
    const ALL: [Self; 3] = [Self::Pay, Self::Ship, Self::Cancel];

    /// As its route has it.
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
    use super::Move::{Cancel, Pay, Ship};
    use super::Status::{Cancelled, Paid, Placed, Shipped};
    use super::*;

    #[test]
    fn the_table() {
        let table = [
            //           pay         ship           cancel
            (Placed, [Some(Paid), None, Some(Cancelled)]),
            (Paid, [None, Some(Shipped), Some(Cancelled)]),
            (Shipped, [None, None, None]),
            (Cancelled, [None, None, None]),
        ];
        for (status, expected) in table {
            assert_eq!([Pay, Ship, Cancel].map(|by| next(status, by)), expected, "from {status}");
        }
    }

    #[test]
    fn the_outlook_names_the_status_and_what_is_possible() {
        assert_eq!(outlook(Placed), "the order is placed: possible is pay or cancel");
        assert_eq!(outlook(Paid), "the order is paid: possible is ship or cancel");
        assert_eq!(outlook(Shipped), "the order is shipped: nothing more can be done with it");
        assert_eq!(outlook(Cancelled), "the order is cancelled: nothing more can be done with it");
    }

    #[test]
    fn what_is_stored_is_what_is_sent_and_can_be_read_again() {
        for status in Status::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
            assert_eq!(Status::try_from(status.as_str().to_owned()).unwrap(), status);
        }
        assert!(Status::try_from("Placed".to_owned()).is_err());
    }
}
