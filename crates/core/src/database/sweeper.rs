//! Deletes expired rows in batches, outside any request, in one process at a time.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::error::Result;
use super::executor::Executor;
use super::handle::Database;

/// Maximum number of rows deleted by one statement, so that it does not block others for long.
const BATCH: u64 = 1000;

/// Name of the lease whose holder sweeps. It is valid for two intervals; then another process can take over.
const LEASE: &str = "sweep";
const CLAIM: &str = "INSERT INTO leases (name, holder, expires_at) VALUES ($1, $2, $3)
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
    WHERE leases.holder = excluded.holder OR leases.expires_at <= $4";

/// A table whose expired rows are deleted in the background, every `database.sweep_interval_s`, in batches and by one process
/// at a time.
///
/// ```
/// use cyanotype::{ExpiringTable, Resources};
///
/// fn start(resources: &Resources) {
///     resources.delete_expired_rows(ExpiringTable { table: "invitations", key: "token_hash", expires_at: "expires_at" });
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ExpiringTable {
    /// Name of the table.
    pub table: &'static str,
    /// Columns of the primary key, separated by commas.
    pub key: &'static str,
    /// Column with the expiry time of a row.
    pub expires_at: &'static str,
}

/// The framework's table with expiring rows.
const FRAMEWORK_TABLE: ExpiringTable =
    ExpiringTable { table: "idempotency_keys", key: "caller, key_hash", expires_at: "expires_at" };

pub(crate) struct Sweeper {
    database: Database,
    tables: Vec<ExpiringTable>,
    interval: Duration,
    /// Identifies this process among those that sweep the same database.
    holder: Uuid,
}

impl Sweeper {
    pub(crate) fn new(database: Database, tables: Vec<ExpiringTable>, interval: Duration) -> Self {
        let tables = std::iter::once(FRAMEWORK_TABLE).chain(tables).collect();
        Self { database, tables, interval, holder: Uuid::new_v4() }
    }

    /// Sweeps once per interval; never returns.
    pub(crate) async fn run(self) {
        loop {
            if let Err(error) = self.sweep().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "failed to delete expired rows; retrying in {} s",
                    self.interval.as_secs()
                );
            }
            tokio::time::sleep(self.interval).await;
        }
    }

    /// Deletes all expired rows, unless another process holds the lease; returns their number.
    async fn sweep(&self) -> Result<u64> {
        let now = Timestamp::now();
        let until = now + self.interval * 2;
        if self.database.execute(CLAIM, &[&LEASE, &self.holder, &until, &now]).await? == 0 {
            return Ok(0);
        }
        let mut all = 0;
        for ExpiringTable { table, key, expires_at } in &self.tables {
            let delete = format!(
                "DELETE FROM {table} WHERE {expires_at} <= $1
                 AND ({key}) IN (SELECT {key} FROM {table} WHERE {expires_at} <= $1 ORDER BY {key} LIMIT {BATCH})"
            );
            loop {
                let deleted = self.database.execute(&delete, &[&now]).await?;
                all += deleted;
                if deleted < BATCH {
                    break;
                }
                // Lets requests run first.
                tokio::task::yield_now().await;
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::tests::in_memory;
    use crate::time;

    async fn insert(database: &Database, count: usize, expires_at: Timestamp) {
        let sql = "INSERT INTO idempotency_keys VALUES ($1, '', '', '', '', 0, '[]', '', $2)";
        for _ in 0..count {
            database.execute(sql, &[&Uuid::new_v4(), &expires_at]).await.expect("an insert");
        }
    }

    #[actix_web::test]
    async fn expired_rows_are_deleted_in_batches() {
        let database = in_memory().await;
        let hour = Duration::from_secs(3600);
        insert(&database, BATCH as usize + 5, time::now() - hour).await;
        insert(&database, 2, time::now() + hour).await;
        let sweeper = Sweeper::new(database.clone(), vec![], Duration::from_secs(60));
        assert_eq!(sweeper.sweep().await.expect("a sweep"), BATCH + 5);
        let (left,): (i64,) = database.query_one("SELECT count(*) FROM idempotency_keys", &[]).await.expect("a count");
        assert_eq!(left, 2);
    }

    #[actix_web::test]
    async fn only_the_holder_of_the_lease_sweeps() {
        let database = in_memory().await;
        insert(&database, 1, time::now() - Duration::from_secs(60)).await;
        let minute = Duration::from_secs(60);
        let [first, second] = [(); 2].map(|()| Sweeper::new(database.clone(), vec![], minute));
        assert_eq!(first.sweep().await.expect("a sweep"), 1);
        insert(&database, 1, time::now() - minute).await;
        assert_eq!(second.sweep().await.expect("a skipped sweep"), 0, "the first one holds the lease");
        assert_eq!(first.sweep().await.expect("a sweep"), 1);
        let expire = "UPDATE leases SET expires_at = $1";
        database.execute(expire, &[&(time::now() - minute)]).await.expect("the lease expires");
        insert(&database, 1, time::now() - minute).await;
        assert_eq!(second.sweep().await.expect("a sweep"), 1, "the lease had expired");
    }
}
