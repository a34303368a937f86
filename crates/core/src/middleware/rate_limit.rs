//! How many requests a client may make, at all, to a blueprint and to a route: counted by address, for the whole process.
//!
//! The headers are those of draft-ietf-httpapi-ratelimit-headers-06, the last one with a header for each number.

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
use cyanotype_telemetry::is_for;
use cyanotype_telemetry::request;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use parking_lot::RwLock;

use super::response_headers::with_headers;
use crate::handler::problem::Problem;
use crate::limits::{Rate, RateLimits};
use crate::settings::{self, ServerSettings};
use crate::time::whole_seconds;

/// How much of its limit a client has left, and when it has all of it again or, once refused, a part.
pub(crate) const HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("ratelimit-limit"),
    HeaderName::from_static("ratelimit-remaining"),
    HeaderName::from_static("ratelimit-reset"),
];

/// How often clients are forgotten who have all of their limit again.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);
/// The most clients that are known after a sweep, some 20 MB; with more, all begin anew.
const MAX_CLIENTS: usize = 1 << 18;

type Clients = RateLimiter<IpAddr, DashMapStateStore<IpAddr>, DefaultClock, StateInformationMiddleware>;

/// One limit, and what is left of it for each client.
struct Limiter {
    quota: Quota,
    clients: RwLock<Clients>,
    began: Instant,
    /// When the next sweep is due, in milliseconds from the beginning.
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
    /// `None` when there is no limit at all.
    /// Those of blueprints come with the prefix of each.
    pub(crate) fn new(server: &ServerSettings, blueprints: impl Iterator<Item = (String, RateLimits)>) -> Option<Self> {
        let of_blueprint = |(prefix, limits): (String, RateLimits)| {
            let routes = limits.routes.into_iter().filter_map(|(route, rate)| Some((route, Limiter::new(rate)?)));
            let (all, routes) = (limits.all.and_then(Limiter::new), routes.collect::<Vec<_>>());
            (all.is_some() || !routes.is_empty()).then_some(BlueprintLimiters { prefix, all, routes })
        };
        let server = Limiter::new(rate(&server.rate_limit));
        let blueprints: Vec<BlueprintLimiters> = blueprints.filter_map(of_blueprint).collect();
        (server.is_some() || !blueprints.is_empty()).then_some(Self { server, blueprints })
    }

    /// Counts a request by each limit that applies to it. The response headers describe the strictest one; it is an error when
    /// the request exceeds any of them.
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
            // A path that no route fits counts for the blueprint that it is below.
            let path = route.as_deref().unwrap_or(request.match_info().as_str());
            if let Some(of) = self.blueprints.iter().find(|of| is_below(path, &of.prefix)) {
                of.all.iter().for_each(&mut count);
                let method = request.method().as_str();
                let own =
                    of.routes.iter().filter(|(rule, _)| route.as_deref().is_some_and(|it| is_for(rule, method, it)));
                own.for_each(|(_, limit)| count(limit));
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
        // Who has to wait has to wait for the last of them.
        (Err(one), Err(other)) => Err(if other.reset > one.reset { other } else { one }),
        (Err(refused), Ok(_)) | (Ok(_), Err(refused)) => Err(refused),
    }
}

fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What a client is told of its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LimitStatus {
    limit: u32,
    remaining: u32,
    /// Whole seconds.
    reset: u64,
}

impl Limiter {
    /// `None` when the rate is no limit.
    fn new(rate: Rate) -> Option<Self> {
        let requests = NonZeroU32::new(rate.requests)?;
        let burst = rate.burst.and_then(NonZeroU32::new).unwrap_or(requests);
        let quota = Quota::with_period(rate.window / requests.get())?.allow_burst(burst);
        Some(Self {
            quota,
            clients: RwLock::new(new_clients(quota)),
            began: Instant::now(),
            next_sweep: AtomicU64::new(millis(SWEEP_INTERVAL)),
        })
    }

