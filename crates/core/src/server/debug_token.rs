//! Tokens that raise one request.

use cyanotype_telemetry::Level;
use cyanotype_telemetry::debug_token::{DebugGrant, DebugKey, InvalidRoute, ShortKey};
use jiff::Timestamp;

use super::service::Service;
use crate::blueprint::error::RegistryError;
use crate::log_control::{check_route, duration};

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DebugTokenError {
    /// The service accepts none.
    #[error("log.debug_key is not set: set it to the key of the running service, or log.debug_key_file to its file")]
    NoKey,
    /// The key cannot sign.
    #[error("log.debug_key: {0}")]
    Key(#[from] ShortKey),
    /// The blueprints cannot be served together.
    #[error(transparent)]
    Blueprints(#[from] RegistryError),
    /// The route is not written as a token needs it.
    #[error(transparent)]
    RouteForm(#[from] InvalidRoute),
    /// The service has no such route.
    #[error("{route}: {reason}")]
    UnknownRoute {
        /// The route.
        route: String,
        /// What is there instead.
        reason: String,
    },
    /// The token would be valid for too long, or not at all.
    #[error("{lasts}: {reason}")]
    Duration {
        /// The duration.
        lasts: String,
        /// What is allowed.
        reason: String,
    },
}

impl Service {
    /// A token that raises the requests of a route, such as `GET /orders/{id}`, to a level: signed with `log.debug_key`, and
    /// sent in the header `x-debug-log`. `lasts` is a duration such as `15m`.
    ///
    /// # Errors
    /// When no key is set, there is no such route, or it would last for longer than `log.override_max_s`.
    pub fn debug_token(&self, level: Level, route: &str, lasts: &str) -> Result<String, DebugTokenError> {
        let (settings, _) = self.enabled()?;
        let key = DebugKey::new(settings.log.debug_key.as_deref().ok_or(DebugTokenError::NoKey)?)?;
        let duration = duration::parse(&lasts.into(), settings.log.override_max())
            .map_err(|reason| DebugTokenError::Duration { lasts: lasts.to_owned(), reason })?;
        let grant = DebugGrant::for_route(route, level, Timestamp::now() + duration)?;
        check_route(route, &self.routes()?)
            .map_err(|error| DebugTokenError::UnknownRoute { route: route.to_owned(), reason: error.message })?;
        Ok(key.issue(&grant))
    }
}
