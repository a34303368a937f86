//! What a request has reported: one failure is one record and one event, whichever code reports it first.

use crate::delivery::Delivery;
use crate::failure::is_same_failure;
use crate::record::EventId;

/// What a request has reported.
#[derive(Debug, Default)]
pub(super) struct Reports {
    made: Vec<Reported>,
    /// Events of failures that nobody caught: they wait for the response, their last breadcrumb.
    pub held: Vec<Delivery>,
    /// Whether the response has ended.
    pub ended: bool,
    /// Whether its work panicked, and the event of that.
    pub panic: Option<Option<EventId>>,
}

/// One failure that has been reported.
#[derive(Debug)]
struct Reported {
    /// The messages of each report: a chain that is the end of any of them, or the other way round, is of the same failure.
    message_chains: Vec<Vec<String>>,
    line: bool,
    event: bool,
    event_id: Option<EventId>,
}

impl Reported {
    fn matches(&self, messages: &[String]) -> bool {
        self.message_chains.iter().any(|known| is_same_failure(known, messages))
    }
}

/// What one report of a failure may still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Claim {
    /// It writes the failure's line.
    pub line: bool,
    /// It decides on the failure's event.
    pub event: bool,
    /// The event that an earlier report sent.
    pub event_id: Option<EventId>,
}

impl Reports {
    /// Claims the line and the event of a failure, where they are wanted and not claimed yet.
    pub(super) fn claim(&mut self, messages: &[String], line: bool, event: bool) -> Claim {
        let Some(made) = self.made.iter_mut().find(|made| made.matches(messages)) else {
            self.made.push(Reported { message_chains: vec![messages.to_vec()], line, event, event_id: None });
            return Claim { line, event, event_id: None };
        };
        let claim = Claim { line: line && !made.line, event: event && !made.event, event_id: made.event_id };
        made.line |= line;
        made.event |= event;
        if !made.message_chains.iter().any(|known| known == messages) {
            made.message_chains.push(messages.to_vec());
        }
        claim
    }

    /// The event that a claim led to.
    pub(super) fn set_event(&mut self, messages: &[String], id: EventId) {
        if let Some(made) = self.made.iter_mut().find(|made| made.matches(messages)) {
            made.event_id.get_or_insert(id);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.made.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(messages: &[&str]) -> Vec<String> {
        messages.iter().map(|message| (*message).to_owned()).collect()
    }

    #[test]
    fn a_failure_is_the_same_whichever_report_comes_first() {
        let mut reports = Reports::default();
        let event = EventId::random();
        let first = reports.claim(&chain(&["cause"]), true, false);
        assert_eq!(first, Claim { line: true, event: false, event_id: None });
        let second = reports.claim(&chain(&["wrapped", "cause"]), false, true);
        assert_eq!(second, Claim { line: false, event: true, event_id: None });
        reports.set_event(&chain(&["wrapped", "cause"]), event);
        for again in [&["wrapped", "cause"][..], &["cause"], &["wrapped otherwise", "cause"]] {
            let claim = reports.claim(&chain(again), true, true);
            assert_eq!(claim, Claim { line: false, event: false, event_id: Some(event) }, "{again:?}");
        }
        let other = reports.claim(&chain(&["another"]), true, true);
        assert_eq!(other, Claim { line: true, event: true, event_id: None });
    }

    #[test]
    fn what_is_not_wanted_is_not_claimed() {
        let mut reports = Reports::default();
        assert!(reports.is_empty());
        reports.claim(&chain(&["cause"]), false, false);
        assert!(!reports.is_empty());
        assert_eq!(reports.claim(&chain(&["cause"]), true, true), Claim { line: true, event: true, event_id: None });
    }
}
