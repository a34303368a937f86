//! The statements of the service, for both databases; `super` defines the database.

use std::collections::HashMap;

use chrono::Utc;
use sqlx::{AssertSqlSafe, FromRow, Pool, Transaction};
use uuid::Uuid;

use super::{Database, TABLES, Time, open, read, stored};
use crate::model::{Line, Order};
use crate::store::{self, Hash, IdempotentRequest, PlaceResult, Seed, StoreError};

pub struct Store {
    pool: Pool<Database>,
}

#[derive(FromRow)]
struct Head {
    id: Uuid,
    status: String,
    total_cents: i64,
    created_at: Time,
    updated_at: Time,
}

#[derive(FromRow)]
struct LineOfOrder {
    order_id: Uuid,
    sku: String,
    quantity: i64,
    unit_price_cents: i64,
}

impl store::Store for Store {
    async fn seed(url: &str, seed: &Seed) -> Result<(), StoreError> {
        let pool = open(url).await?;
        sqlx::raw_sql(TABLES).execute(&pool).await?;
        let user = "INSERT INTO users (id, email, name, password_hash, created_at, updated_at)
                    VALUES ($1, 'ada@example.org', 'Ada', '', $2, $2)";
        sqlx::query(user).bind(seed.user).bind(stored(seed.now)).execute(&pool).await?;
        let session = "INSERT INTO sessions (token_hash, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)";
        let insert = sqlx::query(session).bind(&seed.token_hash[..]).bind(seed.user);
        insert.bind(stored(seed.now)).bind(stored(seed.expires_at)).execute(&pool).await?;
        Ok(())
    }

    async fn open(url: &str) -> Result<Self, StoreError> {
        Ok(Self { pool: open(url).await? })
    }

    async fn caller(&self, token_hash: &Hash) -> Result<Option<Uuid>, StoreError> {
        let sql = "SELECT users.id FROM sessions JOIN users ON users.id = sessions.user_id
                   WHERE sessions.token_hash = $1 AND sessions.expires_at > $2";
        let select = sqlx::query_scalar(sql).bind(&token_hash[..]).bind(stored(Utc::now()));
        Ok(select.fetch_optional(&self.pool).await?)
    }

    async fn find(&self, user: Uuid, id: Uuid) -> Result<Option<Order>, StoreError> {
        let sql = "SELECT id, status, total_cents, created_at, updated_at, version FROM orders
                   WHERE id = $1 AND user_id = $2";
        let mut connection = self.pool.acquire().await?;
        let head: Option<Head> = sqlx::query_as(sql).bind(id).bind(user).fetch_optional(&mut *connection).await?;
        Ok(with_lines(&mut connection, head.into_iter().collect()).await?.pop())
    }

    async fn list(&self, user: Uuid, after: Uuid, limit: i64) -> Result<Vec<Order>, StoreError> {
        let sql = "SELECT id, status, total_cents, created_at, updated_at, version FROM orders
                   WHERE user_id = $1 AND id > $2 AND status = COALESCE($3, status)
                   ORDER BY id LIMIT $4";
        let mut connection = self.pool.acquire().await?;
        let select = sqlx::query_as(sql).bind(user).bind(after).bind(None::<&str>).bind(limit);
        let heads: Vec<Head> = select.fetch_all(&mut *connection).await?;
        with_lines(&mut connection, heads).await
    }

    async fn place(&self, user: Uuid, order: &Order) -> Result<(), StoreError> {
        self.require(user).await?;
        let mut transaction = self.pool.begin().await?;
        insert(&mut transaction, user, order).await?;
        Ok(transaction.commit().await?)
    }

