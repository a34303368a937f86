//! Orders joined with their lines: one row per line, with the rows of an order adjacent.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::model::{Line, Order};

/// Parameters: the order and the user.
pub const FIND: &str = "SELECT orders.id, status, total_cents, created_at, updated_at, sku, quantity, unit_price_cents
    FROM orders JOIN order_lines ON order_lines.order_id = orders.id
    WHERE orders.id = $1 AND user_id = $2 ORDER BY position";

/// Parameters: the user, the last id of the previous page, and the maximum number of orders.
pub const LIST: &str = "SELECT orders.id, status, total_cents, created_at, updated_at, sku, quantity, unit_price_cents
    FROM (SELECT * FROM orders WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3) AS orders
    JOIN order_lines ON order_lines.order_id = orders.id
    ORDER BY orders.id, position";

/// The columns of the order in a row, except the id.
pub struct Head {
    pub status: String,
    pub total_cents: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Adds a row to the orders. `head` is only called for the first row of an order.
pub fn add<E>(orders: &mut Vec<Order>, id: Uuid, line: Line, head: impl FnOnce() -> Result<Head, E>) -> Result<(), E> {
    match orders.last_mut().filter(|order| order.id == id) {
        Some(order) => order.lines.push(line),
        None => {
            let Head { status, total_cents, created_at, updated_at } = head()?;
            orders.push(Order { id, status, lines: vec![line], total_cents, created_at, updated_at });
        }
    }
    Ok(())
}
