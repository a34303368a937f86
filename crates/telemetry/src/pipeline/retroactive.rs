//! Lines below the log level that are stored with their request, and written only if it fails.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Map;

use super::Pipeline;
use crate::losses::Losses;
use crate::policy::{Kind, Policy, ToSentry};
use crate::record::{Record, ResponseRecord};
use crate::report::Report;
use crate::request::{RequestContext, RetroactiveLines};

impl Pipeline {
    /// Stores a line that is written only if its request fails.
    pub(super) fn store_retroactive_line(&self, report: Report, request: &RequestContext) {
        // Its error is not the request's failure, and a stack trace would fill the buffer.
        let report = Report { failure: None, ..report }.redacted(&self.redactor).in_scope(request.event_scope());
        request.with_retroactive_lines(|lines| lines.push(Timestamp::now(), report, self.max_retroactive_bytes));
    }

    /// Writes the stored lines of a request that has failed. They precede the failure's records, and are breadcrumbs of its
    /// events.
    pub fn write_retroactive_lines(&self, request: &RequestContext) {
        let snapshot = self.snapshot();
        if snapshot.on_failure().is_none() {
            return;
        }
        let policy = snapshot.values_for_request(Some(request.identity()), ResponseRecord::TARGET).policy;
        let destinations = policy.retroactive_destinations();
        let (lines, dropped) = request.with_retroactive_lines(RetroactiveLines::take);
        if dropped > 0 && destinations.stderr {
            self.sinks.write(&dropped_lines(dropped, request));
        }
        if destinations.sentry == ToSentry::Breadcrumb {
            let breadcrumbs = lines.iter().map(|(at, line)| line.to_breadcrumb(*at));
            request.breadcrumbs().merge(breadcrumbs, self.max_breadcrumbs);
        }
        if destinations.stderr {
            for (at, line) in lines {
                let record = line.into_record(at, Some(request.identity()), None, false);
                self.sinks.write(&Record { retroactive: true, ..record });
            }
        }
    }

    /// Whether a report is a line below the log level that is to be stored.
    pub(super) fn stores_retroactively(&self, policy: &Policy, report: &Report) -> bool {
        report.kind == Kind::Line
            && report.level < policy.level
            && !policy.is_off()
            && self.snapshot().on_failure().is_some_and(|from| report.level >= from)
    }
}

fn dropped_lines(count: u64, request: &RequestContext) -> Record {
    let message = format!("dropped {count} stored lines of this request: log.on_failure.max_bytes exceeded");
    let losses = Losses(vec![(Kind::Line, count)]);
    let (request, scope) = (Some(Arc::clone(request.identity())), request.event_scope());
    Record { request, scope, retroactive: true, ..Record::losses(&losses, message, Map::new()) }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::failure::Failure;
    use crate::level::Level;
    use crate::pipeline::fixture::{Fixture, pipeline};
    use crate::policy::Kind;
    use crate::report::Report;
    use crate::request::run_in_sync;

    fn line(service: &Fixture, level: Level, message: &str) {
        service.pipeline.report(Report::new(Kind::Line, level, "test", message.to_owned()));
    }

    fn fail(service: &Fixture, message: &str) {
        service.pipeline.report(Report::failure(
            Kind::Uncaught,
            "test",
            Failure::from_message("Broken", message.to_owned()),
        ));
    }

    /// Level, message, and whether the line is marked `retroactive`.
    fn shown(lines: &[Value]) -> Vec<(String, String, bool)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        lines.iter().map(|line| (text(&line["level"]), text(&line["message"]), line["retroactive"] == true)).collect()
    }

    fn row(level: &str, message: &str, marked: bool) -> (String, String, bool) {
        (level.to_owned(), message.to_owned(), marked)
    }

    #[test]
    fn stored_lines_precede_the_failure() {
        let service = pipeline(&[("log.on_failure.level", "debug")]);
        let request = service.request("one");
        run_in_sync(&request, || {
            line(&service, Level::Trace, "too detailed");
            line(&service, Level::Debug, "opens with Bearer hunter2hunter2");
            line(&service, Level::Info, "works");
            line(&service, Level::Debug, "closes");
            assert_eq!(shown(&service.written()), [row("info", "works", false)]);
            fail(&service, "broken");
            service.end_response(None, &request);
        });
        let recorded = service.recorded();
        let lines = shown(&recorded.lines);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].1.starts_with("opens") && !lines[0].1.contains("hunter2"), "{lines:?}");
        assert_eq!(lines[1..], [row("debug", "closes", true), row("error", "broken", false)]);
        let crumbs: Vec<_> = recorded.events[0].crumbs.iter().map(|(_, message)| message.as_str()).collect();
        assert_eq!(crumbs.len(), 3, "{crumbs:?}");
        assert_eq!(crumbs[1..], ["works", "closes"], "they are in the order of time");
    }

    #[test]
    fn successful_requests_write_no_stored_lines() {
        let service = pipeline(&[("log.on_failure.level", "debug")]);
        let request = service.request("one");
        run_in_sync(&request, || {
            line(&service, Level::Debug, "below the level");
            let caught = Failure::from_message("Broken", "caught".to_owned());
            service.pipeline.report(Report::failure(Kind::Exception, "test", caught));
            service.end_response(None, &request);
        });
        let recorded = service.recorded();
        assert_eq!(shown(&recorded.lines), [row("error", "caught", false)]);
        assert!(recorded.events[0].crumbs.is_empty());
    }

    #[test]
    fn lines_are_stored_only_in_requests_and_when_enabled() {
        for (level, in_request) in [("off", true), ("debug", false)] {
            let service = pipeline(&[("log.on_failure.level", level)]);
            let request = service.request("one");
            let work = || {
                line(&service, Level::Debug, "below the level");
                fail(&service, "broken");
            };
            if in_request {
                run_in_sync(&request, work)
            } else {
                work()
            }
            assert_eq!(shown(&service.recorded().lines), [row("error", "broken", false)], "{level}");
        }
    }

    #[test]
    fn dropped_lines_are_counted() {
        let service = pipeline(&[("log.on_failure.level", "debug"), ("log.on_failure.max_bytes", "1024")]);
        let request = service.request("one");
        run_in_sync(&request, || {
            (0..20).for_each(|n| line(&service, Level::Debug, &format!("step {n}")));
            fail(&service, "broken");
        });
        let lines = service.recorded().lines;
        let shown = shown(&lines);
        let dropped = 20 - (lines.len() as u64 - 2);
        assert_eq!(lines[0]["dropped"]["line"], dropped, "{shown:?}");
        assert_eq!((lines[0]["retroactive"] == true, &lines[0]["request_id"]), (true, &Value::from("one")));
        assert_eq!(shown[lines.len() - 2], row("debug", "step 19", true));
    }

    #[test]
    fn without_stderr_stored_lines_are_only_breadcrumbs() {
        let service = pipeline(&[("log.on_failure.level", "debug"), ("log.mode", "sentry")]);
        let request = service.request("one");
        run_in_sync(&request, || {
            line(&service, Level::Debug, "below the level");
            fail(&service, "broken");
            service.end_response(None, &request);
        });
        let recorded = service.recorded();
        assert!(recorded.lines.is_empty());
        assert_eq!(recorded.events[0].crumbs.len(), 1);
    }
}
