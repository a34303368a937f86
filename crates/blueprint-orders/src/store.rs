//! All SQL of this blueprint. Queries take an [`OwnerFilter`], so that no handler can omit the ownership check.

use cyanotype::auth::Caller;
use cyanotype::paging::{CreatedRange, Paging};
use cyanotype::{DatabaseError, Executor, Transaction, placeholders, time};
use jiff::Timestamp;
use uuid::Uuid;

use crate::model::{Line, Order};
use crate::state::Status;

type Result<T> = std::result::Result<T, DatabaseError>;

/// Limits a statement to the orders of one user; `None` includes those of all users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OwnerFilter(pub Option<Uuid>);

impl OwnerFilter {
    /// Admins reach the orders of all users, other callers only their own.
    pub(crate) fn visible_to(caller: &Caller) -> Self {
        Self((!caller.is_admin()).then_some(caller.id))
    }

    /// The SQL condition. A plain equality (`user_id = $1`) lets the database use the index on `user_id`.
    const fn condition(self) -> &'static str {
        if self.0.is_some() { "user_id = $1" } else { "user_id = COALESCE($1, user_id)" }
    }
}

impl From<Uuid> for OwnerFilter {
    fn from(user: Uuid) -> Self {
        Self(Some(user))
    }
}

/// An order joined with one of its lines.
struct Row {
    id: Uuid,
    user_id: Uuid,
    status: Status,
    total_cents: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: i64,
    sku: Option<String>,
    quantity: Option<i64>,
    unit_price_cents: Option<i64>,
}

cyanotype::from_row!(Row {
    id,
    user_id,
    status: String,
    total_cents,
    created_at,
    updated_at,
    version,
    sku,
    quantity,
    unit_price_cents
});

/// Inserts an order with all its lines.
pub(crate) async fn insert(
    transaction: &mut Transaction,
    user_id: Uuid,
    lines: Vec<Line>,
    total_cents: i64,
) -> Result<Order> {
    let (id, now, status) = (Uuid::now_v7(), time::now(), Status::Placed);
    let sql = "INSERT INTO orders (id, user_id, status, total_cents, created_at, updated_at)
               VALUES ($1, $2, $3, $4, $5, $5)";
    transaction.execute(sql, &[&id, &user_id, &status.as_str(), &total_cents, &now]).await?;

    let positions: Vec<i64> = (0..).take(lines.len()).collect();
    let rows: Vec<String> = (0..lines.len()).map(|at| format!("($1, {})", placeholders(2 + 4 * at, 4))).collect();
    let into = "INSERT INTO order_lines (order_id, position, sku, quantity, unit_price_cents) VALUES";
    let mut values: Vec<&dyn cyanotype::ToSql> = vec![&id];
    for (position, line) in positions.iter().zip(&lines) {
        values.extend::<[&dyn cyanotype::ToSql; 4]>([position, &line.sku, &line.quantity, &line.unit_price_cents]);
    }
    transaction.execute(&format!("{into} {}", rows.join(", ")), &values).await?;
    Ok(Order { id, user_id, status, lines, total_cents, created_at: now, updated_at: now, version: 1 })
}

pub(crate) async fn find(executor: impl Executor, OwnerFilter(user): OwnerFilter, id: Uuid) -> Result<Option<Order>> {
    let sql =
        "SELECT id, user_id, status, total_cents, created_at, updated_at, version, sku, quantity, unit_price_cents
               FROM orders LEFT JOIN order_lines ON order_id = id
               WHERE id = $1 AND user_id = COALESCE($2, user_id) ORDER BY position";
    Ok(group_rows(executor.query(sql, &[&id, &user]).await?).pop())
}

pub(crate) async fn list(
    executor: impl Executor,
    owner: OwnerFilter,
    (status, created): (Option<Status>, &CreatedRange),
    paging: &Paging,
) -> Result<Vec<Order>> {
    let sql = format!(
        "SELECT id, user_id, status, total_cents, created_at, updated_at, version, sku, quantity, unit_price_cents
         FROM (SELECT * FROM orders WHERE {} AND id < $2 AND status = COALESCE($3, status)
               AND created_at >= $4 AND created_at < $5 ORDER BY id DESC LIMIT $6) AS page
         LEFT JOIN order_lines ON order_id = id
         ORDER BY id DESC, position",
        owner.condition()
    );
    let (from, before) = created.range();
    let status = status.map(Status::as_str);
    let values: [&dyn cyanotype::ToSql; 6] =
        [&owner.0, &paging.before(), &status, &from, &before, &paging.fetch_limit()];
    Ok(group_rows(executor.query(&sql, &values).await?))
}

pub(crate) async fn count(
    executor: impl Executor,
    owner: OwnerFilter,
    (status, created): (Option<Status>, &CreatedRange),
) -> Result<i64> {
    let sql = format!(
        "SELECT count(*) FROM orders WHERE {} AND status = COALESCE($2, status) AND created_at >= $3 AND created_at < $4",
        owner.condition()
    );
    let (from, before) = created.range();
    let (count,): (i64,) = executor.query_one(&sql, &[&owner.0, &status.map(Status::as_str), &from, &before]).await?;
    Ok(count)
}

