//! The failure behind an error whose type is not known.

use std::fmt;

use actix_web::Error;

/// An error of another type than ours, of which only its texts are known.
#[derive(thiserror::Error)]
#[error("{display}")]
pub struct OpaqueError {
    display: String,
    debug: String,
}

impl OpaqueError {
    /// The texts of this error.
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
