//! What can be set below `blueprints.orders`.

use std::time::Duration;

use cyanotype::remote::BaseUrl;
use cyanotype::settings::spec::{Setting, Takes, setting};
use garde::Validate;
use serde::Deserialize;

#[derive(Debug, Deserialize, Validate)]
pub(crate) struct OrdersSettings {
    #[garde(skip)]
    pub users_url: Option<BaseUrl>,
    #[garde(skip)]
    users_timeout_ms: u64,
    #[garde(skip)]
    pub users_retries: u32,
}

impl OrdersSettings {
    pub(crate) fn users_timeout(&self) -> Duration {
        Duration::from_millis(self.users_timeout_ms)
    }
}

pub(crate) const KNOWN: &[Setting] = &[
    setting(
        "users_url",
        Takes::Url,
        None,
        "the process that serves users, such as http://127.0.0.1:8080, when this one does not",
    ),
    setting(
        "users_timeout_ms",
        Takes::Whole(1, 60_000),
        Some("2000"),
        "milliseconds that it has to answer, for each try",
    ),
    setting(
        "users_retries",
        Takes::Whole(0, 10),
        Some("2"),
        "tries after one that brought no answer, or 502, 503 or 504",
    ),
];
