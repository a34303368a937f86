//! Table tests of [`Pipeline::report`], and tests of sequences of reports.

use std::fmt::Write as _;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use serde_json::{Value, json};

use super::fixture::{SentEvent, pipeline, pipeline_with_hooks};
use super::*;
use crate::failure::Link;
use crate::memory::MemorySink;
use crate::record::ResponseRecord;
use crate::request::{ActiveSpan, RequestEnd, RequestIdentity};
use crate::sinks::{EventSink, RecordSink, SinkScope};
use crate::stack::Stack;

/// One row of a table: a report, its circumstances, and the expected result.
///
/// - `kind`: `line+error` is a log line with an error as a field, `outage` a failure of a dependency of all requests
/// - `reported`: the sinks that received the same failure earlier in the same request: none, the record sink, the event sink,
///   both, or (`refused`) the record sink after sampling dropped the event
/// - `flood`: whether the limit of `log.flood` is reached
/// - `sampled`: whether sampling accepts events
/// - `line`, `stack`: whether a line is written, and whether the stack is on it
/// - `event`: whether an event is sent at once, or held until the response
/// - `id`: the returned id: a new one, that of the earlier event, or none
/// - `crumb`: whether a breadcrumb is stored
struct Row<'a> {
    kind: &'a str,
    level: Level,
    reported: &'a str,
    flood: bool,
    sampled: bool,
    in_request: bool,
}

impl<'a> Row<'a> {
    fn read(row: &'a str) -> Self {
        let cells: Vec<&str> = row.split_whitespace().collect();
        let &[kind, level, reported, flood, sampled, place] = &cells[..] else {
            panic!("expected six cells before the bar: {row}")
        };
        let is = |cell: &str, yes: &str| {
            cell == yes || {
                assert_eq!(cell, "-", "{row}");
                false
            }
        };
        Self {
            kind,
            level: level.parse().expect("a level"),
            reported,
            flood: is(flood, "flood"),
            sampled: is(sampled, "sampled"),
            in_request: is(place, "request"),
        }
    }

    fn report(&self) -> Report {
        let failure = || Failure {
            stack: Some(Arc::new(Stack::omitted())),
            ..Failure::from_message("Timeout", "too late".into())
        };
        let (kind, failure) = match self.kind {
            "line" => (Kind::Line, None),
            "line+error" => (Kind::Line, Some(failure())),
            "exception" => (Kind::Exception, Some(failure())),
            "message" => (Kind::Message, None),
            "uncaught" => (Kind::Uncaught, Some(failure())),
            "panic" => (Kind::Uncaught, Some(Failure { panic: true, ..failure() })),
            "outage" => (Kind::Uncaught, Some(Failure { outage: true, ..failure() })),
            "service" => (Kind::Service, None),
            other => panic!("unknown kind: {other}"),
        };
        Report { failure, ..Report::new(kind, self.level, "shop::orders", "too late".into()) }
    }

    /// The earlier report of the same failure in the same request.
    fn earlier(&self) -> Option<Report> {
        let exception = || Report { kind: Kind::Exception, level: Level::Error, ..self.report() };
        match self.reported {
            "-" => None,
            "line" => Some(Report { kind: Kind::Line, level: Level::Warning, ..self.report() }),
            "event" => Some(Report { level: Level::Debug, ..exception() }),
            "both" | "refused" => Some(exception()),
            other => panic!("unknown sink: {other}"),
        }
    }

    /// Sends the report, and returns the result as the cells of the table.
    fn outcome(&self, values: &[(&str, &str)]) -> String {
        let limit = if self.flood { "1" } else { "100" };
        let rate = if self.sampled { "1" } else { "0" };
        let fixture = pipeline(&[values, &[("log.flood.limit", limit), ("sentry.sample_rate", rate)]].concat());
        let request = self.in_request.then(|| fixture.request("one"));
        let scoped = |report: Report| match &request {
            Some(request) => request::run_in_sync(request, || fixture.pipeline.report(report)),
            None => fixture.pipeline.report(report),
        };
        let before = match self.earlier() {
            Some(earlier) => scoped(earlier),
            None if self.flood => {
                // In another request, so that it counts as a separate report.
                request::run_in_sync(&fixture.request("another"), || fixture.pipeline.report(self.report()));
                None
            }
            None => None,
        };
        fixture.recorded();
        let crumbs = || fixture.breadcrumbs(request.as_deref()).len();
        let crumbs_before = crumbs();

        let id = scoped(self.report());
        let now = fixture.recorded();
        if let Some(request) = &request {
            fixture.end_response(None, request);
        }
        let later = fixture.recorded();

        assert!(now.lines.len() <= 1 && later.lines.is_empty(), "{now:?} {later:?}");
        let line = now.lines.first();
        let shown = id.map(|id| id.to_string());
        if let Some(line) = line {
            assert_eq!(line["sentry.event_id"].as_str(), shown.as_deref());
            assert_eq!(line["request_id"].as_str(), self.in_request.then_some("one"));
        }
        let event = match (&now.events[..], &later.events[..]) {
            ([], []) => "-",
            ([event], []) | ([], [event]) => {
                assert_eq!(Some(&event.id), shown.as_ref());
                if now.events.is_empty() { "held" } else { "sent" }
            }
            _ => panic!("more than one event: {now:?} {later:?}"),
        };
        let yes = |is: bool, yes: &'static str| if is { yes } else { "-" };
        let mut cells = String::new();
        let _ = write!(cells, "{} ", yes(line.is_some(), "line"));
        let _ = write!(cells, "{} ", yes(line.is_some_and(|line| line["exception.stacktrace"].is_string()), "stack"));
        let _ = write!(cells, "{event} ");
        let _ = write!(
            cells,
            "{} ",
            if id.is_none() {
                "-"
            } else if id == before {
                "old"
            } else {
                "new"
            }
        );
        let _ = write!(cells, "{}", yes(crumbs() > crumbs_before, "crumb"));
        cells
    }
}

