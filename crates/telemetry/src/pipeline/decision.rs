//! The decision on one report: whether it is a line, an event, a breadcrumb.

use crate::policy::{Destinations, StackPlacement, ToSentry};
use crate::request::Claim;

/// The decision on one report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decision {
    pub write_line: bool,
    pub send_event: bool,
    pub store_breadcrumb: bool,
    /// Whether it is a line of Sentry's Logs.
    pub send_log: bool,
    /// Whether the line has the failure's stack trace.
    pub with_stack: bool,
}

/// Decides on a report. `destinations` are those of the table; `claim` excludes what an earlier report of the same failure has
/// claimed; `allowed` is whether the flood limit allows the report, and `accepted` whether an event sink accepts the event.
pub(super) fn decide(
    destinations: Destinations,
    claim: Claim,
    is_failure: bool,
    allowed: bool,
    accepted: bool,
) -> Decision {
    let send_event = claim.event && allowed && accepted;
    // The flood limit applies to failures and events; repeated log lines are written.
    let is_allowed_line = allowed || !is_failure;
    Decision {
        write_line: claim.line && is_allowed_line,
        send_event,
        // Like the line on stderr, if there is one.
        send_log: destinations.logs && is_allowed_line && (claim.line || !destinations.stderr),
        store_breadcrumb: destinations.sentry == ToSentry::Breadcrumb,
        with_stack: match destinations.stack {
            StackPlacement::Never => false,
            StackPlacement::WithLine => true,
            StackPlacement::UnlessSentToSentry => !send_event && claim.event_id.is_none(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::EventId;

    /// The decision as `line event stack`, on a failure that is both a line and an event.
    fn decided(stack: StackPlacement, claim: Claim, allowed: bool, accepted: bool) -> String {
        let destinations = Destinations { stderr: true, stack, sentry: ToSentry::Event, logs: false };
        let decision = decide(destinations, claim, true, allowed, accepted);
        assert!(!decision.store_breadcrumb);
        let cells = [(decision.write_line, "line"), (decision.send_event, "event"), (decision.with_stack, "stack")];
        cells.into_iter().filter(|(on, _)| *on).map(|(_, name)| name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_stack_is_on_the_line_unless_an_event_has_it() {
        use StackPlacement::{Never, UnlessSentToSentry as Unless, WithLine};
        let new = Claim { line: true, event: true, event_id: None };
        let line_only = Claim { line: true, event: false, event_id: None };
        let event_only = Claim { line: false, event: true, event_id: None };
        let sent = Claim { line: true, event: false, event_id: Some(EventId::random()) };
        for (stack, claim, allowed, accepted, expected) in [
            (Never, new, true, true, "line event"),
            (WithLine, new, true, true, "line event stack"),
            (Unless, new, true, true, "line event"),
            // Sampled out.
            (Unless, new, true, false, "line stack"),
            (WithLine, new, true, false, "line stack"),
            // A flood.
            (WithLine, new, false, true, "stack"),
            (Never, new, false, true, ""),
            // An earlier report was sampled out, or sent.
            (Unless, line_only, true, true, "line stack"),
            (Unless, sent, true, true, "line"),
            (Never, event_only, true, true, "event"),
            (Never, event_only, true, false, ""),
        ] {
            assert_eq!(decided(stack, claim, allowed, accepted), expected, "{stack:?} {claim:?} {allowed} {accepted}");
        }
    }

    #[test]
    fn the_flood_limit_does_not_suppress_plain_lines() {
        let destinations =
            Destinations { stderr: true, stack: StackPlacement::Never, sentry: ToSentry::Event, logs: true };
        let decision = decide(destinations, Claim { line: true, event: true, event_id: None }, false, false, true);
        assert_eq!((decision.write_line, decision.send_event, decision.send_log), (true, false, true));
    }

    #[test]
    fn a_log_is_sent_like_the_line_on_stderr() {
        let destinations =
            Destinations { stderr: true, stack: StackPlacement::Never, sentry: ToSentry::Event, logs: true };
        let logged = |stderr, line, allowed| {
            let destinations = Destinations { stderr, ..destinations };
            decide(destinations, Claim { line, ..Claim::default() }, true, allowed, false).send_log
        };
        assert_eq!([logged(true, true, true), logged(false, false, true)], [true; 2]);
        assert_eq!([logged(true, false, true), logged(true, true, false), logged(false, false, false)], [false; 3]);
    }

    #[test]
    fn a_breadcrumb_is_stored_with_or_without_a_line() {
        let destinations =
            Destinations { stderr: true, stack: StackPlacement::Never, sentry: ToSentry::Breadcrumb, logs: false };
        for line in [false, true] {
            assert!(decide(destinations, Claim { line, ..Claim::default() }, false, true, false).store_breadcrumb);
        }
    }
}
