//! tokio-postgres: each worker has one connection, on which the statements of all its requests are pipelined.
//! Transactions of several statements are therefore impossible, and atomic writes are single statements.

use chrono::Utc;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row, Statement};
use uuid::Uuid;

use crate::joined::{self, FIND, Head, LIST};
use crate::model::{Line, Order};
use crate::store::{self, Hash, IdempotentRequest, PlaceResult, Seed, StoreError};

const TABLES: &str = include_str!("../sql/postgres.sql");

const CALLER: &str = "SELECT users.id FROM sessions JOIN users ON users.id = sessions.user_id
    WHERE sessions.token_hash = $1 AND sessions.expires_at > $2";

const PLACE: &str = "WITH head AS (
        INSERT INTO orders (id, user_id, status, total_cents, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)
    )
    INSERT INTO order_lines (order_id, position, sku, quantity, unit_price_cents)
    SELECT $1, place - 1, sku, quantity, cents
    FROM unnest($6::text[], $7::bigint[], $8::bigint[]) WITH ORDINALITY AS lines (sku, quantity, cents, place)";

/// Inserts nothing if the key exists.
const PLACE_ONCE: &str = "WITH claimed AS (
        INSERT INTO idempotency_keys (caller, key_hash, method, path, body_hash, status, headers, body, expires_at)
        VALUES ($2, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT (caller, key_hash) DO NOTHING
        RETURNING caller
    ), head AS (
        INSERT INTO orders (id, user_id, status, total_cents, created_at, updated_at)
        SELECT $1::uuid, caller, $3::text, $4::bigint, $5::timestamptz, $5::timestamptz FROM claimed
    )
    INSERT INTO order_lines (order_id, position, sku, quantity, unit_price_cents)
    SELECT $1::uuid, place - 1, sku, quantity, cents
    FROM claimed, unnest($6::text[], $7::bigint[], $8::bigint[])
        WITH ORDINALITY AS lines (sku, quantity, cents, place)";

const SWEEP: &str = "DELETE FROM idempotency_keys WHERE expires_at <= $1";

const BEFORE: &str = "SELECT path, body_hash, body FROM idempotency_keys WHERE caller = $1 AND key_hash = $2";

pub struct Store {
    client: Client,
    caller: Statement,
    find: Statement,
    list: Statement,
    place: Statement,
    place_once: Statement,
    sweep: Statement,
    before: Statement,
}

impl store::Store for Store {
    async fn seed(url: &str, seed: &Seed) -> Result<(), StoreError> {
        let client = connect(url).await?;
        client.batch_execute(TABLES).await?;
        let user = "INSERT INTO users (id, email, name, password_hash, created_at, updated_at)
                    VALUES ($1, 'ada@example.org', 'Ada', '', $2, $2)";
        client.execute(user, &[&seed.user, &seed.now]).await?;
        let session = "INSERT INTO sessions (token_hash, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)";
        client.execute(session, &[&&seed.token_hash[..], &seed.user, &seed.now, &seed.expires_at]).await?;
        Ok(())
    }

    async fn open(url: &str) -> Result<Self, StoreError> {
        let client = connect(url).await?;
        Ok(Self {
            caller: client.prepare(CALLER).await?,
            find: client.prepare(FIND).await?,
            list: client.prepare(LIST).await?,
            place: client.prepare(PLACE).await?,
            place_once: client.prepare(PLACE_ONCE).await?,
            sweep: client.prepare(SWEEP).await?,
            before: client.prepare(BEFORE).await?,
            client,
        })
    }

    async fn caller(&self, token_hash: &Hash) -> Result<Option<Uuid>, StoreError> {
        let row = self.client.query_opt(&self.caller, &[&&token_hash[..], &Utc::now()]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    async fn find(&self, user: Uuid, id: Uuid) -> Result<Option<Order>, StoreError> {
        Ok(orders(&self.client.query(&self.find, &[&id, &user]).await?)?.pop())
    }

    async fn list(&self, user: Uuid, after: Uuid, limit: i64) -> Result<Vec<Order>, StoreError> {
        orders(&self.client.query(&self.list, &[&user, &after, &limit]).await?)
    }

    async fn place(&self, user: Uuid, order: &Order) -> Result<(), StoreError> {
        let lines = Lines::of(order);
        self.client.execute(&self.place, &values(&user, order, &lines)).await?;
        Ok(())
    }

    async fn place_once(
        &self,
        user: Uuid,
        order: &Order,
        idempotent: &IdempotentRequest,
    ) -> Result<PlaceResult, StoreError> {
        let IdempotentRequest { key_hash, method, path, body_hash, status, headers, response, expires_at } = idempotent;
        let (key_hash, body_hash, status) = (&key_hash[..], &body_hash[..], i64::from(*status));
        let (lines, now) = (Lines::of(order), Utc::now());
        let key: [&(dyn ToSql + Sync); 8] =
            [&key_hash, method, path, &body_hash, &status, headers, response, expires_at];
        let values = [&values(&user, order, &lines)[..], &key].concat();
        let sweep = [&now as &(dyn ToSql + Sync)];
        // Pipelined, and executed in order.
        let (_, written) =
            tokio::try_join!(self.client.execute(&self.sweep, &sweep), self.client.execute(&self.place_once, &values))?;
        if written > 0 {
            return Ok(PlaceResult::Placed);
        }
        let row = self.client.query_one(&self.before, &[&user, &key_hash]).await?;
        Ok(PlaceResult::of_stored(idempotent, row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
    }
}

/// The lines of an order, as columns.
struct Lines<'a> {
    skus: Vec<&'a str>,
    quantities: Vec<i64>,
    prices: Vec<i64>,
}

impl<'a> Lines<'a> {
    fn of(order: &'a Order) -> Self {
        let lines = &order.lines;
        Self {
            skus: lines.iter().map(|line| line.sku.as_str()).collect(),
            quantities: lines.iter().map(|line| line.quantity).collect(),
            prices: lines.iter().map(|line| line.unit_price_cents).collect(),
        }
    }
}

/// The first parameters of both statements that place an order.
fn values<'a>(user: &'a Uuid, order: &'a Order, lines: &'a Lines<'a>) -> [&'a (dyn ToSql + Sync); 8] {
    let Lines { skus, quantities, prices } = lines;
    [&order.id, user, &order.status, &order.total_cents, &order.created_at, skus, quantities, prices]
}

async fn connect(url: &str) -> Result<Client, StoreError> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // The task ends with its client; statements report failures of the connection.
    #[expect(clippy::disallowed_methods, reason = "this server does not use Cyanotype")]
    actix_web::rt::spawn(connection);
    Ok(client)
}

fn orders(rows: &[Row]) -> Result<Vec<Order>, StoreError> {
    let mut orders = Vec::new();
    for row in rows {
        let line = Line { sku: row.try_get(5)?, quantity: row.try_get(6)?, unit_price_cents: row.try_get(7)? };
        joined::add(&mut orders, row.try_get(0)?, line, || -> Result<Head, StoreError> {
            let (status, total_cents) = (row.try_get(1)?, row.try_get(2)?);
            Ok(Head { status, total_cents, created_at: row.try_get(3)?, updated_at: row.try_get(4)? })
        })?;
    }
    Ok(orders)
}