/// Checks a table; each row is one call of `report`.
fn check(values: &[(&str, &str)], table: &str) {
    let mut wrong = String::new();
    for row in table.lines().skip(1).filter(|row| !row.is_empty()) {
        let (row, expected) = row.split_once('|').expect("a bar");
        let expected = expected.split_whitespace().collect::<Vec<_>>().join(" ");
        let outcome = Row::read(row).outcome(values);
        if outcome != expected {
            let _ = writeln!(wrong, "{row}\n    is: {outcome}");
        }
    }
    assert!(wrong.is_empty(), "under {values:?}\n{wrong}");
}

#[test]
fn production_with_both_sinks() {
    check(
        &[],
        "\
kind       level    reported flood sampled place   | line stack event id  crumb

line       debug    -        -     sampled request | -    -     -     -   -
line       info     -        -     sampled request | line -     -     -   crumb
line       info     -        -     -       request | line -     -     -   crumb
line       info     -        flood sampled request | line -     -     -   crumb
line       info     -        -     sampled -       | line -     -     -   -
line       error    -        -     sampled request | line -     sent  new -
line       error    -        -     -       request | line -     -     -   -
line       error    -        flood sampled request | line -     -     -   -
line       error    -        -     sampled -       | line -     sent  new -
line       critical -        -     sampled request | line -     sent  new -

line+error debug    -        -     sampled request | -    -     -     -   -
line+error warning  -        -     sampled request | line -     -     -   crumb
line+error warning  -        flood sampled request | -    -     -     -   crumb
line+error warning  line     -     sampled request | -    -     -     -   crumb
line+error warning  event    -     sampled request | line -     -     old crumb
line+error warning  both     -     sampled request | -    -     -     old crumb
line+error error    -        -     sampled request | line -     sent  new -
line+error error    -        -     -       request | line -     -     -   -
line+error error    -        flood sampled request | -    -     -     -   -
line+error error    line     -     sampled request | -    -     sent  new -
line+error error    event    -     sampled request | line -     -     old -
line+error error    both     -     sampled request | -    -     -     old -
line+error error    -        -     sampled -       | line -     sent  new -

exception  error    -        -     sampled request | line -     sent  new -
exception  error    -        -     -       request | line stack -     -   -
exception  error    -        flood sampled request | -    -     -     -   -
exception  error    -        flood -       request | -    -     -     -   -
exception  error    line     -     sampled request | -    -     sent  new -
exception  error    line     -     -       request | -    -     -     -   -
exception  error    line     flood sampled request | -    -     -     -   -
exception  error    event    -     sampled request | line -     -     old -
exception  error    event    flood sampled request | -    -     -     old -
exception  error    both     -     sampled request | -    -     -     old -
exception  error    both     flood sampled request | -    -     -     old -
exception  error    refused  -     -       request | -    -     -     -   -
exception  error    -        -     sampled -       | line -     sent  new -
exception  error    -        -     -       -       | line stack -     -   -
exception  error    -        flood sampled -       | -    -     -     -   -
exception  info     -        -     sampled request | line -     sent  new -
exception  debug    -        -     sampled request | -    -     sent  new -

message    info     -        -     sampled request | line -     sent  new -
message    info     -        -     -       request | line -     -     -   -
message    info     -        flood sampled request | line -     sent  new -
message    info     -        -     sampled -       | line -     sent  new -
message    debug    -        -     sampled request | -    -     sent  new -
message    error    -        flood sampled -       | line -     sent  new -

uncaught   error    -        -     sampled request | line stack held  new -
uncaught   error    -        -     -       request | line stack -     -   -
uncaught   error    -        flood sampled request | -    -     -     -   -
uncaught   error    line     -     sampled request | -    -     held  new -
uncaught   error    event    -     sampled request | line stack -     old -
uncaught   error    both     -     sampled request | -    -     -     old -
uncaught   error    refused  -     -       request | -    -     -     -   -
uncaught   error    -        -     sampled -       | line stack sent  new -
uncaught   error    -        flood sampled -       | -    -     -     -   -
uncaught   debug    -        -     sampled request | -    -     held  new -
panic      error    -        -     sampled request | line stack held  new -
panic      error    both     -     sampled request | -    -     -     old -
outage     error    -        -     sampled request | line stack held  new -
outage     error    -        flood sampled request | -    -     -     -   -

service    debug    -        -     sampled request | -    -     -     -   -
service    info     -        -     sampled request | line -     -     -   -
service    error    -        -     -       request | line -     -     -   -
service    error    -        flood sampled -       | line -     -     -   -",
    );
}

#[test]
fn production_with_stderr_only() {
    check(
        &[("log.mode", "stderr")],
        "\
kind       level    reported flood sampled place   | line stack event id  crumb

line       info     -        -     sampled request | line -     -     -   -
line       error    -        -     sampled request | line -     -     -   -
line+error error    -        flood sampled request | -    -     -     -   -
exception  error    -        -     sampled request | line stack -     -   -
exception  error    line     -     sampled request | -    -     -     -   -
exception  error    both     -     sampled request | -    -     -     -   -
message    info     -        flood sampled request | line -     -     -   -
uncaught   error    -        -     sampled request | line stack -     -   -
uncaught   error    -        flood sampled -       | -    -     -     -   -",
    );
}

#[test]
fn production_with_sentry_only() {
    check(
        &[("log.mode", "sentry")],
        "\
kind       level    reported flood sampled place   | line stack event id  crumb

line       info     -        -     sampled request | -    -     -     -   crumb
line       error    -        -     sampled request | -    -     sent  new -
line       error    -        flood sampled request | -    -     -     -   -
exception  error    -        -     sampled request | -    -     sent  new -
exception  error    -        flood sampled request | -    -     -     -   -
exception  error    event    -     sampled request | -    -     -     old -
exception  error    refused  -     -       request | -    -     -     -   -
message    info     -        -     sampled request | -    -     sent  new -
uncaught   error    -        -     sampled request | -    -     held  new -
service    error    -        -     sampled request | -    -     -     -   -",
    );
}

