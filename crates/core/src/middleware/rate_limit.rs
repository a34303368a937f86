//! Rate limits per client for the API, a blueprint and a route. Requests are counted by client address in each process.
//!
//! The headers follow draft-ietf-httpapi-ratelimit-headers-06, the last draft with one header per number.

use std::borrow::Cow;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError};
use cyanotype_actix::ClientAddress;
use cyanotype_telemetry::request;
use cyanotype_telemetry::{is_below, rule_matches};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use parking_lot::RwLock;

use super::response_headers::with_headers;
use crate::handler::problem::Problem;
use crate::limits::{Rate, RateLimits};
use crate::settings::{self, ServerSettings};
use crate::time::ceil_seconds;

/// The limit, the remaining requests, and the seconds until the limit is restored or, after a refusal, until a retry.
pub(crate) const HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("ratelimit-limit"),
    HeaderName::from_static("ratelimit-remaining"),
    HeaderName::from_static("ratelimit-reset"),
];

/// How often clients with a fully restored limit are removed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);
/// Maximum number of clients after a sweep (about 20 MB). With more, all counters are reset.
const MAX_CLIENTS: usize = 1 << 18;

type Clients = RateLimiter<IpAddr, DashMapStateStore<IpAddr>, DefaultClock, StateInformationMiddleware>;

/// One limit, and its state per client.
struct Limiter {
    quota: Quota,
    clients: RwLock<Clients>,
    started: Instant,
    /// When the next sweep is due, in milliseconds since `started`.
    next_sweep: AtomicU64,
}

/// All limits of a process.
pub(crate) struct Limiters {
    server: Option<Limiter>,
    blueprints: Vec<BlueprintLimiters>,
}

struct BlueprintLimiters {
    prefix: String,
    all: Option<Limiter>,
    routes: Vec<(String, Limiter)>,
}

impl Limiters {
    /// `None` when there is no limit at all. Each blueprint's limits come with its prefix.
    pub(crate) fn new(server: &ServerSettings, blueprints: impl Iterator<Item = (String, RateLimits)>) -> Option<Self> {
        let limiters_of = |(prefix, limits): (String, RateLimits)| {
            let routes = limits.routes.into_iter().filter_map(|(route, rate)| Some((route, Limiter::new(rate)?)));
            let (all, routes) = (limits.all.and_then(Limiter::new), routes.collect::<Vec<_>>());
            (all.is_some() || !routes.is_empty()).then_some(BlueprintLimiters { prefix, all, routes })
        };
        let server = Limiter::new(rate(&server.rate_limit));
        let blueprints: Vec<BlueprintLimiters> = blueprints.filter_map(limiters_of).collect();
        (server.is_some() || !blueprints.is_empty()).then_some(Self { server, blueprints })
    }

    /// Counts a request against each limit that applies to it. Returns the strictest one, for the response headers: `Err` when the
    /// request exceeds any of them.
    fn count(&self, client: ClientAddress, request: &ServiceRequest) -> Option<Result<LimitStatus, LimitStatus>> {
        let mut strictest = self.server.as_ref().map(|limit| limit.count(client));
        let mut count = |limit: &Limiter| {
            let counted = limit.count(client);
            strictest = Some(strictest.map_or(counted, |other| stricter(other, counted)));
        };
        if !self.blueprints.is_empty() {
            let context = request::current();
            let known = context.as_ref().and_then(|context| context.identity().route());
            let route = known.map(Cow::Borrowed).or_else(|| cyanotype_actix::route(request).map(Cow::Owned));
            // A path without a route counts towards the blueprint with its prefix.
            let path = route.as_deref().unwrap_or(request.match_info().as_str());
            if let Some(blueprint) = self.blueprints.iter().find(|blueprint| is_below(path, &blueprint.prefix)) {
                blueprint.all.iter().for_each(&mut count);
                let method = request.method().as_str();
                let route_limits = blueprint
                    .routes
                    .iter()
                    .filter(|(rule, _)| route.as_deref().is_some_and(|it| rule_matches(rule, method, it)));
                route_limits.for_each(|(_, limit)| count(limit));
            }
        }
        strictest
    }
}