    /// Counts a request: what its client is told, and as an error when it is one too many.
    fn count(&self, client: ClientAddress) -> Result<LimitStatus, LimitStatus> {
        self.sweep_when_due();
        let limit = self.quota.burst_size().get();
        let clients = self.clients.read();
        match clients.check_key(&client.block()) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let full_again = self.quota.replenish_interval() * limit.saturating_sub(remaining);
                Ok(LimitStatus { limit, remaining, reset: whole_seconds(full_again) })
            }
            Err(until) => {
                let wait = until.wait_time_from(clients.clock().now());
                Err(LimitStatus { limit, remaining: 0, reset: whole_seconds(wait).max(1) })
            }
        }
    }

    fn sweep_when_due(&self) {
        let now = millis(self.began.elapsed());
        let due = self.next_sweep.load(Ordering::Relaxed);
        let next = now + millis(SWEEP_INTERVAL);
        // One of those who see that it is due does it.
        let is_ours = || self.next_sweep.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if now >= due && is_ours() {
            self.sweep(MAX_CLIENTS);
        }
    }

    fn sweep(&self, most: usize) {
        let known = {
            let clients = self.clients.read();
            clients.retain_recent();
            clients.shrink_to_fit();
            clients.len()
        };
        if known > most {
            *self.clients.write() = new_clients(self.quota);
            tracing::warn!(clients = known, "too many clients to count the requests of: all of them begin anew");
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

    /// 429
    fn problem(self) -> Problem {
        let detail = format!("these are too many requests: try again in {} s", self.reset);
        Problem::too_many_requests(Duration::from_secs(self.reset), detail)
    }
}

/// Refuses what is one too many before anything else is done for it.
pub(crate) async fn limit_rate<B: MessageBody + 'static>(
    limits: Arc<Limiters>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse, Error> {
    let client = request::with_current(|current| current.identity().parts.client).flatten().map(ClientAddress::from);
    let answer = match client.and_then(|client| limits.count(client, &request)) {
        None => next.call(request).await,
        Some(Ok(status)) => with_headers(next.call(request).await, move |headers| status.insert_headers(headers)),
        Some(Err(status)) => {
            let mut refusal = status.problem().error_response();
            status.insert_headers(refusal.headers_mut());
            return Ok(request.into_response(refusal));
        }
    };
    answer.map(ServiceResponse::map_into_boxed_body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Loader;

    fn limit(variables: &[(&str, &str)]) -> Option<Limiter> {
        let settings = Loader::new("/nonexistent").variables(variables.iter().copied()).load().expect("good settings");
        Limiter::new(rate(&settings.server.rate_limit))
    }

    fn address(text: &str) -> ClientAddress {
        text.parse::<IpAddr>().expect("an address").into()
    }

    #[test]
    fn a_client_has_its_limit_and_gets_it_back() {
        let limit = limit(&[("APP__SERVER__RATE_LIMIT__REQUESTS", "3"), ("APP__SERVER__RATE_LIMIT__WINDOW_S", "3600")]);
        let limit = limit.expect("there is a limit");
        let one = address("192.0.2.1");
        let status = |remaining, reset| LimitStatus { limit: 3, remaining, reset };
        assert_eq!(limit.count(one), Ok(status(2, 1200)));
        assert_eq!(limit.count(one), Ok(status(1, 2400)));
        assert_eq!(limit.count(one), Ok(status(0, 3600)));
        assert_eq!(limit.count(one), Err(status(0, 1200)));
        assert_eq!(limit.count(address("192.0.2.2")), Ok(status(2, 1200)));
    }

    #[test]
    fn a_burst_may_be_smaller_than_what_a_window_allows() {
        let limit = limit(&[("APP__SERVER__RATE_LIMIT__REQUESTS", "60"), ("APP__SERVER__RATE_LIMIT__BURST", "1")]);
        let limit = limit.expect("there is a limit");
        assert_eq!(limit.count(address("192.0.2.1")), Ok(LimitStatus { limit: 1, remaining: 0, reset: 1 }));
        assert_eq!(limit.count(address("192.0.2.1")), Err(LimitStatus { limit: 1, remaining: 0, reset: 1 }));
    }

    #[test]
    fn a_client_is_told_of_the_tightest_limit() {
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
    fn no_limit_is_the_default() {
        assert!(limit(&[]).is_none());
    }

    #[test]
    fn clients_are_forgotten_once_they_have_all_of_their_limit_again() {
        let limit = limit(&[("APP__SERVER__RATE_LIMIT__REQUESTS", "1000"), ("APP__SERVER__RATE_LIMIT__WINDOW_S", "1")]);
        let limit = limit.expect("there is a limit");
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
    fn too_many_clients_begin_anew() {
        let limit = limit(&[("APP__SERVER__RATE_LIMIT__REQUESTS", "1"), ("APP__SERVER__RATE_LIMIT__WINDOW_S", "3600")]);
        let limit = limit.expect("there is a limit");
        for n in 0..5 {
            assert!(limit.count(IpAddr::from([192, 0, 2, n]).into()).is_ok());
        }
        limit.sweep(5);
        assert!(limit.count(address("192.0.2.1")).is_err());
        limit.sweep(4);
        assert!(limit.count(address("192.0.2.1")).is_ok());
    }
}
