//! Debug tokens: each makes individual requests more verbose, by lowering their minimum level.

use cyanotype_telemetry::Level;
use cyanotype_telemetry::debug_token::{DebugGrant, DebugKey, InvalidRoute, ShortKey};
use jiff::Timestamp;

use super::service::Service;
use crate::blueprint::error::RegistryError;
use crate::log_control::{check_route, duration};

/// Why a debug token cannot be issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DebugTokenError {
    /// `log.debug_key` is unset.
    #[error(
        "log.debug_key is unset; set it to the key of the running service, or log.debug_key_file to the path of its key file"
    )]
    NoKey,
    /// The key is too short.
    #[error("log.debug_key: {0}")]
    Key(#[from] ShortKey),
    /// The blueprints conflict.
    #[error(transparent)]
    Blueprints(#[from] RegistryError),
    /// The route is not a method and a path, such as `GET /orders/{id}`, or is too long.
    #[error(transparent)]
    RouteSyntax(#[from] InvalidRoute),
    /// No blueprint has the route.
    #[error("{reason}")]
    UnknownRoute {
        /// The route.
        route: String,
        /// The message, with the route.
        reason: String,
    },
    /// The duration is invalid or too long.
    #[error("{duration}: {reason}")]
    Duration {
        /// The duration.
        duration: String,
        /// What is allowed.
        reason: String,
    },
}

impl Service {
    /// Issues a token that lowers the minimum level for the requests of a route, such as `GET /orders/{id}`, that carry it. It is
    /// signed with `log.debug_key`, and sent in the header `x-debug-log`. `duration` is a string such as `15m`.
    ///
    /// # Errors
    /// When no key is set, the route does not exist, or the duration exceeds `log.override_max_s`.
    pub fn debug_token(&self, level: Level, route: &str, duration: &str) -> Result<String, DebugTokenError> {
        let (settings, _) = self.select_enabled()?;
        let key = DebugKey::new(settings.log.debug_key.as_deref().ok_or(DebugTokenError::NoKey)?)?;
        let duration = duration::parse(&duration.into(), settings.log.override_max())
            .map_err(|reason| DebugTokenError::Duration { duration: duration.to_owned(), reason })?;
        let grant = DebugGrant::for_route(route, level, Timestamp::now() + duration)?;
        check_route(route, &self.routes()?)
            .map_err(|error| DebugTokenError::UnknownRoute { route: route.to_owned(), reason: error.message })?;
        Ok(key.issue(&grant))
    }
}