fn rate(limit: &settings::RateLimitSettings) -> Rate {
    Rate { requests: limit.requests, window: limit.window(), burst: limit.burst }
}

fn stricter(
    a: Result<LimitStatus, LimitStatus>,
    b: Result<LimitStatus, LimitStatus>,
) -> Result<LimitStatus, LimitStatus> {
    match (a, b) {
        (Ok(one), Ok(other)) => {
            let key = |it: &LimitStatus| (it.remaining, std::cmp::Reverse(it.reset));
            Ok(if key(&other) < key(&one) { other } else { one })
        }
        // The client must wait for the longest of the limits.
        (Err(one), Err(other)) => Err(if other.reset > one.reset { other } else { one }),
        (Err(refused), Ok(_)) | (Ok(_), Err(refused)) => Err(refused),
    }
}

/// The state of a limit that response headers report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LimitStatus {
    limit: u32,
    remaining: u32,
    /// Whole seconds.
    reset: u64,
}

impl Limiter {
    /// `None` when the rate means no limit.
    fn new(rate: Rate) -> Option<Self> {
        let requests = NonZeroU32::new(rate.requests)?;
        let burst = rate.burst.and_then(NonZeroU32::new).unwrap_or(requests);
        let quota = Quota::with_period(rate.window / requests.get())?.allow_burst(burst);
        Some(Self {
            quota,
            clients: RwLock::new(new_clients(quota)),
            started: Instant::now(),
            next_sweep: AtomicU64::new(millis(SWEEP_INTERVAL)),
        })
    }

    /// Counts a request. Returns the state of the limit, as an error when the request exceeds it.
    fn count(&self, client: ClientAddress) -> Result<LimitStatus, LimitStatus> {
        self.sweep_when_due();
        let limit = self.quota.burst_size().get();
        let clients = self.clients.read();
        match clients.check_key(&client.block()) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let full_again = self.quota.replenish_interval() * limit.saturating_sub(remaining);
                Ok(LimitStatus { limit, remaining, reset: ceil_seconds(full_again) })
            }
            Err(until) => {
                let wait = until.wait_time_from(clients.clock().now());
                Err(LimitStatus { limit, remaining: 0, reset: ceil_seconds(wait).max(1) })
            }
        }
    }

    fn sweep_when_due(&self) {
        let now = millis(self.started.elapsed());
        let due = self.next_sweep.load(Ordering::Relaxed);
        let next = now + millis(SWEEP_INTERVAL);
        // Only one of the threads that find the sweep due runs it.
        let claims_sweep = || self.next_sweep.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if now >= due && claims_sweep() {
            self.sweep(MAX_CLIENTS);
        }
    }

    fn sweep(&self, max_clients: usize) {
        let known = {
            let clients = self.clients.read();
            clients.retain_recent();
            clients.shrink_to_fit();
            clients.len()
        };
        if known > max_clients {
            *self.clients.write() = new_clients(self.quota);
            tracing::warn!(clients = known, "rate-limit table full; all counters reset");
        }
    }
}

