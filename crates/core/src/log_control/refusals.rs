//! The audit of changes that are refused: one record a second at most, so that a stranger cannot fill the log.

use std::time::{Duration, Instant};

use actix_web::HttpMessage;
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use cyanotype_telemetry::Pipeline;
use cyanotype_telemetry::effective::{PolicyChange, Source};
use parking_lot::Mutex;

use super::peer::Peer;
use crate::handler::problem::Problem;

/// There is one record in this time.
const AUDIT_INTERVAL: Duration = Duration::from_secs(1);

/// Stands in the request's extensions when it says how it came.
pub(super) struct Requester {
    pub by: String,
    pub source: Source,
}

#[derive(Default)]
pub(super) struct Refusals(Mutex<State>);

#[derive(Default)]
struct State {
    last: Option<Instant>,
    /// Refused since then, without a record.
    unrecorded: u64,
}

impl Refusals {
    /// Records that a change was refused, if it was.
    pub(super) fn audit<B>(&self, pipeline: &Pipeline, answered: &ServiceResponse<B>) {
        let status = answered.status();
        if !is_refusal(status) {
            return;
        }
        let Some(more) = self.count(Instant::now()) else { return };
        let request = answered.request();
        let requester = request.extensions_mut().remove::<Requester>();
        let Requester { by, source } =
            requester.unwrap_or_else(|| Requester { by: Peer::of(request).name(), source: Source::Http });
        let problem = answered.response().error().and_then(|error| error.as_error::<Problem>());
        let mut reason = match problem {
            Some(problem) => problem.summary(),
            None => status.to_string(),
        };
        if more > 0 {
            reason.push_str(&format!("; {more} more changes were refused since the record before"));
        }
        let is_off = pipeline.policy().is_silent();
        pipeline.record_change(&PolicyChange::refused(by, source, reason, is_off));
    }

    /// How many there were without a record, when there is one for this; `None` when it is to be counted alone.
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

/// Whether the change was refused: what is not there, or no route, is none.
fn is_refusal(status: StatusCode) -> bool {
    let is_absent = matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
    (status.is_client_error() || status.is_server_error()) && !is_absent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_record_a_second_and_the_next_one_counts_the_rest() {
        let refusals = Refusals::default();
        let start = Instant::now();
        let after = |milliseconds| refusals.count(start + Duration::from_millis(milliseconds));
        assert_eq!([after(0), after(1), after(999)], [Some(0), None, None]);
        assert_eq!([after(1_000), after(1_500), after(2_000)], [Some(2), None, Some(1)]);
    }
}
