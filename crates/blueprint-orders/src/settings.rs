//! What can be set below `blueprints.orders`.

use std::time::Duration;

use cyanotype::remote::BaseUrl;
use cyanotype::settings::section;

section! {
    /// What can be set below `blueprints.orders`.
    pub(crate) struct OrdersSettings {
        /// the process that serves users, such as http://127.0.0.1:8080, when this one does not
        #[setting(Url)]
        pub users_url: Option<BaseUrl>,
        /// milliseconds that it has to answer, for each try
        #[setting(Whole(1, 60_000), default = 2000)]
        users_timeout_ms: u64,
        /// tries after one that brought no answer, or 502, 503 or 504
        #[setting(Whole(0, 10), default = 2)]
        pub users_retries: u32,
    }
}

impl OrdersSettings {
    pub(crate) fn users_timeout(&self) -> Duration {
        Duration::from_millis(self.users_timeout_ms)
    }
}