#[test]
fn development_with_both_sinks() {
    check(
        &[("env", "dev"), ("log.level", "critical")],
        "\
kind       level    reported flood sampled place   | line stack event id  crumb

line       error    -        -     sampled request | -    -     -     -   -
exception  error    -        -     sampled request | line stack sent  new -
exception  error    -        -     -       request | line stack -     -   -
exception  error    -        flood sampled request | -    -     -     -   -
exception  error    both     -     sampled request | -    -     -     old -
message    info     -        -     sampled request | -    -     sent  new -
uncaught   error    -        -     sampled request | line stack held  new -
uncaught   error    both     -     sampled request | -    -     -     old -",
    );
}

#[test]
fn nothing_is_recorded_when_the_mode_is_off() {
    check(
        &[("log.mode", "off"), ("env", "dev")],
        "\
kind       level    reported flood sampled place   | line stack event id  crumb

line       critical -        -     sampled request | -    -     -     -   -
exception  critical -        -     sampled request | -    -     -     -   -
message    critical -        -     sampled request | -    -     -     -   -
panic      critical -        -     sampled request | -    -     -     -   -
service    critical -        -     sampled request | -    -     -     -   -",
    );
}

/// A failure with this message.
fn failure(message: &str) -> Failure {
    Failure::from_message("Timeout", message.to_owned())
}

fn uncaught(message: &str) -> Report {
    Report::failure(Kind::Uncaught, "shop::orders", failure(message))
}

/// An uncaught failure with an unresolved stack.
fn with_stack(message: &str) -> Report {
    let failure = Failure { stack: Some(Arc::new(Stack::capture())), ..failure(message) };
    Report { failure: Some(failure), ..uncaught(message) }
}

fn stack_on(line: &Value) -> &str {
    line["exception.stacktrace"].as_str().expect("a stack")
}

fn in_request<R>(request: &Arc<RequestContext>, f: impl FnOnce() -> R) -> R {
    request::run_in_sync(request, f)
}

/// A response record with this status.
fn response(request: &RequestContext, status: u16) -> ResponseRecord<'_> {
    ResponseRecord {
        at: Timestamp::now(),
        level: if status < 500 { Level::Info } else { Level::Error },
        request: Arc::clone(request.identity()),
        scope: request.event_scope(),
        method: "GET".into(),
        path: "/orders/1".into(),
        query: None,
        status: Some(status),
        duration: std::time::Duration::from_millis(1),
        outcome: crate::record::Outcome::Complete,
        response: crate::record::BodyDetail {
            content_type: None,
            coding: None,
            size: 2,
            content: Some(cyanotype_redact::Content { text: "{}".into(), truncated: false }),
        },
        request_body: None,
        client_address: None,
        client_pseudonym: None,
        user_agent: None,
        truncated: Vec::new(),
    }
}

#[test]
fn an_uncaught_failure_waits_for_the_response_and_carries_its_breadcrumb() {
    let fixture = pipeline(&[]);
    let request = fixture.request("one");
    in_request(&request, || {
        fixture.pipeline.breadcrumb("before".into());
        fixture.pipeline.report(uncaught("too late"));
        fixture.pipeline.breadcrumb("after".into());
    });
    assert!(fixture.recorded().events.is_empty());
    fixture.end_response(Some(&response(&request, 500)), &request);
    let recorded = fixture.recorded();
    let [event] = &recorded.events[..] else { panic!("expected one event: {recorded:?}") };
    let crumbs: Vec<(&str, &str)> = event.crumbs.iter().map(|(category, message)| (&**category, &**message)).collect();
    let expected = [("breadcrumb", "before"), ("breadcrumb", "after"), ("response", "GET /orders/1 500")];
    assert_eq!(crumbs, expected);
    assert_eq!((event.level.as_str(), event.handled, event.request_id.as_deref()), ("error", Some(false), Some("one")));
    assert_eq!(event.errors, [("Timeout".to_owned(), "too late".to_owned())]);
    assert_eq!((event.target.as_str(), &event.message), ("shop::orders", &None));
    assert_eq!(recorded.lines.len(), 1, "the response's own line");
}

#[test]
fn an_immediate_event_carries_only_earlier_breadcrumbs() {
    let fixture = pipeline(&[]);
    let request = fixture.request("one");
    in_request(&request, || {
        fixture.pipeline.breadcrumb("before".into());
        fixture.pipeline.report(Report::failure(Kind::Exception, "shop::orders", failure("too late")));
        fixture.pipeline.breadcrumb("after".into());
    });
    fixture.pipeline.breadcrumb("of no request".into());
    fixture.pipeline.report(Report::new(Kind::Message, Level::Info, "shop", "hello".into()));
    let recorded = fixture.recorded();
    let [caught, message] = &recorded.events[..] else { panic!("expected two events: {recorded:?}") };
    let messages = |event: &SentEvent| event.crumbs.iter().map(|it| it.1.clone()).collect::<Vec<_>>();
    assert_eq!((messages(caught), caught.handled), (vec!["before".to_owned()], Some(true)));
    assert_eq!((messages(message), message.handled), (vec![], None));
    assert_eq!((message.message.as_deref(), message.level.as_str()), (Some("hello"), "info"));
    assert_eq!(message.request_id, None);
}

#[test]
fn an_uncaught_failure_after_the_response_is_sent_immediately() {
    let fixture = pipeline(&[]);
    let request = fixture.request("one");
    fixture.end_response(None, &request);
    in_request(&request, || fixture.pipeline.report(uncaught("too late")));
    assert_eq!(fixture.recorded().events.len(), 1);
}

