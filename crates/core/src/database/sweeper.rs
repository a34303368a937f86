//! Rows whose time is over are deleted in batches, outside of any request, by one process at a time.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::error::Result;
use super::executor::Executor;
use super::handle::Database;

/// So many rows are deleted by one statement, so that none holds up others for long.
const BATCH: u64 = 1000;

/// Its holder sweeps. It lasts for two intervals, so that another process follows one that has ended.
const LEASE: &str = "sweep";
const CLAIM: &str = "INSERT INTO leases (name, holder, expires_at) VALUES ($1, $2, $3)
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
    WHERE leases.holder = excluded.holder OR leases.expires_at <= $4";

/// A table whose rows expire: those whose time is over are deleted in the background, in batches, by one process at a time.
///
/// ```
/// use cyanotype::{Expiring, Resources};
///
/// fn start(resources: &Resources) {
///     resources.expire(Expiring { table: "invitations", key: "token_hash", expires_at: "expires_at" });
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Expiring {
    /// The table's name.
    pub table: &'static str,
    /// The columns of its primary key, with commas between them.
    pub key: &'static str,
    /// The column with the time after which a row may go.
    pub expires_at: &'static str,
}

/// The core's own rows that expire.
const OWN: Expiring = Expiring { table: "idempotency_keys", key: "caller, key_hash", expires_at: "expires_at" };

pub(crate) struct Sweeper {
    database: Database,
    tables: Vec<Expiring>,
    interval: Duration,
    /// Identifies this process among those that sweep the same database.
    holder: Uuid,
}

impl Sweeper {
    pub(crate) fn new(database: Database, tables: Vec<Expiring>, interval: Duration) -> Self {
        let tables = std::iter::once(OWN).chain(tables).collect();
        Self { database, tables, interval, holder: Uuid::new_v4() }
    }

    /// Sweeps once an interval, for ever.
    pub(crate) async fn run(self) {
        loop {
            if let Err(error) = self.sweep().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "expired rows were not deleted");
            }
            tokio::time::sleep(self.interval).await;
        }
    }

    /// Deletes all rows that have expired, unless another process does.
    async fn sweep(&self) -> Result<u64> {
        let now = Timestamp::now();
        let until = now + self.interval * 2;
        if self.database.execute(CLAIM, &[&LEASE, &self.holder, &until, &now]).await? == 0 {
            return Ok(0);
        }
        let mut all = 0;
        for Expiring { table, key, expires_at } in &self.tables {
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
                // Requests come first.
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
            database.execute(sql, &[&Uuid::new_v4(), &expires_at]).await.expect("it is stored");
        }
    }

    #[actix_web::test]
    async fn what_has_expired_goes_in_batches_and_the_rest_stays() {
        let database = in_memory().await;
        let hour = Duration::from_secs(3600);
        insert(&database, BATCH as usize + 5, time::now() - hour).await;
        insert(&database, 2, time::now() + hour).await;
        let sweeper = Sweeper::new(database.clone(), vec![], Duration::from_secs(60));
        assert_eq!(sweeper.sweep().await.expect("it sweeps"), BATCH + 5);
        let (left,): (i64,) =
            database.query_one("SELECT count(*) FROM idempotency_keys", &[]).await.expect("it counts");
        assert_eq!(left, 2);
    }

    #[actix_web::test]
    async fn one_process_at_a_time_sweeps() {
        let database = in_memory().await;
        insert(&database, 1, time::now() - Duration::from_secs(60)).await;
        let minute = Duration::from_secs(60);
        let [first, second] = [(); 2].map(|()| Sweeper::new(database.clone(), vec![], minute));
        assert_eq!(first.sweep().await.expect("it sweeps"), 1);
        insert(&database, 1, time::now() - minute).await;
        assert_eq!(second.sweep().await.expect("it asks"), 0, "the first one holds the lease");
        assert_eq!(first.sweep().await.expect("it sweeps"), 1);
        let over = "UPDATE leases SET expires_at = $1";
        database.execute(over, &[&(time::now() - minute)]).await.expect("the lease is over");
        insert(&database, 1, time::now() - minute).await;
        assert_eq!(second.sweep().await.expect("it sweeps"), 1, "the lease was over");
    }
}
