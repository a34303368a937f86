//! What can be set below `blueprints.users`.

use std::num::NonZero;
use std::thread::available_parallelism;

use cyanotype::settings::section;

use crate::throttle::Limits;

section! {
    /// What can be set below `blueprints.users`.
    pub(crate) struct UsersSettings {
        /// logins, registrations and password changes that may wait for a hashing thread; one more gets 503 with
        /// `Retry-After` at once
        #[setting(Whole(0, 10_000), default = 32)]
        pub login_queue: usize,
        /// threads that hash passwords, with 19 MiB each while they are in use; one per core when not set
        #[setting(Whole(1, 1024))]
        hash_threads: Option<NonZero<usize>>,
        /// wrong passwords for one account from one block of addresses (an IPv4 /24, an IPv6 /48) before each further one
        /// delays the next, by 1 s and then twice as long, up to 15 minutes; earlier attempts get 429; forgotten after 15
        /// minutes without one; all processes on one database count together; 0 is no limit
        #[setting(Whole(0, 1_000_000), default = 5)]
        login_failures_per_account: u32,
        /// the same for one address (of IPv6 a /64), whatever the account; up to 1 minute
        #[setting(Whole(0, 1_000_000), default = 50)]
        login_failures_per_address: u32,
    }
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