#[test]
fn a_panic_that_is_caught_has_the_event_of_the_hook() {
    let fixture = pipeline(&[]);
    let request = fixture.request("one");
    let panic = || Report::failure(Kind::Uncaught, "shop", Failure::from_panic(&"out of range"));
    let [hook, caught] = [(), ()].map(|()| in_request(&request, || fixture.pipeline.report(panic())));
    assert!(hook.is_some());
    assert_eq!(caught, hook);
    fixture.end_response(None, &request);
    let recorded = fixture.recorded();
    assert_eq!((recorded.lines.len(), recorded.events.len()), (1, 1));
    assert!(recorded.events[0].panicked);
}

#[test]
fn one_failure_is_reported_once_whichever_of_its_errors_comes_first() {
    let fixture = pipeline(&[]);
    let request = fixture.request("one");
    let link = |message: &str| Link { type_name: "Error".into(), message: message.into() };
    let wrapped = Failure { chain: vec![link("no stock"), link("timeout")], ..failure("") };
    let cause = Failure { chain: vec![link("timeout")], ..failure("") };
    let [first, second] = [wrapped, cause].map(|failure| {
        in_request(&request, || fixture.pipeline.report(Report::failure(Kind::Exception, "shop", failure)))
    });
    assert_eq!((first, first.is_some()), (second, true));
    let recorded = fixture.recorded();
    assert_eq!((recorded.lines.len(), recorded.events.len()), (1, 1));
    assert_eq!(recorded.lines[0]["exception.chain"], json!(["no stock", "timeout"]));
    assert_eq!(recorded.events[0].errors.len(), 2);
}

#[test]
fn everything_is_redacted_before_it_is_stored() {
    let fixture = pipeline(&[]);
    let request = fixture.request("one");
    let secret = "Bearer abcdefghijklmnop";
    let link = Link { type_name: "Error".into(), message: format!("cause {secret}") };
    let mut failing = failure(&format!("failed {secret}"));
    failing.chain.push(link);
    in_request(&request, || {
        let line = Report::new(Kind::Line, Level::Info, &format!("target {secret}"), format!("message {secret}"));
        fixture.pipeline.report(line.with("password", "hunter2").with("shown", "yes"));
        let crumb = Breadcrumb::new(format!("message {secret}")).category(format!("category {secret}"));
        fixture.pipeline.breadcrumb(crumb.data("password", "hunter2").data("shown", "yes"));
        fixture.pipeline.report(Report::failure(Kind::Uncaught, "shop", failing).with("password", "hunter2"));
    });
    let crumbs = fixture.breadcrumbs(Some(&request));
    let held = request.end_response();
    let lines = fixture.recorded().lines;
    assert_eq!((crumbs.len(), held.len(), lines.len()), (2, 1, 3));
    for stored in [format!("{crumbs:?}"), format!("{held:?}"), format!("{lines:?}")] {
        assert!(
            !stored.contains("hunter2") && !stored.contains("abcdefgh") && stored.contains("[redacted]"),
            "{stored}"
        );
    }
    assert_eq!(lines[0]["fields"], json!({"password": "[redacted]", "shown": "yes"}));
    assert_eq!(lines[1]["data"], json!({"password": "[redacted]", "shown": "yes"}));
}

#[test]
fn the_breadcrumb_hook_applies_only_to_event_sinks() {
    let hook: BeforeBreadcrumb = Box::new(|mut breadcrumb| {
        breadcrumb.message = breadcrumb.message.replace("warehouse", "Bearer abcdefghijklmnop");
        breadcrumb.level = Level::Error;
        Some(breadcrumb.category("changed")).filter(|breadcrumb| breadcrumb.message != "dropped")
    });
    let fixture = pipeline_with_hooks(&[], Hooks { before_breadcrumb: Some(hook), ..Hooks::default() });
    let request = fixture.request("one");
    in_request(&request, || {
        fixture.pipeline.breadcrumb(Breadcrumb::new("queried the warehouse").category("stock").data("sku", "A-1"));
        fixture.pipeline.breadcrumb("dropped".into());
        fixture.pipeline.breadcrumb(Breadcrumb::new("not on stderr").level(Level::Debug));
    });
    let lines = fixture.recorded().lines;
    let shown: Vec<_> = lines.iter().map(|line| (&line["target"], &line["message"], &line["level"])).collect();
    let words = ["stock", "queried the warehouse", "info", "breadcrumb", "dropped"].map(Value::from);
    assert_eq!(shown, [(&words[0], &words[1], &words[2]), (&words[3], &words[4], &words[2])]);
    assert_eq!((&lines[0]["data"], &lines[0]["kind"]), (&json!({"sku": "A-1"}), &json!("breadcrumb")));

    let stored = fixture.breadcrumbs(Some(&request));
    let stored: Vec<_> = stored.iter().map(|it| (it.category.as_str(), it.message.as_str(), it.level)).collect();
    let expected =
        [("changed", "queried the Bearer [redacted]", Level::Error), ("changed", "not on stderr", Level::Error)];
    assert_eq!(stored, expected);
}

#[test]
fn the_event_hook_changes_or_holds_back_events() {
    let hook: BeforeSend = Box::new(|mut event| {
        event.id = EventId::random();
        event.scope_mut().tag("by", "the hook");
        event.failure.as_ref().is_none_or(|failure| failure.first().message != "noise").then_some(event)
    });
    let fixture = pipeline_with_hooks(&[], Hooks { before_send: Some(hook), ..Hooks::default() });
    let request = fixture.request("one");
    in_request(&request, || {
        let held_back = fixture.pipeline.report(Report { kind: Kind::Exception, ..with_stack("noise") });
        assert_eq!(held_back, None);
        let sent = fixture.pipeline.report(Report { kind: Kind::Exception, ..with_stack("a failure") });
        let recorded = fixture.recorded();
        assert_eq!(recorded.events.len(), 1);
        assert_eq!(Some(recorded.events[0].id.clone()), sent.map(|id| id.to_string()), "the hook cannot change the id");
        // A line with a stack waits for its frames.
        let mut lines = recorded.lines;
        lines.sort_by_key(|line| line["message"].to_string());
        let [other, noise] = &lines[..] else { panic!("two lines: {lines:?}") };
        assert!(noise.get("sentry.event_id").is_none() && noise.get("exception.stacktrace").is_some(), "{noise}");
        assert!(other.get("sentry.event_id").is_some() && other.get("exception.stacktrace").is_none(), "{other}");
    });
}