fn new_clients(quota: Quota) -> Clients {
    RateLimiter::dashmap(quota).with_middleware()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl LimitStatus {
    fn insert_headers(self, headers: &mut HeaderMap) {
        let [limit, remaining, reset] = HEADERS;
        headers.insert(limit, self.limit.into());
        headers.insert(remaining, self.remaining.into());
        headers.insert(reset, self.reset.into());
    }

    /// The 429 response.
    fn problem(self) -> Problem {
        let detail = format!("rate limit exceeded; retry after {} s", self.reset);
        Problem::too_many_requests(Duration::from_secs(self.reset), detail)
    }
}

/// Refuses requests over the limit before any further work is done for them.
pub(crate) async fn limit_rate<B: MessageBody + 'static>(
    limiters: Arc<Limiters>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse, Error> {
    let client = request::with_current(|current| current.identity().parts.client).flatten().map(ClientAddress::from);
    let response = match client.and_then(|client| limiters.count(client, &request)) {
        None => next.call(request).await,
        Some(Ok(status)) => with_headers(next.call(request).await, move |headers| status.insert_headers(headers)),
        Some(Err(status)) => {
            let mut refusal = status.problem().error_response();
            status.insert_headers(refusal.headers_mut());
            return Ok(request.into_response(refusal));
        }
    };
    response.map(ServiceResponse::map_into_boxed_body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Loader;

    fn limit(variables: &[(&str, &str)]) -> Option<Limiter> {
        let settings = Loader::new("/nonexistent").variables(variables.iter().copied()).load().expect("valid settings");
        Limiter::new(rate(&settings.server.rate_limit))
    }

    fn address(text: &str) -> ClientAddress {
        text.parse::<IpAddr>().expect("an address").into()
    }

    #[test]
    fn requests_use_up_a_limit_that_is_restored_over_time() {
        let limit = limit(&[("APP__SERVER__RATE_LIMIT__REQUESTS", "3"), ("APP__SERVER__RATE_LIMIT__WINDOW_S", "3600")]);
        let limit = limit.expect("a limit");
        let one = address("192.0.2.1");
        let status = |remaining, reset| LimitStatus { limit: 3, remaining, reset };
        assert_eq!(limit.count(one), Ok(status(2, 1200)));
        assert_eq!(limit.count(one), Ok(status(1, 2400)));
        assert_eq!(limit.count(one), Ok(status(0, 3600)));
        assert_eq!(limit.count(one), Err(status(0, 1200)));
        assert_eq!(limit.count(address("192.0.2.2")), Ok(status(2, 1200)));
    }

    #[test]
    fn a_burst_can_be_smaller_than_the_window_limit() {
        let limit = limit(&[("APP__SERVER__RATE_LIMIT__REQUESTS", "60"), ("APP__SERVER__RATE_LIMIT__BURST", "1")]);
        let limit = limit.expect("a limit");
        assert_eq!(limit.count(address("192.0.2.1")), Ok(LimitStatus { limit: 1, remaining: 0, reset: 1 }));
        assert_eq!(limit.count(address("192.0.2.1")), Err(LimitStatus { limit: 1, remaining: 0, reset: 1 }));
    }

    #[test]
    fn the_strictest_limit_is_reported() {
        let status = |remaining, reset| LimitStatus { limit: 9, remaining, reset };
        let (loose, tight) = (status(3, 1), status(1, 1));
        for (a, b, expected) in [
            (Ok(loose), Ok(tight), Ok(tight)),
            (Ok(tight), Ok(loose), Ok(tight)),
            (Ok(status(1, 9)), Ok(tight), Ok(status(1, 9))),
            (Ok(tight), Err(status(0, 5)), Err(status(0, 5))),
            (Err(status(0, 7)), Err(status(0, 5)), Err(status(0, 7))),
        ] {
            assert_eq!(stricter(a, b), expected);
        }
    }

    #[test]
    fn there_is_no_limit_by_default() {
        assert!(limit(&[]).is_none());
    }

    #[test]
    fn clients_with_a_restored_limit_are_removed() {
        let limit = limit(&[("APP__SERVER__RATE_LIMIT__REQUESTS", "1000"), ("APP__SERVER__RATE_LIMIT__WINDOW_S", "1")]);
        let limit = limit.expect("a limit");
        let known = || limit.clients.read().len();
        for n in 0..200 {
            assert!(limit.count(IpAddr::from([192, 0, 2, n]).into()).is_ok());
        }
        assert_eq!(known(), 200);
        while known() > 0 {
            limit.sweep(MAX_CLIENTS);
        }
    }

    #[test]
    fn too_many_clients_reset_all_counters() {
        let limit = limit(&[("APP__SERVER__RATE_LIMIT__REQUESTS", "1"), ("APP__SERVER__RATE_LIMIT__WINDOW_S", "3600")]);
        let limit = limit.expect("a limit");
        for n in 0..5 {
            assert!(limit.count(IpAddr::from([192, 0, 2, n]).into()).is_ok());
        }
        limit.sweep(5);
        assert!(limit.count(address("192.0.2.1")).is_err());
        limit.sweep(4);
        assert!(limit.count(address("192.0.2.1")).is_ok());
    }
}
