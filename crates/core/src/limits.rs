//! Rate limits of a blueprint and its routes.

use std::time::Duration;

/// Maximum average rate of requests from one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub(crate) requests: u32,
    pub(crate) window: Duration,
    pub(crate) burst: Option<u32>,
}

impl Rate {
    /// `requests` per `window`; 0 requests mean no limit.
    #[must_use]
    pub const fn new(requests: u32, window: Duration) -> Self {
        Self { requests, window, burst: None }
    }

    /// Limits how many requests a client may send at once; by default the `requests` of the rate.
    #[must_use]
    pub const fn burst(self, burst: u32) -> Self {
        Self { burst: Some(burst), ..self }
    }
}

/// Rate limits of a blueprint per client: for all of its routes together, and for individual routes.
///
/// A request counts against every limit that applies to it, including `server.rate_limit`. A client is identified by its
/// [address block](crate::ClientAddress::block). The setting `blueprints.<name>.rate_limit` takes precedence.
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
    /// Without a limit shared by all routes; limits for individual routes can be added.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// A limit for all routes together.
    #[must_use]
    pub fn all(rate: Rate) -> Self {
        Self { all: Some(rate), routes: Vec::new() }
    }

    /// Adds a limit for one route, written as `app routes` prints it. Without a method it covers all methods together. HEAD counts
    /// as GET. A route that does not exist is a startup error.
    #[must_use]
    pub fn route(mut self, route: &str, rate: Rate) -> Self {
        self.routes.retain(|(own, _)| own != route);
        self.routes.push((route.to_owned(), rate));
        self
    }
}
