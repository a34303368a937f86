//! What can be set below `blueprints.users`.

use std::num::NonZero;
use std::thread::available_parallelism;

use cyanotype::settings::spec::{Setting, Takes, setting};
use garde::Validate;
use serde::Deserialize;

use crate::throttle::Limits;

#[derive(Debug, Deserialize, Validate)]
pub(crate) struct UsersSettings {
    #[garde(skip)]
    pub login_queue: usize,
    #[garde(skip)]
    hash_threads: Option<NonZero<usize>>,
    #[garde(skip)]
    login_failures_per_account: u32,
    #[garde(skip)]
    login_failures_per_address: u32,
}

impl UsersSettings {
    /// One per core when not set.
    pub(crate) fn hash_threads(&self) -> usize {
        self.hash_threads.or_else(|| available_parallelism().ok()).map_or(1, NonZero::get)
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits { per_account: self.login_failures_per_account, per_address: self.login_failures_per_address }
    }
}

pub(crate) const KNOWN: &[Setting] = &[
    setting(
        "login_queue",
        Takes::Whole(0, 10_000),
        Some("32"),
        "logins, registrations and password changes that may wait for a hashing thread; one more gets 503 with \
         `Retry-After` at once",
    ),
    setting(
        "hash_threads",
        Takes::Whole(1, 1024),
        None,
        "threads that hash passwords, with 19 MiB each while they are in use; one per core when not set",
    ),
    setting(
        "login_failures_per_account",
        Takes::Whole(0, 1_000_000),
        Some("5"),
        "wrong passwords for one account from one block of addresses (an IPv4 /24, an IPv6 /48) before each further one \
         delays the next, by 1 s and then twice as long, up to 15 minutes; earlier attempts get 429; forgotten after 15 \
         minutes without one; all processes on one database count together; 0 is no limit",
    ),
    setting(
        "login_failures_per_address",
        Takes::Whole(0, 1_000_000),
        Some("50"),
        "the same for one address (of IPv6 a /64), whatever the account; up to 1 minute",
    ),
];
