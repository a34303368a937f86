//! Wrong passwords, counted in the database that all processes share.

use std::time::Duration;

use cyanotype::{DatabaseError, Executor, Transaction, time};
use jiff::{SignedDuration, Timestamp};

use super::Store;
use crate::throttle::{Counter, Rule};

/// Why an attempt is not made.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Too many have failed; the next one may be made after so long.
    Blocked(Duration),
    Failed(DatabaseError),
}

impl From<DatabaseError> for Refusal {
    fn from(error: DatabaseError) -> Self {
        Self::Failed(error)
    }
}

impl Store {
    /// How long these are blocked. Most attempts of a flood end here, without a write.
    pub(crate) async fn blocked(&self, counters: &[Counter]) -> Result<Option<Duration>, DatabaseError> {
        let now = time::now();
        let mut longest = None;
        for counter in counters {
            longest = longest.max(blocked(&self.database, counter, now).await?);
        }
        Ok(longest)
    }

    /// Counts an attempt as a failure before its password is verified: of many at once, no more are made than one after the
    /// other. In the order of the counters, so that no two transactions wait for each other.
    pub(crate) async fn begin_attempt(&self, counters: Vec<Counter>) -> Result<(), Refusal> {
        let work = async move |transaction: &mut Transaction| {
            for counter in &counters {
                count(transaction, counter).await?;
            }
            Ok(())
        };
        self.database.transaction(work).await
    }

    /// The attempt was no failure. A right password ends the count of its account, and no other.
    pub(crate) async fn end_attempt(&self, counters: Vec<Counter>, was_right: bool) -> Result<(), DatabaseError> {
        let forget = "DELETE FROM login_attempts WHERE key = $1";
        let take_back = "UPDATE login_attempts SET failures = failures - 1, blocked_until = $2
                         WHERE key = $1 AND failures > 0";
        let work = async move |transaction: &mut Transaction| {
            for Counter { key, rule } in &counters {
                match rule {
                    Rule::Account { .. } if was_right => transaction.execute(forget, &[key]).await?,
                    _ => transaction.execute(take_back, &[key, &time::now()]).await?,
                };
            }
            Ok(())
        };
        self.database.transaction(work).await
    }
}

async fn blocked(on: impl Executor, counter: &Counter, now: Timestamp) -> Result<Option<Duration>, DatabaseError> {
    let sql = "SELECT blocked_until FROM login_attempts WHERE key = $1 AND blocked_until > $2";
    let until: Option<(Timestamp,)> = on.query_opt(sql, &[&counter.key, &now]).await?;
    Ok(until.map(|(until,)| Duration::try_from(until.duration_since(now)).unwrap_or_default()))
}

async fn count(transaction: &mut Transaction, Counter { key, rule }: &Counter) -> Result<(), Refusal> {
    let count = "INSERT INTO login_attempts (key, failures, blocked_until, expires_at) VALUES ($1, 1, $2, $3)
                 ON CONFLICT (key) DO UPDATE SET
                     failures = CASE WHEN login_attempts.expires_at <= $2 THEN 1 ELSE login_attempts.failures + 1 END
                 WHERE login_attempts.blocked_until <= $2
                 RETURNING failures";
    let block = "UPDATE login_attempts SET blocked_until = $2, expires_at = $3 WHERE key = $1";
    let now = time::now();
    let counted: Option<(i64,)> = transaction.query_opt(count, &[key, &now, &now]).await?;
    let Some((failures,)) = counted else {
        let counter = Counter { key: key.clone(), rule: *rule };
        return Err(Refusal::Blocked(blocked(transaction, &counter, now).await?.unwrap_or_default()));
    };
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

    async fn attempts(store: &Store, account: &str, count: usize) -> Vec<bool> {
        let mut made = Vec::new();
        for _ in 0..count {
            made.push(store.begin_attempt(counters(account)).await.is_ok());
        }
        made
    }

    #[actix_web::test]
    async fn after_its_free_attempts_an_account_waits() {
        let store = store().await;
        assert_eq!(store.blocked(&counters("ada")).await.unwrap(), None);
        assert_eq!(attempts(&store, "ada", 5).await, [true, true, true, false, false]);
        let wait = store.blocked(&counters("ada")).await.unwrap().expect("is blocked");
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        // What was refused is not counted, not for the address either.
        assert_eq!(attempts(&store, "bob", 3).await, [true, true, false]);
    }

    #[actix_web::test]
    async fn a_right_password_ends_the_count_of_the_account_but_not_of_the_address() {
        let store = store().await;
        assert_eq!(attempts(&store, "ada", 2).await, [true, true]);
        store.end_attempt(counters("ada"), true).await.unwrap();
        assert_eq!(attempts(&store, "ada", 2).await, [true, true]);
        assert_eq!(attempts(&store, "bob", 3).await, [true, true, false], "one of the six was right");
    }

    #[actix_web::test]
    async fn what_verified_nothing_is_not_counted() {
        let store = store().await;
        for _ in 0..10 {
            assert_eq!(attempts(&store, "ada", 1).await, [true]);
            store.end_attempt(counters("ada"), false).await.unwrap();
        }
        assert_eq!(attempts(&store, "ada", 4).await, [true, true, true, false]);
    }

    #[actix_web::test]
    async fn what_has_expired_is_not_counted_any_more() {
        let store = store().await;
        assert_eq!(attempts(&store, "ada", 4).await, [true, true, true, false]);
        let sql = "UPDATE login_attempts SET blocked_until = $1, expires_at = $1";
        store.database.execute(sql, &[&Timestamp::UNIX_EPOCH]).await.unwrap();
        assert_eq!(attempts(&store, "ada", 4).await, [true, true, true, false]);
    }
}
