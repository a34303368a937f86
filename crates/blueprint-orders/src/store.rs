//! All SQL of this blueprint. Each query names the user, so that no handler can forget whose order it is.
//!
//! Each function takes a pool, or a connection that may be in the middle of a transaction. One that begins here begins with
//! its write: the database does not let one that has read first become a writer when another wrote in between.

use std::collections::HashMap;

use cyanotype::paging::Paging;
use cyanotype::placeholders;
use jiff::Timestamp;
use sqlx::{Acquire, Any, AnyConnection, AssertSqlSafe, FromRow};
use uuid::Uuid;

use crate::model::{Filter, Line, Order};
use crate::state::Status;

/// An order without its lines.
#[derive(Debug, FromRow)]
struct Head {
    #[sqlx(try_from = "String")]
    id: Uuid,
    #[sqlx(try_from = "String")]
    status: Status,
    total_cents: i64,
    created_at: String,
    updated_at: String,
    version: i64,
}

#[derive(Debug, FromRow)]
struct LineOfOrder {
    #[sqlx(try_from = "String")]
    order_id: Uuid,
    #[sqlx(flatten)]
    line: Line,
}

/// Six decimals always, so that times compare as texts.
fn now() -> String {
    format!("{:.6}", Timestamp::now())
}

/// Writes an order with all its lines, or nothing.
pub(crate) async fn insert<'c>(
    on: impl Acquire<'c, Database = Any>,
    user: Uuid,
    lines: Vec<Line>,
    total_cents: i64,
) -> Result<Order, sqlx::Error> {
    let sql = "INSERT INTO orders (id, user_id, status, total_cents, created_at, updated_at)
               VALUES ($1, $2, $3, $4, $5, $5)
               RETURNING id, status, total_cents, created_at, updated_at, version";
    let mut transaction = on.begin().await?;
    let id = Uuid::now_v7().to_string();
    let insert = sqlx::query_as(sql).bind(&id).bind(user.to_string()).bind(Status::Placed.as_str());
    let head: Head = insert.bind(total_cents).bind(now()).fetch_one(&mut *transaction).await?;

    let rows: Vec<String> = (0..lines.len()).map(|at| format!("($1, {})", placeholders(2 + 4 * at, 4))).collect();
    let into = "INSERT INTO order_lines (order_id, position, sku, quantity, unit_price_cents) VALUES";
    let mut insert = sqlx::query(AssertSqlSafe(format!("{into} {}", rows.join(", ")))).bind(&id);
    for (position, line) in (0_i64..).zip(&lines) {
        insert = insert.bind(position).bind(&line.sku).bind(line.quantity).bind(line.unit_price_cents);
    }
    insert.execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(head.with(lines))
}

pub(crate) async fn find<'c>(
    on: impl Acquire<'c, Database = Any>,
    user: Uuid,
    id: Uuid,
) -> Result<Option<Order>, sqlx::Error> {
    let sql = "SELECT id, status, total_cents, created_at, updated_at, version FROM orders
               WHERE id = $1 AND user_id = $2";
    let found = sqlx::query_as(sql).bind(id.to_string()).bind(user.to_string());
    let mut connection = on.acquire().await?;
    let head: Option<Head> = found.fetch_optional(&mut *connection).await?;
    Ok(with_lines(&mut connection, head.into_iter().collect()).await?.pop())
}

pub(crate) async fn list<'c>(
    on: impl Acquire<'c, Database = Any>,
    user: Uuid,
    filter: &Filter,
    paging: &Paging,
) -> Result<Vec<Order>, sqlx::Error> {
    let sql = r#"SELECT id, status, total_cents, created_at, updated_at, version FROM orders
                 WHERE user_id = $1 AND id COLLATE "binary" > $2 AND status = COALESCE($3, status)
                 ORDER BY id COLLATE "binary" LIMIT $4"#;
    // No id is before the empty text.
    let after = paging.after.map_or_else(String::new, |id| id.to_string());
    let select = sqlx::query_as(sql).bind(user.to_string()).bind(after);
    let select = select.bind(filter.status.map(Status::as_str)).bind(paging.to_read());
    let mut connection = on.acquire().await?;
    let heads = select.fetch_all(&mut *connection).await?;
    with_lines(&mut connection, heads).await
}

