//! All SQL of this blueprint. Each statement names the user, so that no handler can forget whose order it is.

use cyanotype::paging::Paging;
use cyanotype::{DatabaseError, Executor, Transaction, placeholders, time};
use jiff::Timestamp;
use uuid::Uuid;

use crate::model::{Filter, Line, Order};
use crate::state::Status;

type Result<T> = std::result::Result<T, DatabaseError>;

/// An order with one of its lines.
struct Row {
    id: Uuid,
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
    status: String,
    total_cents,
    created_at,
    updated_at,
    version,
    sku,
    quantity,
    unit_price_cents
});

/// Writes an order with all its lines.
pub(crate) async fn insert(
    transaction: &mut Transaction,
    user: Uuid,
    lines: Vec<Line>,
    total_cents: i64,
) -> Result<Order> {
    let (id, now, status) = (Uuid::now_v7(), time::now(), Status::Placed);
    let sql = "INSERT INTO orders (id, user_id, status, total_cents, created_at, updated_at)
               VALUES ($1, $2, $3, $4, $5, $5)";
    transaction.execute(sql, &[&id, &user, &status.as_str(), &total_cents, &now]).await?;

    let positions: Vec<i64> = (0..).take(lines.len()).collect();
    let rows: Vec<String> = (0..lines.len()).map(|at| format!("($1, {})", placeholders(2 + 4 * at, 4))).collect();
    let into = "INSERT INTO order_lines (order_id, position, sku, quantity, unit_price_cents) VALUES";
    let mut values: Vec<&dyn cyanotype::Value> = vec![&id];
    for (position, line) in positions.iter().zip(&lines) {
        values.extend::<[&dyn cyanotype::Value; 4]>([position, &line.sku, &line.quantity, &line.unit_price_cents]);
    }
    transaction.execute(&format!("{into} {}", rows.join(", ")), &values).await?;
    Ok(Order { id, status, lines, total_cents, created_at: now, updated_at: now, version: 1 })
}

pub(crate) async fn find(on: impl Executor, user: Uuid, id: Uuid) -> Result<Option<Order>> {
    let sql = "SELECT id, status, total_cents, created_at, updated_at, version, sku, quantity, unit_price_cents
               FROM orders LEFT JOIN order_lines ON order_id = id
               WHERE id = $1 AND user_id = $2 ORDER BY position";
    Ok(orders(on.query(sql, &[&id, &user]).await?).pop())
}

pub(crate) async fn list(on: impl Executor, user: Uuid, filter: &Filter, paging: &Paging) -> Result<Vec<Order>> {
    let sql = "SELECT id, status, total_cents, created_at, updated_at, version, sku, quantity, unit_price_cents
               FROM (SELECT * FROM orders WHERE user_id = $1 AND id > $2 AND status = COALESCE($3, status)
                     ORDER BY id LIMIT $4) AS page
               LEFT JOIN order_lines ON order_id = id
               ORDER BY id, position";
    // No id is before the nil one.
    let after = paging.after.unwrap_or_default();
    let status = filter.status.map(Status::as_str);
    Ok(orders(on.query(sql, &[&user, &after, &status, &paging.to_read()]).await?))
}

/// Moves an order from the status that it had to another: of two that try, only one finds it where it was.
pub(crate) async fn advance(on: impl Executor, user: Uuid, order: Order, to: Status) -> Result<Option<Order>> {
    let sql = "UPDATE orders SET status = $1, updated_at = $2, version = version + 1
               WHERE id = $3 AND user_id = $4 AND status = $5
               RETURNING version";
    let now = time::now();
    let values: [&dyn cyanotype::Value; 5] = [&to.as_str(), &now, &order.id, &user, &order.status.as_str()];
    let moved: Option<(i64,)> = on.query_opt(sql, &values).await?;
    Ok(moved.map(|(version,)| Order { status: to, updated_at: now, version, ..order }))
}

/// The rows of an order are next to each other.
fn orders(rows: Vec<Row>) -> Vec<Order> {
    let mut orders: Vec<Order> = Vec::new();
    for row in rows {
        let Row { id, status, total_cents, created_at, updated_at, version, .. } = row;
        if orders.last().is_none_or(|order| order.id != id) {
            orders.push(Order { id, status, lines: vec![], total_cents, created_at, updated_at, version });
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
        database.transaction(async move |on| Ok(insert(on, user, lines, 300).await?)).await
    }

    #[actix_web::test]
    async fn lines_come_back_in_their_order_and_to_their_owner_only() {
        let (database, user) = (database().await, Uuid::now_v7());
        let order = place(&database, user, &["b", "a", "b"]).await.unwrap();
        let other = place(&database, user, &["c"]).await.unwrap();
        assert_eq!(find(&database, user, order.id).await.unwrap(), Some(order.clone()));
        assert_eq!(find(&database, Uuid::now_v7(), order.id).await.unwrap(), None);
        let (filter, paging) = (Filter { status: None }, Paging { limit: 20, after: None });
        assert_eq!(list(&database, user, &filter, &paging).await.unwrap(), [order, other]);
        assert_eq!(list(&database, Uuid::now_v7(), &filter, &paging).await.unwrap(), []);
    }

    #[actix_web::test]
    async fn an_order_without_its_lines_is_not_written() {
        let (database, user) = (database().await, Uuid::now_v7());
        database.execute("DROP TABLE order_lines", &[]).await.unwrap();
        assert!(place(&database, user, &["a"]).await.is_err());
        let (count,): (i64,) = database.query_one("SELECT count(*) FROM orders", &[]).await.unwrap();
        assert_eq!(count, 0);
    }

    #[actix_web::test]
    async fn an_order_is_moved_only_from_where_it_is_and_by_its_owner() {
        let (database, user) = (database().await, Uuid::now_v7());
        let order = place(&database, user, &["a"]).await.unwrap();
        assert_eq!(advance(&database, Uuid::now_v7(), order.clone(), Status::Paid).await.unwrap(), None);
        let paid = advance(&database, user, order.clone(), Status::Paid).await.unwrap().unwrap();
        assert_eq!((paid.status, &paid.lines, paid.version), (Status::Paid, &order.lines, 2));
        assert_eq!(find(&database, user, order.id).await.unwrap(), Some(paid));
        assert_eq!(advance(&database, user, order, Status::Paid).await.unwrap(), None);
    }
}