    async fn place_once(
        &self,
        user: Uuid,
        order: &Order,
        idempotent: &IdempotentRequest,
    ) -> Result<PlaceResult, StoreError> {
        self.require(user).await?;
        let mut transaction = self.pool.begin().await?;
        let sweep = sqlx::query("DELETE FROM idempotency_keys WHERE expires_at <= $1").bind(stored(Utc::now()));
        sweep.execute(&mut *transaction).await?;
        let sql = "INSERT INTO idempotency_keys
                       (caller, key_hash, method, path, body_hash, status, headers, body, expires_at)
                   VALUES ($1, $2, $3, $4, $5, 0, '', '', $6) ON CONFLICT (caller, key_hash) DO NOTHING";
        let claim =
            sqlx::query(sql).bind(user).bind(&idempotent.key_hash[..]).bind(&idempotent.method).bind(&idempotent.path);
        let claim = claim.bind(&idempotent.body_hash[..]).bind(stored(idempotent.expires_at));
        if claim.execute(&mut *transaction).await?.rows_affected() == 0 {
            let sql = "SELECT path, body_hash, body FROM idempotency_keys WHERE caller = $1 AND key_hash = $2";
            let select = sqlx::query_as(sql).bind(user).bind(&idempotent.key_hash[..]);
            let (path, body_hash, response): (String, Vec<u8>, String) = select.fetch_one(&mut *transaction).await?;
            return Ok(PlaceResult::of_stored(idempotent, &path, &body_hash, response));
        }
        insert(&mut transaction, user, order).await?;
        let sql = "UPDATE idempotency_keys SET status = $1, headers = $2, body = $3
                   WHERE caller = $4 AND key_hash = $5";
        let keep =
            sqlx::query(sql).bind(i64::from(idempotent.status)).bind(&idempotent.headers).bind(&idempotent.response);
        keep.bind(user).bind(&idempotent.key_hash[..]).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(PlaceResult::Placed)
    }
}

impl Store {
    /// The service also queries the user again before it places an order.
    async fn require(&self, user: Uuid) -> Result<(), StoreError> {
        let sql = "SELECT id, email, name, created_at, updated_at, version FROM users WHERE id = $1";
        sqlx::query(sql).bind(user).fetch_one(&self.pool).await?;
        Ok(())
    }
}

async fn insert(transaction: &mut Transaction<'_, Database>, user: Uuid, order: &Order) -> Result<(), StoreError> {
    let sql = "INSERT INTO orders (id, user_id, status, total_cents, created_at, updated_at)
               VALUES ($1, $2, $3, $4, $5, $5)
               RETURNING id, status, total_cents, created_at, updated_at, version";
    let insert = sqlx::query_as(sql).bind(order.id).bind(user).bind(&order.status).bind(order.total_cents);
    let _: Head = insert.bind(stored(order.created_at)).fetch_one(&mut **transaction).await?;

    let rows: Vec<String> = (0..order.lines.len()).map(|at| format!("($1, {})", placeholders(2 + 4 * at, 4))).collect();
    let into = "INSERT INTO order_lines (order_id, position, sku, quantity, unit_price_cents) VALUES";
    let mut insert = sqlx::query(AssertSqlSafe(format!("{into} {}", rows.join(", ")))).bind(order.id);
    for (position, line) in (0_i64..).zip(&order.lines) {
        insert = insert.bind(position).bind(&line.sku).bind(line.quantity).bind(line.unit_price_cents);
    }
    insert.execute(&mut **transaction).await?;
    Ok(())
}

async fn with_lines(
    connection: &mut <Database as sqlx::Database>::Connection,
    heads: Vec<Head>,
) -> Result<Vec<Order>, StoreError> {
    if heads.is_empty() {
        return Ok(vec![]);
    }
    let select = "SELECT order_id, sku, quantity, unit_price_cents FROM order_lines WHERE order_id IN";
    let sql = format!("{select} ({}) ORDER BY order_id, position", placeholders(1, heads.len()));
    let mut select = sqlx::query_as(AssertSqlSafe(sql));
    for head in &heads {
        select = select.bind(head.id);
    }
    let found: Vec<LineOfOrder> = select.fetch_all(connection).await?;
    let mut lines: HashMap<Uuid, Vec<Line>> = HashMap::new();
    for LineOfOrder { order_id, sku, quantity, unit_price_cents } in found {
        lines.entry(order_id).or_default().push(Line { sku, quantity, unit_price_cents });
    }
    let orders = heads.into_iter().map(|head| {
        let Head { id, status, total_cents, created_at, updated_at } = head;
        let lines = lines.remove(&id).unwrap_or_default();
        Order { id, status, lines, total_cents, created_at: read(created_at), updated_at: read(updated_at) }
    });
    Ok(orders.collect())
}

fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}
