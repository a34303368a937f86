//! All SQL of idempotency keys; a key is a caller and a hash.

use jiff::Timestamp;
use sqlx::{AnyConnection, FromRow};

use crate::problem::Result;

/// What tells whether a request is the same again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub method: String,
    pub path: String,
    pub body_hash: String,
}

/// What is kept of an answer.
#[derive(Debug)]
pub(super) struct Kept {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

#[derive(FromRow)]
struct Row {
    method: String,
    path: String,
    body_hash: String,
    status: i64,
    headers: String,
    body: String,
}

/// Whether the key is this transaction's own now. One that another transaction has is waited for. Keys whose time is over
/// are swept on the way, which also makes this the write that a transaction begins with.
pub(super) async fn claim(
    connection: &mut AnyConnection,
    (caller, key_hash): (&str, &str),
    asked: &Asked,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<bool, sqlx::Error> {
    let sweep = sqlx::query("DELETE FROM idempotency_keys WHERE expires_at <= $1").bind(now.as_second());
    sweep.execute(&mut *connection).await?;
    let sql = "INSERT INTO idempotency_keys
                   (caller, key_hash, method, path, body_hash, status, headers, body, expires_at)
               VALUES ($1, $2, $3, $4, $5, 0, '', '', $6) ON CONFLICT (caller, key_hash) DO NOTHING";
    let insert = sqlx::query(sql).bind(caller).bind(key_hash).bind(&asked.method).bind(&asked.path);
    let done = insert.bind(&asked.body_hash).bind(expires_at.as_second()).execute(connection).await?;
    Ok(done.rows_affected() > 0)
}

/// The request that the key came with first, and what was answered.
pub(super) async fn find(
    connection: &mut AnyConnection,
    (caller, key_hash): (&str, &str),
) -> Result<Option<(Asked, Kept)>> {
    let sql = "SELECT method, path, body_hash, status, headers, body FROM idempotency_keys
               WHERE caller = $1 AND key_hash = $2";
    let row: Option<Row> = sqlx::query_as(sql).bind(caller).bind(key_hash).fetch_optional(connection).await?;
    let Some(Row { method, path, body_hash, status, headers, body }) = row else { return Ok(None) };
    let kept = Kept { status: u16::try_from(status)?, headers: serde_json::from_str(&headers)?, body };
    Ok(Some((Asked { method, path, body_hash }, kept)))
}

pub(super) async fn keep(connection: &mut AnyConnection, (caller, key_hash): (&str, &str), kept: &Kept) -> Result<()> {
    let sql = "UPDATE idempotency_keys SET status = $1, headers = $2, body = $3 WHERE caller = $4 AND key_hash = $5";
    let update = sqlx::query(sql).bind(i64::from(kept.status)).bind(serde_json::to_string(&kept.headers)?);
    update.bind(&kept.body).bind(caller).bind(key_hash).execute(connection).await?;
    Ok(())
}
