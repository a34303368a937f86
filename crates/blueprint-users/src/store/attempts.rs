//! Wrong passwords, counted in the database that all processes share.

use std::time::Duration;

use cyanotype::{DatabaseError, Executor, ToSql, Transaction, placeholders, time};
use jiff::{SignedDuration, Timestamp};

use super::Store;
use crate::failure_count::{Counter, Rule};

/// What has been counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Failures {
    pub any: bool,
    /// How long the next attempt must wait.
    pub blocked_for: Option<Duration>,
}

impl Store {
    pub(crate) async fn failures(&self, counters: &[Counter]) -> Result<Failures, DatabaseError> {
        if counters.is_empty() {
            return Ok(Failures::default());
        }
        let sql = "SELECT blocked_until FROM login_attempts WHERE expires_at > $1 AND key IN";
        let now = time::now();
        let keys = counters.iter().map(|counter| &counter.key as &dyn ToSql);
        let values: Vec<&dyn ToSql> = std::iter::once(&now as &dyn ToSql).chain(keys).collect();
        let rows: Vec<(Timestamp,)> =
            self.database.query(&format!("{sql} ({})", placeholders(2, counters.len())), &values).await?;
        let latest = rows.iter().map(|(until,)| *until).max().filter(|until| *until > now);
        let blocked_for = latest.map(|until| Duration::try_from(until.duration_since(now)).unwrap_or_default());
        Ok(Failures { any: !rows.is_empty(), blocked_for })
    }

    /// Counts a wrong password. In the order of the counters, so that no two transactions wait for each other.
    pub(crate) async fn count_failure(&self, counters: Vec<Counter>) -> Result<(), DatabaseError> {
        let work = async move |transaction: &mut Transaction| {
            for counter in &counters {
                count(transaction, counter).await?;
            }
            Ok(())
        };
        self.database.transaction(work).await
    }

    pub(crate) async fn forget_failures(&self, counter: &Counter) -> Result<(), DatabaseError> {
        self.database.execute("DELETE FROM login_attempts WHERE key = $1", &[&counter.key]).await.map(drop)
    }
}

async fn count(transaction: &mut Transaction, Counter { key, rule }: &Counter) -> Result<(), DatabaseError> {
    let count = "INSERT INTO login_attempts (key, failures, blocked_until, expires_at) VALUES ($1, 1, $2, $2)
                 ON CONFLICT (key) DO UPDATE SET
                     failures = CASE WHEN login_attempts.expires_at <= $2 THEN 1 ELSE login_attempts.failures + 1 END
                 RETURNING failures";
    let block = "UPDATE login_attempts SET blocked_until = $2, expires_at = $3 WHERE key = $1";
    let now = time::now();
    let (failures,): (i64,) = transaction.query_one(count, &[key, &now]).await?;
    let until = now + SignedDuration::try_from(rule.delay(failures)).unwrap_or(SignedDuration::ZERO);
    transaction.execute(block, &[key, &until, &(until + Rule::FORGOTTEN_AFTER)]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cyanotype::test;

    async fn store() -> Store {
        Store::new(test::database(&crate::Users).await)
    }

    fn counters(account: &str) -> Vec<Counter> {
        let rules = [(account, Rule::Account { free: 3 }), ("address", Rule::Address { free: 5 })];
        rules.map(|(key, rule)| Counter { key: key.into(), rule }).into()
    }

    /// Whether the account is blocked after each failure.
    async fn fail(store: &Store, account: &str, count: usize) -> Vec<bool> {
        let mut blocked = Vec::new();
        for _ in 0..count {
            store.count_failure(counters(account)).await.unwrap();
            blocked.push(is_blocked(store, account).await);
        }
        blocked
    }

    async fn is_blocked(store: &Store, account: &str) -> bool {
        store.failures(&counters(account)).await.unwrap().blocked_for.is_some()
    }

    #[actix_web::test]
    async fn after_its_free_failures_an_account_waits_and_then_its_address() {
        let store = store().await;
        assert_eq!(store.failures(&counters("ada")).await.unwrap(), Failures::default());
        assert_eq!(fail(&store, "ada", 3).await, [false, false, true]);
        let failures = store.failures(&counters("ada")).await.unwrap();
        assert!(failures.any && failures.blocked_for.unwrap() <= Duration::from_secs(1), "{failures:?}");
        assert!(!is_blocked(&store, "bob").await, "another account");
        assert_eq!(fail(&store, "bob", 2).await, [false, true], "of the address these are the fourth and the fifth");
        assert!(is_blocked(&store, "carol").await);
    }

    #[actix_web::test]
    async fn an_account_that_is_forgotten_begins_anew() {
        let store = store().await;
        assert_eq!(fail(&store, "ada", 2).await, [false, false]);
        store.forget_failures(&counters("ada")[0]).await.unwrap();
        assert_eq!(fail(&store, "ada", 2).await, [false, false]);
        assert_eq!(fail(&store, "bob", 1).await, [true], "the address does not");
    }

    #[actix_web::test]
    async fn what_has_expired_is_not_counted_any_more() {
        let store = store().await;
        assert_eq!(fail(&store, "ada", 3).await, [false, false, true]);
        let sql = "UPDATE login_attempts SET blocked_until = $1, expires_at = $1";
        store.database.execute(sql, &[&Timestamp::UNIX_EPOCH]).await.unwrap();
        assert_eq!(store.failures(&counters("ada")).await.unwrap(), Failures::default());
        assert_eq!(fail(&store, "ada", 3).await, [false, false, true]);
    }
}
