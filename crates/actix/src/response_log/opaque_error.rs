//! An error of unknown type.

use std::fmt;

use actix_web::Error;

/// An error of unknown type, of which only the `Display` and `Debug` texts are available.
#[derive(thiserror::Error)]
#[error("{display}")]
pub struct OpaqueError {
    display: String,
    debug: String,
}

impl OpaqueError {
    /// Copies the texts of this error.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        Self { display: error.to_string(), debug: format!("{error:?}") }
    }
}

impl fmt::Debug for OpaqueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.debug)
    }
}
