//! The response of another service.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use serde::de::DeserializeOwned;

/// The response of another service.
#[derive(Debug)]
pub struct RemoteResponse {
    /// Status code.
    pub status: StatusCode,
    /// The `Retry-After` header, if it is present and in seconds.
    pub retry_after: Option<Duration>,
    pub(super) body: Bytes,
}

impl RemoteResponse {
    /// Deserializes the body.
    ///
    /// # Errors
    /// If the body is not JSON of this type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}