#[test]
fn what_the_event_hook_reports_is_not_sent() {
    static NESTED: OnceLock<&'static Pipeline> = OnceLock::new();
    let hook: BeforeSend = Box::new(|event| {
        let line = Report::new(Kind::Line, Level::Error, "test", "from the hook".into());
        assert_eq!(NESTED.get().expect("it is set").report(line), None);
        Some(event)
    });
    let fixture = pipeline_with_hooks(&[], Hooks { before_send: Some(hook), ..Hooks::default() });
    NESTED.get_or_init(|| fixture.pipeline);
    for _ in 0..2 {
        assert!(fixture.pipeline.report(with_stack("a failure")).is_some());
        let recorded = fixture.recorded();
        assert_eq!((recorded.lines.len(), recorded.events.len()), (2, 1));
    }
}

#[test]
fn ignored_types_are_logged_but_not_sent() {
    let fixture = pipeline(&[("sentry.ignore", "Late"), ("log.flood.limit", "1")]);
    let request = fixture.request("one");
    in_request(&request, || {
        for message in ["one", "two"] {
            let mut failure = Failure::from_message("shop::Late", message.into());
            failure.stack = Some(Stack::capture().into());
            assert_eq!(fixture.pipeline.report(Report::failure(Kind::Uncaught, "test", failure)), None);
        }
        let mut failure = Failure::from_message("Outer", "outer".into());
        failure.chain.push(Link { type_name: "Late".into(), message: "root".into() });
        assert_eq!(fixture.pipeline.report(Report::failure(Kind::Exception, "test", failure)), None);
        fixture.end_response(None, &request);
    });
    let recorded = fixture.recorded();
    assert_eq!((recorded.lines.len(), recorded.events.len()), (3, 0));
    assert!(recorded.lines.iter().all(|line| line.get("sentry.event_id").is_none()));
    assert!(recorded.lines[0].get("exception.stacktrace").is_some(), "{:?}", recorded.lines[0]);
}

#[test]
fn breadcrumbs_are_stored_only_when_sentry_is_a_sink() {
    for (mode, stored, written) in [("stderr", 0, 1), ("sentry", 1, 0), ("off", 0, 0)] {
        let fixture = pipeline(&[("log.mode", mode)]);
        let request = fixture.request("one");
        in_request(&request, || fixture.pipeline.breadcrumb("hello".into()));
        let recorded = (fixture.breadcrumbs(Some(&request)).len(), fixture.recorded().lines.len());
        assert_eq!(recorded, (stored, written), "{mode}");
    }
}

