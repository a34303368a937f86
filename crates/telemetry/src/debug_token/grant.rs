//! The contents of a debug token.

use jiff::Timestamp;
use uuid::Uuid;

use crate::level::Level;
use crate::routes::rule_matches;

/// Permission to log the requests of one route or one trace at a given level, until it expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebugGrant {
    level: Level,
    scope: GrantScope,
    expires_at: Timestamp,
}

/// The requests that a grant applies to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum GrantScope {
    /// Requests of one route, in any trace. Operators issue these.
    Route(String),
    /// Requests of one trace, on any route. A process sends these to the next one, whose routes it does not know.
    Trace(Uuid),
}

impl DebugGrant {
    /// Maximum length of a route in bytes. It keeps a token within [`DebugKey::MAX_TOKEN_BYTES`].
    ///
    /// [`DebugKey::MAX_TOKEN_BYTES`]: super::DebugKey::MAX_TOKEN_BYTES
    pub const MAX_ROUTE_BYTES: usize = 300;

    /// Creates a grant for one route, such as `GET /orders/{id}`. The expiry is rounded down to a whole second.
    ///
    /// # Errors
    ///
    /// If the route is not a method, a space and a pattern that begins with `/`, or is longer than
    /// [`Self::MAX_ROUTE_BYTES`].
    pub fn for_route(route: &str, level: Level, expires_at: Timestamp) -> Result<Self, InvalidRoute> {
        if route.len() > Self::MAX_ROUTE_BYTES {
            return Err(InvalidRoute::Length(route.len()));
        }
        if !is_route(route) {
            return Err(InvalidRoute::Syntax(route.to_owned()));
        }
        Ok(Self { level, scope: GrantScope::Route(route.to_owned()), expires_at: floor_to_second(expires_at) })
    }

    /// Creates a grant for any route within one trace. The expiry is rounded down to a whole second.
    #[must_use]
    pub fn for_trace(trace: Uuid, level: Level, expires_at: Timestamp) -> Self {
        Self { level, scope: GrantScope::Trace(trace), expires_at: floor_to_second(expires_at) }
    }

    /// The level at which the request is logged.
    #[must_use]
    pub const fn level(&self) -> Level {
        self.level
    }

    /// The time from which the grant is no longer valid.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Whether the grant applies to a request with this method, matched route pattern and trace. A grant for `GET` also
    /// applies to `HEAD`.
    #[must_use]
    pub fn applies_to(&self, method: &str, route: Option<&str>, trace: Uuid) -> bool {
        match &self.scope {
            GrantScope::Trace(granted) => *granted == trace,
            GrantScope::Route(granted) => route.is_some_and(|route| rule_matches(granted, method, route)),
        }
    }

    /// The payload of the token, which is signed.
    pub(super) fn to_payload(&self) -> String {
        let (level, expires_at) = (self.level, self.expires_at.as_second());
        match &self.scope {
            GrantScope::Route(route) => format!("{level} {expires_at} route {route}"),
            GrantScope::Trace(trace) => format!("{level} {expires_at} trace {}", trace.simple()),
        }
    }

    /// Parses a payload. Accepts only the exact output of [`Self::to_payload`].
    pub(super) fn from_payload(payload: &str) -> Option<Self> {
        let mut parts = payload.splitn(4, ' ');
        let level = parts.next()?.parse().ok()?;
        let expires_at = Timestamp::from_second(parts.next()?.parse().ok()?).ok()?;
        let grant = match (parts.next()?, parts.next()?) {
            ("route", route) => Self::for_route(route, level, expires_at).ok()?,
            ("trace", trace) => Self::for_trace(trace.parse().ok()?, level, expires_at),
            _ => return None,
        };
        // The parsers of numbers and ids accept several spellings; a token must have only one.
        (grant.to_payload() == payload).then_some(grant)
    }
}

/// An invalid route for a [`DebugGrant`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRoute {
    /// The text is not a method, a space and a pattern.
    #[error("invalid route `{0}`: expected METHOD /PATTERN as the service defines it, such as `GET /orders/{{id}}`")]
    Syntax(String),
    /// The text is too long. Contains its length in bytes.
    #[error("route too long: {0} bytes, maximum {max}", max = DebugGrant::MAX_ROUTE_BYTES)]
    Length(usize),
}

