//! Limits failed password checks: for one account from one address block, and from one address.
//!
//! Each address block has its own count for an account, so that a stranger cannot lock out the owner. Failures for accounts that
//! do not exist are counted in the same way.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use cyanotype::{ClientAddress, Problem, Result};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, MutexGuard};

use crate::failure_count::{Counter, Rule};
use crate::hash_pool::HashPool;
use crate::password::Password;
use crate::store::{Failures, Store};
use crate::token;

/// The number of failures before the first delay; 0 disables the limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub per_account: u32,
    pub per_address: u32,
}

/// Verifies passwords, and rejects attempts after too many failures.
#[derive(Debug)]
pub(crate) struct Throttle {
    store: Store,
    pool: Arc<HashPool>,
    limits: Limits,
    /// Passwords of one account are verified one at a time, so that each attempt observes the failures of earlier ones. The lock
    /// is chosen by a hash of the address, so accounts can share one.
    locks: [Mutex<()>; 64],
}

impl Throttle {
    pub(crate) fn new(store: Store, pool: Arc<HashPool>, limits: Limits) -> Self {
        Self { store, pool, limits, locks: std::array::from_fn(|_| Mutex::new(())) }
    }

    /// Whether the password matches the stored hash of the account with this e-mail address.
    ///
    /// # Errors
    /// 429 after too many failures, 503 if the hash queue is full.
    pub(crate) async fn verify(
        self: Arc<Self>,
        (email, client): (String, ClientAddress),
        password: Password,
        stored: Option<String>,
    ) -> Result<bool> {
        let counters = counters(self.limits, &email, client);
        // In a separate task, so that the attempt is counted even if the client disconnects.
        cyanotype::spawn(async move { self.verify_and_count(&email, counters, password, stored).await }).await?
    }

    async fn verify_and_count(
        &self,
        email: &str,
        counters: Vec<Counter>,
        password: Password,
        stored: Option<String>,
    ) -> Result<bool> {
        // Rejects most attempts of a flood early.
        self.reject_blocked(&counters).await?;
        let permit = self.pool.acquire().await?;
        let _lock = self.lock_of(email).await;
        // Checked again: concurrent attempts may have failed in the meantime.
        let has_failures = self.reject_blocked(&counters).await?;
        let is_right = password.verify(stored, permit).await?;
        if !is_right {
            self.store.count_failure(counters).await?;
        } else if has_failures {
            // Only the count of the account: the owner of one account could otherwise keep trying others.
            let account = counters.iter().find(|counter| matches!(counter.rule, Rule::Account { .. }));
            if let Some(account) = account {
                self.store.reset_failures(account).await?;
            }
        }
        Ok(is_right)
    }

    async fn lock_of(&self, email: &str) -> MutexGuard<'_, ()> {
        let hash = Sha256::digest(email);
        self.locks[usize::from(hash[0]) % self.locks.len()].lock().await
    }

    /// Whether any failures are counted.
    ///
    /// # Errors
    /// 429 during a delay.
    async fn reject_blocked(&self, counters: &[Counter]) -> Result<bool> {
        let Failures { blocked_for, any } = self.store.failures(counters).await?;
        match blocked_for {
            None => Ok(any),
            Some(wait) => {
                let seconds = wait.as_millis().div_ceil(1000).max(1);
                Err(Problem::too_many_requests(wait, format!("too many wrong passwords; retry after {seconds} s")))
            }
        }
    }
}

fn counters(limits: Limits, email: &str, address: ClientAddress) -> Vec<Counter> {
    let counter = |rule: Rule, subject: String| Counter { key: token::hash(&subject), rule };
    let account = (limits.per_account > 0).then(|| {
        let rule = Rule::Account { free: limits.per_account };
        counter(rule, format!("account {email}\n{}", block(address.ip())))
    });
    let address = (limits.per_address > 0).then(|| {
        let rule = Rule::Address { free: limits.per_address };
        counter(rule, format!("address {}", address.block()))
    });
    account.into_iter().chain(address).collect()
}

/// The block of an address: an IPv4 /24 or an IPv6 /48.
fn block(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(it) => Ipv4Addr::from_bits(it.to_bits() & (u32::MAX << 8)).into(),
        IpAddr::V6(it) => Ipv6Addr::from_bits(it.to_bits() & (u128::MAX << 80)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_one_count_per_address_block() {
        let limits = Limits { per_account: 5, per_address: 50 };
        let keys = |email: &str, address: &str| {
            let address: IpAddr = address.parse().expect("an address");
            counters(limits, email, address.into()).into_iter().map(|it| it.key).collect::<Vec<_>>()
        };
        let [here, near, far] = ["192.0.2.1", "192.0.2.9", "198.51.100.1"].map(|it| keys("ada@example.org", it));
        assert_eq!((here[0] == near[0], here[1] == near[1]), (true, false));
        assert_ne!(here[0], far[0]);
        let other = keys("bob@example.org", "192.0.2.1");
        assert_eq!((here[0] == other[0], here[1] == other[1]), (false, true));
        let v6 = ["2001:db8:1::1", "2001:db8:1:2::1", "2001:db8:2::1"].map(|it| keys("ada@example.org", it));
        assert_eq!((v6[0][0] == v6[1][0], v6[0][1] == v6[1][1], v6[0][0] == v6[2][0]), (true, false, false));
        assert_eq!(keys("ada@example.org", "::ffff:192.0.2.1"), here);
    }
}
