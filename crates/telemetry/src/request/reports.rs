//! The failures that a request has reported. Each is one record and one event, no matter which code reports it first.

use crate::capture_site::CaptureSite;
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
    /// The chain of messages of each report, and where it was captured. Two reports are of the same failure if one chain is a
    /// suffix of the other, except for captures of equal chains at different places.
    reports: Vec<(Vec<String>, Option<CaptureSite>)>,
    line: bool,
    event: bool,
    event_id: Option<EventId>,
}

impl ReportedFailure {
    fn matches(&self, messages: &[String], site: Option<CaptureSite>) -> bool {
        let is_another = |chain: &[String], at: Option<CaptureSite>| {
            chain == messages && at.zip(site).is_some_and(|(one, other)| one != other)
        };
        self.reports.iter().any(|(chain, _)| is_same_failure(chain, messages))
            && !self.reports.iter().any(|(chain, at)| is_another(chain, *at))
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
    pub(super) fn claim(&mut self, messages: &[String], site: Option<CaptureSite>, line: bool, event: bool) -> Claim {
        let Some(reported) = self.find(messages, site) else {
            self.reported.push(ReportedFailure {
                reports: vec![(messages.to_vec(), site)],
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
        if !reported.reports.iter().any(|(chain, at)| chain == messages && (site.is_none() || *at == site)) {
            reported.reports.push((messages.to_vec(), site));
        }
        claim
    }

    /// Stores the id of a failure's event.
    pub(super) fn set_event(&mut self, messages: &[String], site: Option<CaptureSite>, id: EventId) {
        if let Some(reported) = self.find(messages, site) {
            reported.event_id.get_or_insert(id);
        }
    }

    /// The latest matching failure: of several captures of one error, the last is the most likely one to be returned.
    fn find(&mut self, messages: &[String], site: Option<CaptureSite>) -> Option<&mut ReportedFailure> {
        self.reported.iter_mut().rev().find(|reported| reported.matches(messages, site))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.reported.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::*;

    fn chain(messages: &[&str]) -> Vec<String> {
        messages.iter().map(|message| (*message).to_owned()).collect()
    }

    #[test]
    fn reports_of_one_failure_share_its_claims() {
        let mut reports = Reports::default();
        let event = EventId::random();
        let first = reports.claim(&chain(&["cause"]), None, true, false);
        assert_eq!(first, Claim { line: true, event: false, event_id: None });
        let second = reports.claim(&chain(&["wrapped", "cause"]), None, false, true);
        assert_eq!(second, Claim { line: false, event: true, event_id: None });
        reports.set_event(&chain(&["wrapped", "cause"]), None, event);
        for again in [&["wrapped", "cause"][..], &["cause"], &["wrapped differently", "cause"]] {
            let claim = reports.claim(&chain(again), None, true, true);
            assert_eq!(claim, Claim { line: false, event: false, event_id: Some(event) }, "{again:?}");
        }
        let other = reports.claim(&chain(&["another"]), None, true, true);
        assert_eq!(other, Claim { line: true, event: true, event_id: None });
    }

    #[test]
    fn unrequested_outputs_are_not_claimed() {
        let mut reports = Reports::default();
        assert!(reports.is_empty());
        reports.claim(&chain(&["cause"]), None, false, false);
        assert!(!reports.is_empty());
        assert_eq!(
            reports.claim(&chain(&["cause"]), None, true, true),
            Claim { line: true, event: true, event_id: None }
        );
    }

    /// Claims the event of a captured error; returns whether it is a new failure.
    fn captured(reports: &mut Reports, messages: &[&str], site: Option<CaptureSite>) -> bool {
        reports.claim(&chain(messages), site, true, true).event
    }

    #[test]
    fn equal_captures_at_different_places_are_two_failures() {
        let mut reports = Reports::default();
        let [one, other] = [CaptureSite::Code(Location::caller()), CaptureSite::Code(Location::caller())].map(Some);
        let sdk = Some(CaptureSite::Sdk(EventId::random()));
        assert!(captured(&mut reports, &["cause"], one));
        assert!(captured(&mut reports, &["cause"], other));
        assert!(captured(&mut reports, &["cause"], sdk));
        for site in [one, other, sdk, None] {
            assert!(!captured(&mut reports, &["cause"], site), "{site:?}");
        }
    }

    #[test]
    fn a_wrapper_captured_at_another_place_is_the_same_failure() {
        let mut reports = Reports::default();
        let [one, two, three] = [1, 2, 3].map(|_| Some(CaptureSite::Sdk(EventId::random())));
        assert!(captured(&mut reports, &["cause"], one));
        assert!(!captured(&mut reports, &["wrapped", "cause"], two));
        assert!(captured(&mut reports, &["cause"], three));
    }

    #[test]
    fn a_logged_error_and_its_capture_are_one_failure() {
        let mut reports = Reports::default();
        let [one, other] = [1, 2].map(|_| Some(CaptureSite::Sdk(EventId::random())));
        assert!(captured(&mut reports, &["cause"], None));
        assert!(!captured(&mut reports, &["cause"], one));
        assert!(captured(&mut reports, &["cause"], other));
    }

    #[test]
    fn a_returned_error_has_the_event_of_its_last_capture() {
        let mut reports = Reports::default();
        let captures = [1, 2].map(|_| EventId::random());
        for id in captures {
            let site = Some(CaptureSite::Sdk(id));
            captured(&mut reports, &["cause"], site);
            reports.set_event(&chain(&["cause"]), site, id);
        }
        assert_eq!(reports.claim(&chain(&["cause"]), None, true, true).event_id, Some(captures[1]));
    }
}