fn is_route(text: &str) -> bool {
    let (method, pattern) = text.split_once(' ').unwrap_or_default();
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    is_method && pattern.starts_with('/') && !pattern.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Tokens express times in whole seconds.
fn floor_to_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: Uuid = Uuid::from_u128(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);

    fn for_route(route: &str) -> Result<DebugGrant, InvalidRoute> {
        DebugGrant::for_route(route, Level::Debug, Timestamp::from_second(1_767_225_600).expect("a time"))
    }

    #[test]
    fn a_route_is_compared_as_text() {
        let grant = for_route("GET /orders/{id}").expect("a route");
        assert!(grant.applies_to("GET", Some("/orders/{id}"), TRACE));
        assert!(
            grant.applies_to("HEAD", Some("/orders/{id}"), Uuid::nil()),
            "a grant for GET applies to HEAD, in any trace"
        );
        for (method, route) in [
            ("POST", Some("/orders/{id}")),
            ("get", Some("/orders/{id}")),
            ("GET", Some("/orders/{order}")),
            ("GET", Some("/orders/{id}/")),
            ("GET", Some("/orders/17")),
            ("GET", Some("GET /orders/{id}")),
            ("GET", Some("")),
            ("GET", None),
        ] {
            assert!(!grant.applies_to(method, route, TRACE), "{method} {route:?}");
        }
    }

    #[test]
    fn a_grant_for_head_does_not_apply_to_get() {
        let grant = for_route("HEAD /orders").expect("a route");
        assert!(grant.applies_to("HEAD", Some("/orders"), TRACE));
        assert!(!grant.applies_to("GET", Some("/orders"), TRACE));
    }

    #[test]
    fn a_trace_grant_applies_to_any_route() {
        let grant = DebugGrant::for_trace(TRACE, Level::Trace, Timestamp::UNIX_EPOCH);
        assert!(grant.applies_to("GET", Some("/orders/{id}"), TRACE));
        assert!(grant.applies_to("POST", None, TRACE), "also before the route is known");
        assert!(!grant.applies_to("GET", Some("/orders/{id}"), Uuid::nil()));
    }

    #[test]
    fn invalid_routes_are_rejected() {
        for text in [
            "",
            " ",
            "GET",
            "GET ",
            "/orders",
            " /orders",
            "*",
            "* /orders",
            "GET orders",
            "GET  /orders",
            "GET\t/orders",
            "get /orders",
            " GET /orders",
            "GET /orders ",
            "GET /orders\n",
            "GET /a b",
            "GET /a\u{0}",
            "GET /a\u{a0}",
        ] {
            assert_eq!(for_route(text), Err(InvalidRoute::Syntax(text.into())));
        }
        let (longest, too_long) =
            ("x".repeat(DebugGrant::MAX_ROUTE_BYTES - 5), "x".repeat(DebugGrant::MAX_ROUTE_BYTES - 4));
        assert!(for_route(&format!("GET /{longest}")).is_ok());
        let error = for_route(&format!("GET /{too_long}")).expect_err("it is too long");
        assert_eq!(error.to_string(), "route too long: 301 bytes, maximum 300");
    }

    #[test]
    fn the_error_shows_the_route_format() {
        let error = for_route("/orders").expect_err("it has no method");
        let expected =
            "invalid route `/orders`: expected METHOD /PATTERN as the service defines it, such as `GET /orders/{id}`";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_payload_has_one_spelling() {
        let right = "debug 1767225600 trace 0af7651916cd43dd8448eb211c80319c";
        assert!(DebugGrant::from_payload(right).is_some());
        for wrong in [
            "DEBUG 1767225600 trace 0af7651916cd43dd8448eb211c80319c",
            "debug 01767225600 trace 0af7651916cd43dd8448eb211c80319c",
            "debug +1767225600 trace 0af7651916cd43dd8448eb211c80319c",
            "debug 1767225600.0 trace 0af7651916cd43dd8448eb211c80319c",
            "debug 99999999999999 trace 0af7651916cd43dd8448eb211c80319c",
            "debug  1767225600 trace 0af7651916cd43dd8448eb211c80319c",
            "debug 1767225600 Trace 0af7651916cd43dd8448eb211c80319c",
            "debug 1767225600 trace 0AF7651916CD43DD8448EB211C80319C",
            "debug 1767225600 trace 0af76519-16cd-43dd-8448-eb211c80319c",
            "debug 1767225600 trace {0af76519-16cd-43dd-8448-eb211c80319c}",
            "debug 1767225600 trace 0af7651916cd43dd8448eb211c80319c ",
            "debug 1767225600 trace 0af7651916cd43dd8448eb211c80319c\n",
            " debug 1767225600 trace 0af7651916cd43dd8448eb211c80319c",
            "debug 1767225600 trace",
            "debug 1767225600 route GET orders",
            "debug 1767225600 route",
            "debug 1767225600",
            "debug",
            "",
        ] {
            assert_eq!(DebugGrant::from_payload(wrong), None, "{wrong:?}");
        }
    }
}