/// Moves an order from one status to another, all at once: of two that try, only one finds it where it was.
pub(crate) async fn advance<'c>(
    on: impl Acquire<'c, Database = Any>,
    user: Uuid,
    id: Uuid,
    (from, to): (Status, Status),
) -> Result<Option<Order>, sqlx::Error> {
    let sql = "UPDATE orders SET status = $1, updated_at = $2, version = version + 1
               WHERE id = $3 AND user_id = $4 AND status = $5
               RETURNING id, status, total_cents, created_at, updated_at, version";
    let update = sqlx::query_as(sql).bind(to.as_str()).bind(now());
    let update = update.bind(id.to_string()).bind(user.to_string()).bind(from.as_str());
    let mut connection = on.acquire().await?;
    let head: Option<Head> = update.fetch_optional(&mut *connection).await?;
    Ok(with_lines(&mut connection, head.into_iter().collect()).await?.pop())
}

/// Lines are never changed, so they may be read after their orders.
async fn with_lines(connection: &mut AnyConnection, heads: Vec<Head>) -> Result<Vec<Order>, sqlx::Error> {
    if heads.is_empty() {
        return Ok(vec![]);
    }
    let select = "SELECT order_id, sku, quantity, unit_price_cents FROM order_lines WHERE order_id IN";
    let sql = format!("{select} ({}) ORDER BY order_id, position", placeholders(1, heads.len()));
    let mut select = sqlx::query_as(AssertSqlSafe(sql));
    for head in &heads {
        select = select.bind(head.id.to_string());
    }
    let found: Vec<LineOfOrder> = select.fetch_all(connection).await?;
    let mut lines: HashMap<Uuid, Vec<Line>> = HashMap::new();
    for line in found {
        lines.entry(line.order_id).or_default().push(line.line);
    }
    let orders = heads.into_iter().map(|head| {
        let lines = lines.remove(&head.id).unwrap_or_default();
        head.with(lines)
    });
    Ok(orders.collect())
}

impl Head {
    fn with(self, lines: Vec<Line>) -> Order {
        let Self { id, status, total_cents, created_at, updated_at, version } = self;
        Order { id, status, lines, total_cents, created_at, updated_at, version }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cyanotype::settings::Loader;
    use cyanotype::{Blueprint, Database};
    use sqlx::AnyPool;

    async fn database() -> AnyPool {
        let settings = Loader::new("/nonexistent").variables([("DATABASE_URL", "sqlite::memory:")]).load().unwrap();
        let migrations = [("orders", crate::Orders.migrations().unwrap())];
        let database = Database::open(&settings.database, migrations).await.unwrap();
        database.pool().clone()
    }

    fn lines(skus: &[&str]) -> Vec<Line> {
        skus.iter().map(|sku| Line { sku: (*sku).into(), quantity: 1, unit_price_cents: 100 }).collect()
    }

    #[actix_web::test]
    async fn lines_come_back_in_their_order_and_to_their_owner_only() {
        let (pool, user) = (database().await, Uuid::now_v7());
        let order = insert(&pool, user, lines(&["b", "a", "b"]), 300).await.unwrap();
        assert_eq!(find(&pool, user, order.id).await.unwrap(), Some(order.clone()));
        assert_eq!(find(&pool, Uuid::now_v7(), order.id).await.unwrap(), None);
        let (filter, paging) = (Filter { status: None }, Paging { limit: 20, after: None });
        assert_eq!(list(&pool, user, &filter, &paging).await.unwrap(), [order]);
        assert_eq!(list(&pool, Uuid::now_v7(), &filter, &paging).await.unwrap(), []);
    }

    #[actix_web::test]
    async fn an_order_without_its_lines_is_not_written() {
        let (pool, user) = (database().await, Uuid::now_v7());
        sqlx::query("DROP TABLE order_lines").execute(&pool).await.unwrap();
        assert!(insert(&pool, user, lines(&["a"]), 100).await.is_err());
        let (count,): (i64,) = sqlx::query_as("SELECT count(*) FROM orders").fetch_one(&pool).await.unwrap();
        assert_eq!(count, 0);
    }

    #[actix_web::test]
    async fn an_order_is_moved_only_from_where_it_is_and_by_its_owner() {
        let (pool, user) = (database().await, Uuid::now_v7());
        let order = insert(&pool, user, lines(&["a"]), 100).await.unwrap();
        let pay = (Status::Placed, Status::Paid);
        assert_eq!(advance(&pool, Uuid::now_v7(), order.id, pay).await.unwrap(), None);
        let paid = advance(&pool, user, order.id, pay).await.unwrap().unwrap();
        assert_eq!((paid.status, &paid.lines), (Status::Paid, &order.lines));
        assert_eq!(advance(&pool, user, order.id, pay).await.unwrap(), None);
    }
}
