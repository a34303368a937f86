//! Signed tokens that make the logs of one request more verbose.
//!
//! A token has the form `v1.PAYLOAD.MAC`; both parts are unpadded base64url. The payload is a string such as
//! `debug 1767225600 route GET /orders/{id}`: the level, the expiry in Unix seconds, and the route or trace that the
//! token is limited to. The MAC is HMAC-SHA-256 over everything before the second dot. Each token has exactly one valid
//! encoding.
//!
//! ```
//! use cyanotype_telemetry::Level;
//! use cyanotype_telemetry::debug_token::{DebugGrant, DebugKey, TokenError};
//! use uuid::Uuid;
//!
//! let key = DebugKey::new("an example of a key of at least 32 bytes")?;
//! let expires_at: jiff::Timestamp = "2026-01-01T00:15:00Z".parse()?;
//! let token = key.issue(&DebugGrant::for_route("GET /orders/{id}", Level::Debug, expires_at)?);
//!
//! let grant = key.verify(&token, "2026-01-01T00:14:59Z".parse()?)?;
//! assert_eq!(grant.level(), Level::Debug);
//! assert!(grant.applies_to("GET", Some("/orders/{id}"), Uuid::nil()));
//! assert!(!grant.applies_to("GET", Some("/orders"), Uuid::nil()));
//! assert_eq!(key.verify(&token, expires_at), Err(TokenError::Expired));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod grant;
mod key;
mod refusals;
mod tokens;
mod verbose_request;

pub use grant::{DebugGrant, InvalidRoute};
pub use key::{DebugKey, ShortKey};
pub use refusals::{RefusedTokenCounter, RefusedTokens, TokenError};
pub(crate) use tokens::DebugTokens;
pub(crate) use verbose_request::VerboseRequest;
