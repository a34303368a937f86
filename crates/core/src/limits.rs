//! How many requests a client may make to a blueprint and to its routes.

use std::time::Duration;

/// So many requests of one client in a time, in the long run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub(crate) requests: u32,
    pub(crate) window: Duration,
    pub(crate) burst: Option<u32>,
}

impl Rate {
    /// `requests` in `window`; 0 requests are no limit.
    #[must_use]
    pub const fn new(requests: u32, window: Duration) -> Self {
        Self { requests, window, burst: None }
    }

    /// How many of them a client may make at once; all of them unless it is set.
    #[must_use]
    pub const fn burst(self, burst: u32) -> Self {
        Self { burst: Some(burst), ..self }
    }
}

/// What a blueprint allows one client: requests to all of its routes together, and to single ones.
///
/// Each limit that a request comes under counts it, and so does `server.rate_limit`. A client is counted by its
/// [block of addresses](crate::ClientAddress::block). `blueprints.<name>.rate_limit` in the settings has the last word.
///
/// ```
/// use std::time::Duration;
///
/// use cyanotype::{Rate, RateLimits};
///
/// const MINUTE: Duration = Duration::from_secs(60);
/// let limits = RateLimits::all(Rate::new(600, MINUTE).burst(50))
///     .route("POST /reports", Rate::new(10, MINUTE))
///     .route("/reports/{id}/pages", Rate::new(100, MINUTE));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RateLimits {
    pub(crate) all: Option<Rate>,
    pub(crate) routes: Vec<(String, Rate)>,
}

impl RateLimits {
    /// No limits but those of single routes.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// This one for all routes together.
    #[must_use]
    pub fn all(rate: Rate) -> Self {
        Self { all: Some(rate), routes: Vec::new() }
    }

    /// One for a route, written as `app routes` lists it; without a method it is for all of them together. HEAD is counted
    /// as GET. A route that does not exist stops the start.
    #[must_use]
    pub fn route(mut self, route: &str, rate: Rate) -> Self {
        self.routes.retain(|(own, _)| own != route);
        self.routes.push((route.to_owned(), rate));
        self
    }
}
