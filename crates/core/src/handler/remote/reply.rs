//! What another process answered.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use serde::de::DeserializeOwned;

/// What the other process answered.
#[derive(Debug)]
pub struct Reply {
    /// The status of the response.
    pub status: StatusCode,
    /// When it may be sent again, where the answer says so in seconds.
    pub retry_after: Option<Duration>,
    pub(super) body: Bytes,
}

impl Reply {
    /// Its body.
    ///
    /// # Errors
    /// When that is not JSON of this type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}
