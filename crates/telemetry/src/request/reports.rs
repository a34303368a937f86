//! The failures that a request has reported. Each is one record and one event, no matter which code reports it first.

use crate::delivery::Delivery;
use crate::failure::is_same_failure;
use crate::record::EventId;

/// The failures that a request has reported.
#[derive(Debug, Default)]
pub(super) struct Reports {
    reported: Vec<ReportedFailure>,
    /// Events of uncaught failures, held until the response ends, so that the response can be their last breadcrumb.
    pub held: Vec<Delivery>,
    /// Whether the response has ended.
    pub ended: bool,
}

/// A failure that has been reported.
#[derive(Debug)]
struct ReportedFailure {
    /// The chain of messages of each report. Two reports are of the same failure if one chain is a suffix of the other.
    message_chains: Vec<Vec<String>>,
    line: bool,
    event: bool,
    event_id: Option<EventId>,
}

impl ReportedFailure {
    fn matches(&self, messages: &[String]) -> bool {
        self.message_chains.iter().any(|chain| is_same_failure(chain, messages))
    }
}

/// The outputs that a report of a failure has claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Claim {
    /// Whether this report writes the failure's line.
    pub line: bool,
    /// Whether this report decides on the failure's event.
    pub event: bool,
    /// The event of an earlier report.
    pub event_id: Option<EventId>,
}

impl Reports {
    /// Claims the requested outputs of a failure, line and event, unless they are already claimed.
    pub(super) fn claim(&mut self, messages: &[String], line: bool, event: bool) -> Claim {
        let Some(reported) = self.reported.iter_mut().find(|reported| reported.matches(messages)) else {
            self.reported.push(ReportedFailure {
                message_chains: vec![messages.to_vec()],
                line,
                event,
                event_id: None,
            });
            return Claim { line, event, event_id: None };
        };
        let claim =
            Claim { line: line && !reported.line, event: event && !reported.event, event_id: reported.event_id };
        reported.line |= line;
        reported.event |= event;
        if !reported.message_chains.iter().any(|chain| chain == messages) {
            reported.message_chains.push(messages.to_vec());
        }
        claim
    }

    /// Stores the id of a failure's event.
    pub(super) fn set_event(&mut self, messages: &[String], id: EventId) {
        if let Some(reported) = self.reported.iter_mut().find(|reported| reported.matches(messages)) {
            reported.event_id.get_or_insert(id);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.reported.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(messages: &[&str]) -> Vec<String> {
        messages.iter().map(|message| (*message).to_owned()).collect()
    }

    #[test]
    fn reports_of_one_failure_share_its_claims() {
        let mut reports = Reports::default();
        let event = EventId::random();
        let first = reports.claim(&chain(&["cause"]), true, false);
        assert_eq!(first, Claim { line: true, event: false, event_id: None });
        let second = reports.claim(&chain(&["wrapped", "cause"]), false, true);
        assert_eq!(second, Claim { line: false, event: true, event_id: None });
        reports.set_event(&chain(&["wrapped", "cause"]), event);
        for again in [&["wrapped", "cause"][..], &["cause"], &["wrapped differently", "cause"]] {
            let claim = reports.claim(&chain(again), true, true);
            assert_eq!(claim, Claim { line: false, event: false, event_id: Some(event) }, "{again:?}");
        }
        let other = reports.claim(&chain(&["another"]), true, true);
        assert_eq!(other, Claim { line: true, event: true, event_id: None });
    }

    #[test]
    fn unrequested_outputs_are_not_claimed() {
        let mut reports = Reports::default();
        assert!(reports.is_empty());
        reports.claim(&chain(&["cause"]), false, false);
        assert!(!reports.is_empty());
        assert_eq!(reports.claim(&chain(&["cause"]), true, true), Claim { line: true, event: true, event_id: None });
    }
}
