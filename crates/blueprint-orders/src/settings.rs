//! The settings in `blueprints.orders`.

use std::time::Duration;

use cyanotype::remote::BaseUrl;
use cyanotype::settings::section;

section! {
    /// The settings in `blueprints.orders`.
    pub(crate) struct OrdersSettings {
        /// URL of the process that serves the users blueprint, such as http://127.0.0.1:8080; required when this process does
        /// not serve it
        #[setting(Url)]
        pub users_url: Option<BaseUrl>,
        /// timeout of each request to the users process, in milliseconds
        #[setting(Integer(1, 60_000), default = 2000)]
        users_timeout_ms: u64,
        /// maximum number of retries of a request to the users process that failed or returned 502, 503 or 504
        #[setting(Integer(0, 10), default = 2)]
        pub users_retries: u32,
    }
}

impl OrdersSettings {
    pub(crate) fn users_timeout(&self) -> Duration {
        Duration::from_millis(self.users_timeout_ms)
    }
}