#[test]
fn breadcrumbs_outside_requests_are_stored_only_for_work_of_its_own() {
    let fixture = pipeline(&[]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let message = || fixture.pipeline.report(Report::new(Kind::Message, Level::Info, "shop", "hello".into()));
    for name in ["first", "second"] {
        runtime.block_on(request::with_task_breadcrumbs(async {
            fixture.pipeline.breadcrumb(name.into());
            message();
            // On a thread that keeps the breadcrumbs, too.
            let handle = crate::keep_request();
            let work = || handle.run(|| fixture.pipeline.breadcrumb(format!("{name}, blocking").into()));
            std::thread::scope(|scope| scope.spawn(work).join()).expect("it does not panic");
            message();
        }));
    }
    fixture.pipeline.breadcrumb("of no work".into());
    fixture.pipeline.breadcrumb("of no work".into());
    message();
    let recorded = fixture.recorded();
    let crumbs = recorded.events.iter().map(|event| event.crumbs.iter().map(|crumb| &*crumb.1).collect::<Vec<_>>());
    let expected: [&[&str]; 5] =
        [&["first"], &["first", "first, blocking"], &["second"], &["second", "second, blocking"], &[]];
    assert_eq!(crumbs.collect::<Vec<_>>(), expected);
    let warnings = recorded.lines.iter().filter(|line| line["kind"] == "service");
    assert_eq!(warnings.map(|line| &line["level"]).collect::<Vec<_>>(), ["warning"]);
}

#[test]
fn max_breadcrumbs_limits_the_stored_breadcrumbs() {
    let fixture = pipeline(&[("sentry.max_breadcrumbs", "2")]);
    let request = fixture.request("one");
    let add_and_read = |scope| {
        ["one", "two", "three"].into_iter().for_each(|text| fixture.pipeline.breadcrumb(text.into()));
        fixture.breadcrumbs(scope).into_iter().map(|crumb| crumb.message).collect::<Vec<_>>()
    };
    assert_eq!(in_request(&request, || add_and_read(Some(&*request))), ["two", "three"]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let outside = runtime.block_on(request::with_task_breadcrumbs(async { add_and_read(None) }));
    assert_eq!(outside, ["two", "three"]);
}

#[test]
fn finish_reports_suppressed_failures() {
    let fixture = pipeline(&[("log.flood.limit", "1"), ("log.flood.window_s", "3600")]);
    let [one, two, three] = ["one", "two", "three"].map(|id| fixture.request(id));
    one.identity().set_route(Some("/orders".into()));
    two.identity().set_route(Some("/orders".into()));
    three.identity().set_route(Some("/orders".into()));
    for request in [&one, &two, &three] {
        in_request(request, || fixture.pipeline.report(uncaught("too late")));
        fixture.end_response(None, request);
    }
    let before = fixture.recorded();
    assert_eq!((before.lines.len(), before.events.len()), (1, 1));

    fixture.pipeline.finish(Instant::now() + std::time::Duration::from_secs(10));
    let after = fixture.recorded();
    let ([line], [event]) = (&after.lines[..], &after.events[..]) else {
        panic!("expected one line and one event: {after:?}")
    };
    assert_eq!(
        (&line["message"], &line["kind"], &line["level"]),
        (&json!("suppressed 2 repeats of Timeout: too late on GET /orders"), &json!("service"), &json!("warning"))
    );
    assert_eq!((&line["dropped"], &line["transaction"]), (&json!({"uncaught": 2}), &json!("GET /orders")));
    assert_eq!((&line["exception.type"], &line["exception.message"]), (&json!("Timeout"), &json!("too late")));
    assert_eq!(
        (event.message.as_deref(), event.target.as_str()),
        (Some("suppressed repeats of Timeout: too late on GET /orders"), "cyanotype::flood")
    );
    assert_eq!((event.level.as_str(), &event.data["suppressed"]), ("warning", &json!(2)));
    assert_eq!(event.request_id, None);
}

#[test]
fn an_outage_is_reported_once_for_all_routes() {
    let fixture = pipeline(&[]);
    for route in ["/orders", "/users"] {
        let request = fixture.request(route);
        request.identity().set_route(Some(route.into()));
        let outage = Failure { outage: true, ..failure("no connection") };
        in_request(&request, || fixture.pipeline.report(Report::failure(Kind::Uncaught, "shop", outage)));
        fixture.end_response(None, &request);
    }
    let recorded = fixture.recorded();
    assert_eq!((recorded.lines.len(), recorded.events.len()), (1, 1));
}

#[test]
fn finish_delivers_queued_reports() {
    let fixture = pipeline(&[]);
    fixture.pipeline.report(with_stack("too late"));
    // No time to resolve the stack.
    fixture.pipeline.finish(Instant::now());
    let recorded = fixture.recorded();
    assert_eq!((recorded.lines.len(), recorded.events.len()), (1, 1));

    // Later reports are delivered immediately, with unresolved stacks.
    fixture.pipeline.report(with_stack("later"));
    assert!(stack_on(&fixture.recorded().lines[0]).contains("omitted"));
}

#[test]
fn finish_waits_for_stacks() {
    let fixture = pipeline(&[]);
    fixture.pipeline.report(with_stack("too late"));
    fixture.pipeline.finish(Instant::now() + std::time::Duration::from_secs(100));
    let recorded = fixture.recorded();
    assert_eq!((recorded.lines.len(), recorded.events.len()), (1, 1));
    let stack = stack_on(&recorded.lines[0]);
    assert!(stack.contains("pipeline/tests.rs") && !stack.contains("omitted"), "{stack}");
}

#[test]
fn a_line_that_omits_its_stack_is_written_immediately() {
    let fixture = pipeline(&[]);
    let report = Report { kind: Kind::Exception, ..with_stack("too late") };
    fixture.pipeline.report(report);
    assert_eq!(fixture.written().len(), 1);
}

#[test]
fn abort_sends_events_held_for_the_response() {
    let fixture = pipeline(&[]);
    let request = fixture.request("one");
    in_request(&request, || {
        fixture.pipeline.report(uncaught("too late"));
        fixture.pipeline.abort(Instant::now() + std::time::Duration::from_secs(10));
    });
    assert_eq!(fixture.recorded().events.len(), 1);
}

#[test]
fn an_event_from_a_line_has_its_message_and_its_error() {
    let fixture = pipeline(&[]);
    let line =
        Report { failure: Some(failure("too late")), ..Report::new(Kind::Line, Level::Error, "shop", "hello".into()) };
    fixture.pipeline.report(line.with("sku", "A-1"));
    let recorded = fixture.recorded();
    let event = &recorded.events[0];
    assert_eq!((event.message.as_deref(), event.errors[0].1.as_str()), (Some("hello"), "too late"));
    assert_eq!((&event.data["sku"], &recorded.lines[0]["fields"]), (&json!("A-1"), &json!({"sku": "A-1"})));
}

/// Sends a report twice with a limit of one; returns the lines and events that `finish` adds.
fn suppressed_once(report: impl Fn() -> Report) -> (Vec<Value>, Vec<SentEvent>) {
    let fixture = pipeline(&[("log.flood.limit", "1"), ("log.flood.window_s", "3600")]);
    for id in ["one", "two"] {
        in_request(&fixture.request(id), || fixture.pipeline.report(report()));
    }
    fixture.recorded();
    fixture.pipeline.finish(Instant::now() + std::time::Duration::from_secs(10));
    let recorded = fixture.recorded();
    (recorded.lines, recorded.events)
}

#[test]
fn suppressed_reports_are_counted_in_the_sink_that_missed_them() {
    // No event: below sentry.event_level.
    let line = || Report::new(Kind::Line, Level::Warning, "shop", "hello".into());
    let (lines, events) = suppressed_once(|| Report { failure: Some(failure("too late")), ..line() });
    assert_eq!((lines.len(), events.len()), (1, 0));
    assert_eq!((&lines[0]["dropped"], lines[0].get("transaction")), (&json!({"line": 1}), None));
    // No line: below the level.
    let (lines, events) = suppressed_once(|| Report { level: Level::Debug, ..exception("too late") });
    assert_eq!((lines.len(), events.len()), (0, 1));
    // The line was written, only its event was not sent.
    let (lines, events) = suppressed_once(|| Report { level: Level::Error, ..line() });
    assert_eq!((lines.len(), events.len()), (0, 1));
    assert_eq!(events[0].data["exception.type"], "shop");
}

fn exception(message: &str) -> Report {
    Report::failure(Kind::Exception, "shop", failure(message))
}

#[test]
fn only_new_reports_count_towards_the_flood_limit() {
    let fixture = pipeline(&[("log.flood.limit", "1")]);
    // The same text as a line that is no event.
    for level in [Level::Info, Level::Info, Level::Error] {
        fixture.pipeline.report(Report::new(Kind::Line, level, "shop", "hello".into()));
    }
    let recorded = fixture.recorded();
    assert_eq!((recorded.lines.len(), recorded.events.len()), (3, 1));

    // The same failure again in one request.
    let fixture = pipeline(&[("log.flood.limit", "2")]);
    let [one, two] = ["one", "two"].map(|id| fixture.request(id));
    for request in [&one, &one, &one, &two] {
        in_request(request, || fixture.pipeline.report(exception("too late")));
    }
    let recorded = fixture.recorded();
    assert_eq!((recorded.lines.len(), recorded.events.len()), (2, 2));
}

#[test]
fn an_outage_has_its_own_limit() {
    let fixture = pipeline(&[]);
    let outage = Failure { outage: true, ..failure("no connection") };
    fixture.pipeline.report(exception("no connection"));
    fixture.pipeline.report(Report::failure(Kind::Exception, "shop", outage));
    assert_eq!(fixture.recorded().lines.len(), 2);
}

#[test]
fn each_route_has_its_own_limit() {
    let fixture = pipeline(&[("log.flood.limit", "1")]);
    for route in ["/orders", "/users", "/orders"] {
        let request = fixture.request(route);
        request.identity().set_route(Some(route.into()));
        in_request(&request, || fixture.pipeline.report(exception("too late")));
    }
    assert_eq!(fixture.recorded().lines.len(), 2);
}

#[test]
fn a_response_is_enabled_if_a_sink_receives_it() {
    // mode, level of the response, whether an event of the request may still be sent
    for (mode, level, may_send, enabled) in [
        ("both", Level::Info, false, true),
        ("both", Level::Info, true, true),
        ("both", Level::Debug, true, false),
        ("stderr", Level::Info, false, true),
        ("stderr", Level::Debug, true, false),
        ("sentry", Level::Info, false, false),
        ("sentry", Level::Info, true, true),
        ("sentry", Level::Debug, true, false),
        ("off", Level::Error, true, false),
    ] {
        let fixture = pipeline(&[("log.mode", mode)]);
        let request = fixture.request("one");
        if may_send {
            request.mark_detached();
        }
        assert_eq!(
            fixture.pipeline.response_enabled(&fixture.pipeline.policy(), level, &request),
            enabled,
            "{mode} {level} {may_send}"
        );
    }
}

#[test]
fn a_response_is_a_breadcrumb_only_if_an_event_may_follow() {
    for (may_send, level, stored) in [(false, Level::Info, 0), (true, Level::Info, 1), (true, Level::Debug, 0)] {
        let fixture = pipeline(&[]);
        let request = fixture.request("one");
        if may_send {
            request.mark_detached();
        }
        fixture.end_response(Some(&ResponseRecord { level, ..response(&request, 200) }), &request);
        assert_eq!(fixture.breadcrumbs(Some(&request)).len(), stored, "{may_send} {level}");
        assert_eq!(fixture.recorded().lines.len(), usize::from(level == Level::Info));
    }
}

#[test]
fn a_response_breadcrumb_truncates_the_content() {
    let fixture = pipeline(&[]);
    let request = fixture.request("one");
    request.mark_detached();
    let long = "é".repeat(1000);
    let mut record = response(&request, 200);
    record.response.content = Some(cyanotype_redact::Content { text: long.as_str().into(), truncated: false });
    fixture.end_response(Some(&record), &request);
    let crumb = fixture.breadcrumbs(Some(&request)).remove(0);
    let expected = json!({
        "http.request.method": "GET",
        "url.path": "/orders/1",
        "http.response.status_code": 200,
        "http.response.body.size": 2,
        "outcome": "complete",
        "http.response.body.content": "é".repeat(512),
    });
    assert_eq!(Value::from(crumb.data), expected);
    assert_eq!((crumb.category.as_str(), crumb.message.as_str()), ("response", "GET /orders/1 200"));
}

#[test]
fn refused_requests_are_reported_in_one_warning() {
    let fixture = pipeline(&[("log.flood.window_s", "3600")]);
    let request = fixture.request("one");
    request.identity().set_route(Some("/orders".into()));
    fixture.pipeline.count_refused(429, &request);
    fixture.pipeline.count_refused(429, &request);
    assert!(fixture.recorded().lines.is_empty());
    fixture.pipeline.finish(Instant::now() + std::time::Duration::from_secs(10));
    let lines = fixture.recorded().lines;
    let [line] = &lines[..] else { panic!("expected one line: {lines:?}") };
    assert_eq!((&line["level"], &line["kind"]), (&json!("warning"), &json!("service")));
    assert!(line.to_string().contains("\"GET /orders\":2"), "{line}");
}

/// Counts the calls of an event sink; also its scope of each request.
#[derive(Default)]
struct Counting {
    entered: AtomicUsize,
    /// Transactions that have not ended.
    begun: AtomicUsize,
    sent: AtomicUsize,
    stored: AtomicUsize,
}

struct CountingSink(Arc<Counting>);

impl EventSink for CountingSink {
    fn begin_request(&self) -> Option<SinkScope> {
        Some(self.0.clone())
    }

    fn enter(&self, scope: &SinkScope, f: &mut dyn FnMut()) {
        scope.clone().downcast::<Counting>().expect("its own scope").entered.fetch_add(1, Relaxed);
        f();
    }

    fn begin_response(&self, scope: &SinkScope, _: &RequestIdentity, status: u16) {
        assert_eq!(status, 200);
        scope.clone().downcast::<Counting>().expect("its own scope").begun.fetch_add(1, Relaxed);
    }

    fn end_request(&self, scope: &SinkScope, _: &RequestIdentity, end: &RequestEnd) {
        assert_eq!(*end, RequestEnd { status: Some(200), has_failed: false, has_panicked: false });
        scope.clone().downcast::<Counting>().expect("its own scope").begun.fetch_sub(1, Relaxed);
    }

    fn active_span(&self, _: &SinkScope) -> Option<ActiveSpan> {
        ActiveSpan::from_sentry_trace("4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1")
    }

    fn send(&self, _: &Event, scope: Option<&SinkScope>) {
        let scope = scope.expect("the request's").clone().downcast::<Counting>().expect("its own scope");
        scope.sent.fetch_add(1, Relaxed);
    }

    fn flush(&self, _: Instant) -> Losses {
        Losses::none()
    }

    fn store_losses(&self, losses: &Losses) {
        self.0.stored.fetch_add(losses.total() as usize, Relaxed);
    }
}

/// A record sink that loses this many lines.
struct Losing(u64);

impl RecordSink for Losing {
    fn write(&self, _: &Record) {}

    fn write_response(&self, _: &ResponseRecord<'_>) {}

    fn flush(&self, _: Instant) -> Losses {
        Losses(if self.0 > 0 { vec![(Kind::Line, self.0)] } else { Vec::new() })
    }
}

fn counting(lost: u64) -> (&'static Pipeline, [Arc<Counting>; 2]) {
    let counts = [Arc::<Counting>::default(), Arc::default()];
    let sinks = counts.iter().fold(Sinks::none().record(Arc::new(Losing(lost))), |sinks, count| {
        sinks.event(Arc::new(CountingSink(Arc::clone(count))))
    });
    let pipeline = Pipeline::new(&super::fixture::settings(&[]), Hooks::default(), sinks);
    (Box::leak(Box::new(pipeline)), counts)
}

#[test]
fn request_work_runs_in_the_scope_of_each_sink() {
    let (pipeline, counts) = counting(0);
    let request =
        Arc::new(pipeline.begin_request(None, CallerTrace::default(), crate::request::RequestParts::default()));
    let begun = || counts.each_ref().map(|count| count.begun.load(Relaxed));
    request.begin_response(200);
    assert_eq!(begun(), [1, 1]);
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned();
    assert!(request.outgoing_headers().contains(&("traceparent", traceparent)));
    request.end(Some(200), false);
    assert_eq!(begun(), [0, 0]);
    let runs = AtomicUsize::new(0);
    in_request(&request, || {
        runs.fetch_add(1, Relaxed);
        pipeline.report(exception("too late"));
    });
    pipeline.finish(Instant::now() + std::time::Duration::from_secs(60));
    assert_eq!(runs.load(Relaxed), 1);
    for count in counts {
        assert_eq!((count.entered.load(Relaxed), count.sent.load(Relaxed)), (1, 1));
    }
}

#[test]
fn lines_lost_at_shutdown_are_stored_by_event_sinks() {
    for lost in [0, 3] {
        let (pipeline, counts) = counting(lost);
        pipeline.finish(Instant::now() + std::time::Duration::from_secs(10));
        assert_eq!(counts.map(|count| count.stored.load(Relaxed)), [lost as usize; 2]);
    }
}

/// An event sink that loses this many events, and does not report them.
struct LosingEvents(u64);

impl EventSink for LosingEvents {
    fn send(&self, _: &Event, _: Option<&SinkScope>) {}

    fn flush(&self, _: Instant) -> Losses {
        Losses(vec![(Kind::Exception, self.0)])
    }
}

#[test]
fn events_lost_at_shutdown_are_counted_in_a_record() {
    let lines = |mode| {
        let memory = MemorySink::default();
        let sinks = Sinks::none().record(Arc::new(memory.clone())).event(Arc::new(LosingEvents(2)));
        let sinks = sinks.event(Arc::new(LosingEvents(3)));
        let pipeline = Pipeline::new(&super::fixture::settings(&[("log.mode", mode)]), Hooks::default(), sinks);
        pipeline.finish(Instant::now() + std::time::Duration::from_secs(10));
        memory.take().0
    };
    for mode in ["both", "sentry"] {
        let lines = lines(mode);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!((&lines[0]["kind"], &lines[0]["dropped"]["exception"]), (&json!("service"), &json!(5)), "{mode}");
    }
    assert!(lines("off").is_empty());
}

#[test]
fn sentrys_logs_are_the_log_lines_from_the_log_level_up() {
    let of = |values: &[(&str, &str)]| {
        let service = pipeline(values);
        let request = service.request("one");
        request::run_in_sync(&request, || {
            for level in [Level::Debug, Level::Info, Level::Error] {
                let line = Report::new(Kind::Line, level, "shop::orders", format!("{level} password=hunter2"));
                service.pipeline.report(line.with("api_key", "hunter2").with("order", 7));
            }
            service.pipeline.report(Report::new(Kind::Message, Level::Error, "shop", "a message".to_owned()));
            service.pipeline.report(Report::service(Level::Error, "a service record"));
            service.pipeline.breadcrumb(Breadcrumb::new("a breadcrumb"));
        });
        let shown = |record: &Value| {
            assert!(!record.to_string().contains("hunter2"), "{record}");
            format!("{} {} {}", record["level"], record["request_id"], record["fields"]["order"])
        };
        service.logs().iter().map(shown).collect::<Vec<_>>()
    };
    let on = ("sentry.logs", "true");
    let info_and_error = [r#""info" "one" 7"#, r#""error" "one" 7"#];
    assert_eq!(of(&[on]), info_and_error);
    // Neither a breadcrumb nor an event is needed.
    let quiet =
        [on, ("log.mode", "sentry"), ("sentry.breadcrumb_level", "critical"), ("sentry.event_level", "critical")];
    assert_eq!(of(&quiet), info_and_error);
    assert_eq!(of(&[on, ("log.level", "error")]), info_and_error[1..]);
    for off in [&[][..], &[on, ("log.mode", "stderr")], &[on, ("log.mode", "off")]] {
        assert_eq!(of(off), [""; 0], "{off:?}");
    }
}
