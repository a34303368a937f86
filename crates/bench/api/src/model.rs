//! The request and response bodies, the same JSON as those of the service.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

/// The status of every order here.
pub const PLACED: &str = "placed";

/// The body of a request to place an order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    pub lines: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub sku: String,
    pub quantity: i64,
    pub unit_price_cents: i64,
}

#[derive(Serialize)]
pub struct Order {
    pub id: Uuid,
    pub status: String,
    pub lines: Vec<Line>,
    pub total_cents: i64,
    #[serde(serialize_with = "six_decimals")]
    pub created_at: DateTime<Utc>,
    #[serde(serialize_with = "six_decimals")]
    pub updated_at: DateTime<Utc>,
}

#[derive(Serialize)]
pub struct Page {
    pub items: Vec<Order>,
    pub next: Option<Uuid>,
}

impl NewOrder {
    /// The order to insert; `None` if it has no lines or its total overflows.
    pub fn placed(self, id: Uuid) -> Option<Order> {
        let cost = |line: &Line| line.quantity.checked_mul(line.unit_price_cents);
        let total_cents = self.lines.iter().try_fold(0_i64, |sum, line| sum.checked_add(cost(line)?))?;
        let now = Utc::now();
        let order =
            Order { id, status: PLACED.into(), lines: self.lines, total_cents, created_at: now, updated_at: now };
        (!order.lines.is_empty()).then_some(order)
    }
}

impl Page {
    /// `items` contains one more than the limit if there is a next page.
    pub fn of(mut items: Vec<Order>, limit: usize) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|order| order.id);
        Self { items, next }
    }
}

fn six_decimals<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}
