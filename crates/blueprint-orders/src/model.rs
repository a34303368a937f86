//! What goes over the wire.

use cyanotype::conditional::ETag;
use cyanotype::extract::integer;
use cyanotype::time;
use garde::Validate;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::state::Status;

/// An order to be placed.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrder {
    #[schema(min_items = 1, max_items = 100)]
    #[garde(length(min = 1, max = 100), dive)]
    pub lines: Vec<Line>,
}

/// One article of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Validate, ToSchema)]
#[schema(as = OrderLine)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    /// The article's number.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._-]+$", example = "A-1")]
    #[garde(length(chars, min = 1, max = 64), custom(plain))]
    pub sku: String,
    #[serde(deserialize_with = "integer")]
    #[schema(minimum = 1, maximum = 10_000, example = 2)]
    #[garde(range(min = 1, max = 10_000))]
    pub quantity: i64,
    // This example has no catalogue, so the client says what things cost. A shop must look the price up by the SKU.
    /// Price of one unit in cents, set by the client: this example has no catalogue.
    #[serde(deserialize_with = "integer")]
    #[schema(minimum = 0, maximum = 100_000_000, example = 1250)]
    #[garde(range(min = 0, max = 100_000_000))]
    pub unit_price_cents: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde hands its context over by reference")]
fn plain(sku: &str, (): &()) -> garde::Result {
    if sku.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')) {
        return Ok(());
    }
    Err(garde::Error::new("may hold letters, digits, dots, underscores and hyphens only"))
}

/// What all lines cost, or `None` when that is too much to be counted.
pub(crate) fn total_cents(lines: &[Line]) -> Option<i64> {
    lines.iter().try_fold(0_i64, |sum, line| sum.checked_add(line.quantity.checked_mul(line.unit_price_cents)?))
}

/// Which orders to list.
#[derive(Debug, Default, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only orders with this status.
    #[garde(skip)]
    pub status: Option<Status>,
    /// Orders of all users, not the caller's alone; for admins.
    #[param(default = false)]
    #[serde(default)]
    #[garde(skip)]
    pub everyone: bool,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Order {
    #[schema(example = "01890a5d-ac96-774b-bcce-b302099a8057")]
    pub id: Uuid,
    /// Who placed it. The order outlasts the user.
    #[schema(example = "01890a5d-9c1e-7b6a-8f00-2f1d3c4b5a69")]
    pub user_id: Uuid,
    pub status: Status,
    pub lines: Vec<Line>,
    /// The sum of all lines.
    #[schema(example = 2500)]
    pub total_cents: i64,
    #[schema(value_type = String, format = "date-time", example = "2026-11-26T09:30:00.123456Z")]
    #[serde(serialize_with = "time::serialize")]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = "date-time", example = "2026-11-26T09:31:00.123456Z")]
    #[serde(serialize_with = "time::serialize")]
    pub updated_at: Timestamp,
    /// Counts its changes.
    #[serde(skip)]
    pub version: i64,
}

impl Order {
    pub(crate) fn tag(&self) -> ETag {
        ETag::of(self.id, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(quantity: i64, unit_price_cents: i64) -> Line {
        Line { sku: "A-1".into(), quantity, unit_price_cents }
    }

    #[test]
    fn the_total_is_the_sum_of_all_lines() {
        assert_eq!(total_cents(&[line(2, 150), line(1, 5)]), Some(305));
        assert_eq!(total_cents(&[line(1, i64::MAX)]), Some(i64::MAX));
    }

    #[test]
    fn a_total_that_cannot_be_counted_is_none() {
        assert_eq!(total_cents(&[line(2, i64::MAX)]), None);
        assert_eq!(total_cents(&[line(1, i64::MAX), line(1, 1)]), None);
    }

    #[test]
    fn each_wrong_field_is_named() {
        let wrong = |lines: Vec<Line>| {
            let report = NewOrder { lines }.validate().err().unwrap_or_else(garde::Report::new);
            report.iter().map(|(path, _)| path.to_string()).collect::<Vec<_>>()
        };
        assert!(wrong(vec![line(1, 0), line(10_000, 100_000_000)]).is_empty());
        assert_eq!(wrong(vec![]), ["lines"]);
        assert_eq!(wrong(vec![line(1, 1), line(0, -1)]), ["lines[1].quantity", "lines[1].unit_price_cents"]);
        assert_eq!(wrong(vec![Line { sku: "a b".into(), ..line(1, 1) }]), ["lines[0].sku"]);
        assert_eq!(wrong(vec![line(1, 1); 101]), ["lines"]);
    }
}
