//! What a token allows.

use jiff::Timestamp;
use uuid::Uuid;

use crate::level::Level;
use crate::routes::rule_matches;

/// A level for the requests of one route or one trace, until it expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebugGrant {
    level: Level,
    limit: Limit,
    expires_at: Timestamp,
}

/// The requests that a grant is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Limit {
    /// Of one route, whatever the trace: what an operator hands out.
    Route(String),
    /// Of one trace, whatever the route: a process sends it to the next one, whose routes it does not know.
    Trace(Uuid),
}

impl DebugGrant {
    /// The longest route, in bytes: with it a token still has at most [`DebugKey::MAX_TOKEN_BYTES`].
    ///
    /// [`DebugKey::MAX_TOKEN_BYTES`]: super::DebugKey::MAX_TOKEN_BYTES
    pub const MAX_ROUTE_BYTES: usize = 300;

    /// A grant for one route, such as `GET /orders/{id}`. The expiry is rounded down to a whole second.
    ///
    /// # Errors
    ///
    /// The route is not a method, a space and a pattern that begins with `/`, or is longer than
    /// [`Self::MAX_ROUTE_BYTES`].
    pub fn for_route(route: &str, level: Level, expires_at: Timestamp) -> Result<Self, InvalidRoute> {
        if route.len() > Self::MAX_ROUTE_BYTES {
            return Err(InvalidRoute::Length(route.len()));
        }
        if !is_route(route) {
            return Err(InvalidRoute::Form(route.to_owned()));
        }
        Ok(Self { level, limit: Limit::Route(route.to_owned()), expires_at: whole_seconds(expires_at) })
    }

    /// A grant for any route within one trace. The expiry is rounded down to a whole second.
    #[must_use]
    pub fn for_trace(trace: Uuid, level: Level, expires_at: Timestamp) -> Self {
        Self { level, limit: Limit::Trace(trace), expires_at: whole_seconds(expires_at) }
    }

    /// The level that the request is recorded at.
    #[must_use]
    pub const fn level(&self) -> Level {
        self.level
    }

    /// From this moment on the grant is void.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Whether it is for this request, of a method, the pattern that its path fits and a trace. `HEAD` counts as `GET`.
    #[must_use]
    pub fn is_for(&self, method: &str, route: Option<&str>, trace: Uuid) -> bool {
        match &self.limit {
            Limit::Trace(granted) => *granted == trace,
            Limit::Route(granted) => route.is_some_and(|route| rule_matches(granted, method, route)),
        }
    }

    /// The text that is signed.
    pub(super) fn to_payload(&self) -> String {
        let (level, expires_at) = (self.level, self.expires_at.as_second());
        match &self.limit {
            Limit::Route(route) => format!("{level} {expires_at} route {route}"),
            Limit::Trace(trace) => format!("{level} {expires_at} trace {}", trace.simple()),
        }
    }

    /// Reads what [`Self::to_payload`] writes, and nothing else.
    pub(super) fn from_payload(payload: &str) -> Option<Self> {
        let mut parts = payload.splitn(4, ' ');
        let level = parts.next()?.parse().ok()?;
        let expires_at = Timestamp::from_second(parts.next()?.parse().ok()?).ok()?;
        let grant = match (parts.next()?, parts.next()?) {
            ("route", route) => Self::for_route(route, level, expires_at).ok()?,
            ("trace", trace) => Self::for_trace(trace.parse().ok()?, level, expires_at),
            _ => return None,
        };
        // Numbers and ids are also read from other spellings.
        (grant.to_payload() == payload).then_some(grant)
    }
}

/// A text that is no route of a [`DebugGrant`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRoute {
    /// It is not a method, a space and a pattern.
    #[error("`{0}` is no route: write method, space and pattern as the service has them, such as `GET /orders/{{id}}`")]
    Form(String),
    /// It is too long, by its length in bytes.
    #[error("a route has at most {max} bytes, this one has {0}", max = DebugGrant::MAX_ROUTE_BYTES)]
    Length(usize),
}

fn is_route(text: &str) -> bool {
    let (method, pattern) = text.split_once(' ').unwrap_or_default();
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    is_method && pattern.starts_with('/') && !pattern.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// A token has no fractions of a second.
fn whole_seconds(time: Timestamp) -> Timestamp {
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
        assert!(grant.is_for("GET", Some("/orders/{id}"), TRACE));
        assert!(grant.is_for("HEAD", Some("/orders/{id}"), Uuid::nil()), "HEAD counts as GET, any trace");
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
            assert!(!grant.is_for(method, route, TRACE), "{method} {route:?}");
        }
    }

    #[test]
    fn a_grant_for_head_is_not_one_for_get() {
        let grant = for_route("HEAD /orders").expect("a route");
        assert!(grant.is_for("HEAD", Some("/orders"), TRACE));
        assert!(!grant.is_for("GET", Some("/orders"), TRACE));
    }

    #[test]
    fn a_trace_has_any_route() {
        let grant = DebugGrant::for_trace(TRACE, Level::Trace, Timestamp::UNIX_EPOCH);
        assert!(grant.is_for("GET", Some("/orders/{id}"), TRACE));
        assert!(grant.is_for("POST", None, TRACE), "also before routing");
        assert!(!grant.is_for("GET", Some("/orders/{id}"), Uuid::nil()));
    }

    #[test]
    fn other_texts_are_no_routes() {
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
            assert_eq!(for_route(text), Err(InvalidRoute::Form(text.into())));
        }
        let (longest, longer) =
            ("x".repeat(DebugGrant::MAX_ROUTE_BYTES - 5), "x".repeat(DebugGrant::MAX_ROUTE_BYTES - 4));
        assert!(for_route(&format!("GET /{longest}")).is_ok());
        let error = for_route(&format!("GET /{longer}")).expect_err("is too long");
        assert_eq!(error.to_string(), "a route has at most 300 bytes, this one has 301");
    }

    #[test]
    fn the_message_shows_how_a_route_is_written() {
        let error = for_route("/orders").expect_err("has no method");
        let expected = "`/orders` is no route: write method, space and pattern as the service has them, such as `GET /orders/{id}`";
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