/// Sets the status of an order. Returns `None` when another request has changed the order since it was read.
pub(crate) async fn set_status(executor: impl Executor, order: Order, status: Status) -> Result<Option<Order>> {
    let sql = "UPDATE orders SET status = $1, updated_at = $2, version = version + 1
               WHERE id = $3 AND version = $4
               RETURNING version";
    let now = time::now();
    let updated: Option<(i64,)> = executor.query_opt(sql, &[&status.as_str(), &now, &order.id, &order.version]).await?;
    Ok(updated.map(|(version,)| Order { status, updated_at: now, version, ..order }))
}

/// Groups joined rows into orders. The rows of one order must be adjacent.
fn group_rows(rows: Vec<Row>) -> Vec<Order> {
    let mut orders: Vec<Order> = Vec::new();
    for row in rows {
        let Row { id, user_id, status, total_cents, created_at, updated_at, version, .. } = row;
        if orders.last().is_none_or(|order| order.id != id) {
            orders.push(Order { id, user_id, status, lines: vec![], total_cents, created_at, updated_at, version });
        }
        let line = row.sku.zip(row.quantity).zip(row.unit_price_cents);
        let line = line.map(|((sku, quantity), unit_price_cents)| Line { sku, quantity, unit_price_cents });
        if let Some(order) = orders.last_mut() {
            order.lines.extend(line);
        }
    }
    orders
}

#[cfg(test)]
mod tests {
    use super::*;
    use cyanotype::test;
    use cyanotype::{Database, Problem};

    async fn database() -> Database {
        test::database(&crate::Orders).await
    }

    fn lines(skus: &[&str]) -> Vec<Line> {
        skus.iter().map(|sku| Line { sku: (*sku).into(), quantity: 1, unit_price_cents: 100 }).collect()
    }

    async fn place(database: &Database, user: Uuid, skus: &[&str]) -> std::result::Result<Order, Problem> {
        let lines = lines(skus);
        database.transaction(async move |transaction| Ok(insert(transaction, user, lines, 300).await?)).await
    }

    #[actix_web::test]
    async fn orders_are_returned_to_their_owner_only() {
        let (database, user) = (database().await, Uuid::now_v7());
        let order = place(&database, user, &["b", "a", "b"]).await.unwrap();
        let other = place(&database, user, &["c"]).await.unwrap();
        let (owner, stranger) = (OwnerFilter::from(user), OwnerFilter::from(Uuid::now_v7()));
        assert_eq!(find(&database, owner, order.id).await.unwrap(), Some(order.clone()));
        assert_eq!(find(&database, stranger, order.id).await.unwrap(), None);
        assert_eq!(find(&database, OwnerFilter(None), order.id).await.unwrap(), Some(order.clone()));

        let (all, paging) = ((None, &CreatedRange::default()), Paging { limit: 20, after: None, total: false });
        let newest_first = [other, order];
        assert_eq!(list(&database, owner, all, &paging).await.unwrap(), newest_first);
        assert_eq!(list(&database, stranger, all, &paging).await.unwrap(), []);
        assert_eq!(list(&database, OwnerFilter(None), all, &paging).await.unwrap(), newest_first);
        for (filter, expected) in [(owner, 2), (stranger, 0), (OwnerFilter(None), 2)] {
            assert_eq!(count(&database, filter, all).await.unwrap(), expected);
        }
    }

    #[actix_web::test]
    async fn orders_are_filtered_by_creation_time() {
        let (database, user) = (database().await, Uuid::now_v7());
        let (first, second) =
            (place(&database, user, &["a"]).await.unwrap(), place(&database, user, &["b"]).await.unwrap());
        let (first_at, second_at) = (Some(first.created_at), Some(second.created_at));
        for (created_from, created_before, expected) in [
            (None, second_at, vec![first.clone()]),
            (second_at, None, vec![second.clone()]),
            (first_at, second_at, vec![first.clone()]),
            (second_at, second_at, vec![]),
            (first_at, None, vec![second, first]),
        ] {
            let filter = (None, &CreatedRange { created_from, created_before });
            let paging = Paging { limit: 20, after: None, total: true };
            assert_eq!(list(&database, user.into(), filter, &paging).await.unwrap(), expected);
            assert_eq!(count(&database, user.into(), filter).await.unwrap(), expected.len() as i64);
        }
    }

    #[actix_web::test]
    async fn a_failed_line_insert_rolls_back_the_order() {
        let (database, user) = (database().await, Uuid::now_v7());
        database.execute("DROP TABLE order_lines", &[]).await.unwrap();
        assert!(place(&database, user, &["a"]).await.is_err());
        let (count,): (i64,) = database.query_one("SELECT count(*) FROM orders", &[]).await.unwrap();
        assert_eq!(count, 0);
    }

    #[actix_web::test]
    async fn a_stale_version_does_not_change_the_status() {
        let (database, user) = (database().await, Uuid::now_v7());
        let order = place(&database, user, &["a"]).await.unwrap();
        let paid = set_status(&database, order.clone(), Status::Paid).await.unwrap().unwrap();
        assert_eq!((paid.status, &paid.lines, paid.version), (Status::Paid, &order.lines, 2));
        assert_eq!(find(&database, user.into(), order.id).await.unwrap(), Some(paid));
        assert_eq!(set_status(&database, order, Status::Paid).await.unwrap(), None);
    }
}
