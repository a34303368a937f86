//! Audit of refused changes: at most one record per second, so that a client cannot flood the log.

use std::time::{Duration, Instant};

use actix_web::HttpMessage;
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use cyanotype_telemetry::Pipeline;
use cyanotype_telemetry::effective::{PolicyChange, Source};
use parking_lot::Mutex;

use super::peer::Peer;
use crate::handler::problem::Problem;

/// Minimum time between two records.
const AUDIT_INTERVAL: Duration = Duration::from_secs(1);

/// The requester and channel of a request, stored in its extensions.
pub(super) struct Requester {
    pub by: String,
    pub source: Source,
}

#[derive(Default)]
pub(super) struct Refusals(Mutex<State>);

#[derive(Default)]
struct State {
    last: Option<Instant>,
    /// Refusals since then, without a record.
    unrecorded: u64,
}

impl Refusals {
    /// Records a refused change.
    pub(super) fn audit<B>(&self, pipeline: &Pipeline, response: &ServiceResponse<B>) {
        let status = response.status();
        if !is_refusal(status) {
            return;
        }
        let Some(more) = self.count(Instant::now()) else { return };
        let request = response.request();
        let requester = request.extensions_mut().remove::<Requester>();
        let Requester { by, source } =
            requester.unwrap_or_else(|| Requester { by: Peer::of(request).name(), source: Source::Http });
        let problem = response.response().error().and_then(|error| error.as_error::<Problem>());
        let mut reason = match problem {
            Some(problem) => problem.summary(),
            None => status.to_string(),
        };
        if more > 0 {
            reason.push_str(&format!("; {more} more changes were refused since the previous record"));
        }
        let is_off = pipeline.policy().is_off();
        pipeline.record_change(&PolicyChange::refused(by, source, reason, is_off));
    }

    /// Returns the number of unrecorded refusals, or `None` if this refusal is only counted.
    fn count(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock();
        if state.last.is_some_and(|last| now.duration_since(last) < AUDIT_INTERVAL) {
            state.unrecorded += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.unrecorded))
    }
}

/// Whether the change was refused. A missing override or route is not a refusal.
fn is_refusal(status: StatusCode) -> bool {
    let is_absent = matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
    (status.is_client_error() || status.is_server_error()) && !is_absent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_within_a_second_are_counted_in_the_next_record() {
        let refusals = Refusals::default();
        let start = Instant::now();
        let after = |milliseconds| refusals.count(start + Duration::from_millis(milliseconds));
        assert_eq!([after(0), after(1), after(999)], [Some(0), None, None]);
        assert_eq!([after(1_000), after(1_500), after(2_000)], [Some(2), None, Some(1)]);
    }
}
