//! rusqlite on the thread that handles the request: each worker thread has its own connection for reads, and all share
//! one for writes.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Params, TransactionBehavior, params};
use uuid::Uuid;

use crate::joined::{self, FIND, Head, LIST};
use crate::model::{Line, Order};
use crate::store::{self, Hash, IdempotentRequest, PlaceResult, Seed, StoreError};

const CONNECTION_PRAGMAS: &str =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000";
const TABLES: &str = include_str!("../sql/sqlite.sql");

/// The connection for writes, shared by all workers.
static WRITER: OnceLock<Mutex<Connection>> = OnceLock::new();

pub struct Store {
    reader: Connection,
}

impl store::Store for Store {
    async fn seed(url: &str, seed: &Seed) -> Result<(), StoreError> {
        let connection = connect(url)?;
        connection.execute_batch(TABLES)?;
        let (now, expires_at) = (seed.now.timestamp_micros(), seed.expires_at.timestamp_micros());
        let user = "INSERT INTO users (id, email, name, password_hash, created_at, updated_at)
                    VALUES (?1, 'ada@example.org', 'Ada', '', ?2, ?2)";
        connection.execute(user, params![seed.user, now])?;
        let session = "INSERT INTO sessions (token_hash, user_id, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)";
        connection.execute(session, params![seed.token_hash, seed.user, now, expires_at])?;
        Ok(())
    }

    async fn open(url: &str) -> Result<Self, StoreError> {
        if WRITER.get().is_none() {
            // If another worker was faster, this connection is closed again.
            let _ = WRITER.set(Mutex::new(connect(url)?));
        }
        Ok(Self { reader: connect(url)? })
    }

    async fn caller(&self, token_hash: &Hash) -> Result<Option<Uuid>, StoreError> {
        let sql = "SELECT users.id FROM sessions JOIN users ON users.id = sessions.user_id
                   WHERE sessions.token_hash = ?1 AND sessions.expires_at > ?2";
        let mut select = self.reader.prepare_cached(sql)?;
        let now = Utc::now().timestamp_micros();
        Ok(select.query_row(params![token_hash, now], |row| row.get(0)).optional()?)
    }

    async fn find(&self, user: Uuid, id: Uuid) -> Result<Option<Order>, StoreError> {
        Ok(self.orders(FIND, params![id, user])?.pop())
    }

    async fn list(&self, user: Uuid, after: Uuid, limit: i64) -> Result<Vec<Order>, StoreError> {
        self.orders(LIST, params![user, after, limit])
    }

    async fn place(&self, user: Uuid, order: &Order) -> Result<(), StoreError> {
        let mut writer = writer();
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        insert(&transaction, user, order)?;
        Ok(transaction.commit()?)
    }

    async fn place_once(
        &self,
        user: Uuid,
        order: &Order,
        idempotent: &IdempotentRequest,
    ) -> Result<PlaceResult, StoreError> {
        let mut writer = writer();
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(before) = claim(&transaction, user, idempotent)? {
            return Ok(before);
        }
        insert(&transaction, user, order)?;
        transaction.commit()?;
        Ok(PlaceResult::Placed)
    }
}

impl Store {
    fn orders(&self, sql: &str, params: impl Params) -> Result<Vec<Order>, StoreError> {
        let mut select = self.reader.prepare_cached(sql)?;
        let mut rows = select.query(params)?;
        let mut orders = Vec::new();
        while let Some(row) = rows.next()? {
            let line = Line { sku: row.get(5)?, quantity: row.get(6)?, unit_price_cents: row.get(7)? };
            let time = |column| row.get(column).map(|time| DateTime::from_timestamp_micros(time).unwrap_or_default());
            joined::add(&mut orders, row.get(0)?, line, || -> rusqlite::Result<Head> {
                let (status, total_cents) = (row.get(1)?, row.get(2)?);
                Ok(Head { status, total_cents, created_at: time(3)?, updated_at: time(4)? })
            })?;
        }
        Ok(orders)
    }
}

fn connect(url: &str) -> rusqlite::Result<Connection> {
    let connection = Connection::open(Path::new(url.strip_prefix("sqlite://").unwrap_or(url)))?;
    connection.execute_batch(CONNECTION_PRAGMAS)?;
    Ok(connection)
}

/// A poisoned lock is safe to use: the transaction of the panicked worker was rolled back on drop.
fn writer() -> MutexGuard<'static, Connection> {
    WRITER.get().expect("every store opens the writer first").lock().unwrap_or_else(PoisonError::into_inner)
}

fn insert(on: &Connection, user: Uuid, order: &Order) -> Result<(), StoreError> {
    let sql = "INSERT INTO orders (id, user_id, status, total_cents, created_at, updated_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
    let created_at = order.created_at.timestamp_micros();
    on.prepare_cached(sql)?.execute(params![order.id, user, order.status, order.total_cents, created_at])?;
    let sql = "INSERT INTO order_lines (order_id, position, sku, quantity, unit_price_cents)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut insert = on.prepare_cached(sql)?;
    for (position, line) in (0_i64..).zip(&order.lines) {
        insert.execute(params![order.id, position, line.sku, line.quantity, line.unit_price_cents])?;
    }
    Ok(())
}

/// Inserts the key with its response, or returns the outcome of its earlier use.
fn claim(on: &Connection, user: Uuid, idempotent: &IdempotentRequest) -> Result<Option<PlaceResult>, StoreError> {
    let sweep = "DELETE FROM idempotency_keys WHERE expires_at <= ?1";
    on.prepare_cached(sweep)?.execute([Utc::now().timestamp_micros()])?;
    let sql = "INSERT INTO idempotency_keys
                   (caller, key_hash, method, path, body_hash, status, headers, body, expires_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (caller, key_hash) DO NOTHING";
    let IdempotentRequest { key_hash, method, path, body_hash, status, headers, response, expires_at } = idempotent;
    let expires_at = expires_at.timestamp_micros();
    let values = params![user, key_hash, method, path, body_hash, status, headers, response, expires_at];
    if on.prepare_cached(sql)?.execute(values)? > 0 {
        return Ok(None);
    }
    let sql = "SELECT path, body_hash, body FROM idempotency_keys WHERE caller = ?1 AND key_hash = ?2";
    let mut select = on.prepare_cached(sql)?;
    let (path, body_hash, response): (String, Vec<u8>, String) =
        select.query_row(params![user, key_hash], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(Some(PlaceResult::of_stored(idempotent, &path, &body_hash, response)))
}
