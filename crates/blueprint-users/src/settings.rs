//! The settings in `blueprints.users`.

use std::num::NonZero;
use std::thread::available_parallelism;

use cyanotype::settings::section;

use crate::throttle::Limits;

section! {
    /// The settings in `blueprints.users`.
    pub(crate) struct UsersSettings {
        /// maximum number of logins, registrations and password changes that wait for a hashing thread; further ones get 503
        /// with `Retry-After`
        #[setting(Integer(0, 10_000), default = 32)]
        pub login_queue: usize,
        /// number of threads that hash passwords; each uses 19 MiB while it is active; one per CPU core when unset
        #[setting(Integer(1, 1024))]
        hash_threads: Option<NonZero<usize>>,
        /// number of wrong passwords for one account from one address block (IPv4 /24, IPv6 /48) that cause the first delay of
        /// further attempts: 1 s, doubled by each further wrong password up to 15 minutes; attempts during a delay get 429; the
        /// count expires 15 minutes after the last delay and is shared by all processes with the same database; 0 disables the
        /// limit
        #[setting(Integer(0, 1_000_000), default = 5)]
        login_failures_per_account: u32,
        /// number of wrong passwords for any accounts from one address (IPv6: one /64) that cause the first delay of further
        /// attempts from it, as login_failures_per_account does, but with delays up to 1 minute; 0 disables the limit
        #[setting(Integer(0, 1_000_000), default = 50)]
        login_failures_per_address: u32,
    }
}

impl UsersSettings {
    /// One per core if unset.
    pub(crate) fn hash_threads(&self) -> usize {
        self.hash_threads.or_else(|| available_parallelism().ok()).map_or(1, NonZero::get)
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits { per_account: self.login_failures_per_account, per_address: self.login_failures_per_address }
    }
}
