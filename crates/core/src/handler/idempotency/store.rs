//! The SQL of idempotency keys.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::database::{DatabaseError, Executor, Transaction};
use crate::handler::problem::Result;

/// A caller's key.
#[derive(Debug)]
pub(super) struct Key {
    pub caller: Uuid,
    pub hash: String,
}

/// Identifies a request: a retry has the same values.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RequestFingerprint {
    pub method: String,
    pub path: String,
    pub body_hash: String,
}

/// A stored response.
#[derive(Debug)]
pub(super) struct StoredResponse {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// Claims the key for this transaction; `false` if it has been used. Waits while another transaction holds it.
pub(super) async fn claim(
    transaction: &mut Transaction,
    key: &Key,
    fingerprint: &RequestFingerprint,
    expires_at: Timestamp,
) -> Result<bool, DatabaseError> {
    let sql = "INSERT INTO idempotency_keys
                   (caller, key_hash, method, path, body_hash, status, headers, body, expires_at)
               VALUES ($1, $2, $3, $4, $5, 0, '[]', '', $6)
               ON CONFLICT (caller, key_hash) DO UPDATE
               SET method = excluded.method, path = excluded.path, body_hash = excluded.body_hash, status = 0,
                   expires_at = excluded.expires_at
               WHERE idempotency_keys.expires_at <= $7";
    let RequestFingerprint { method, path, body_hash } = fingerprint;
    let now = crate::time::now();
    let claimed =
        transaction.execute(sql, &[&key.caller, &key.hash, method, path, body_hash, &expires_at, &now]).await?;
    Ok(claimed > 0)
}

/// The first request with the key, and its response.
pub(super) async fn find(
    transaction: &mut Transaction,
    key: &Key,
) -> Result<Option<(RequestFingerprint, StoredResponse)>> {
    let sql = "SELECT method, path, body_hash, status, headers, body FROM idempotency_keys
               WHERE caller = $1 AND key_hash = $2";
    type Columns = (String, String, String, i64, Value, String);
    let found: Option<Columns> = transaction.query_opt(sql, &[&key.caller, &key.hash]).await?;
    let Some((method, path, body_hash, status, headers, body)) = found else { return Ok(None) };
    let stored = StoredResponse { status: u16::try_from(status)?, headers: serde_json::from_value(headers)?, body };
    Ok(Some((RequestFingerprint { method, path, body_hash }, stored)))
}

pub(super) async fn save(transaction: &mut Transaction, key: &Key, stored: &StoredResponse) -> Result<()> {
    let sql = "UPDATE idempotency_keys SET status = $1, headers = $2, body = $3 WHERE caller = $4 AND key_hash = $5";
    let (status, headers) = (i64::from(stored.status), serde_json::to_value(&stored.headers)?);
    transaction.execute(sql, &[&status, &headers, &stored.body, &key.caller, &key.hash]).await?;
    Ok(())
}
