//! [`Pipeline::report`] as a table, and what the pipeline does over time.

use std::fmt::Write as _;

use serde_json::json;

use super::fixture::{SentEvent, pipeline, pipeline_with_hook};
use super::*;
use crate::failure::Link;
use crate::stack::Stack;

/// One row of a table: what is reported, under which circumstances, and what comes of it.
///
/// - `kind`: `line+error` is a logger line with an error as a field, `outage` a failure of something that all requests need
/// - `reported`: what the same failure was reported to in the same request before: nothing, the line sink, the event sink,
///   both, or (`refused`) the line sink while sampling refused the event
/// - `flood`: whether the limit of `log.flood` is reached
/// - `sampled`: whether sampling accepts events
/// - `line`, `stack`: whether a line is written, and whether the stack is on it
/// - `event`: whether an event is sent at once, or held until the response
/// - `id`: the id that is returned: a new one, that of the event before, or none
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
            panic!("six cells before the bar: {row}")
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
        let failure =
            || Failure { stack: Some(Arc::new(Stack::left_out())), ..Failure::plain("Timeout", "too late".into()) };
        let (kind, failure) = match self.kind {
            "line" => (Kind::Line, None),
            "line+error" => (Kind::Line, Some(failure())),
            "exception" => (Kind::Exception, Some(failure())),
            "message" => (Kind::Message, None),
            "uncaught" => (Kind::Uncaught, Some(failure())),
            "panic" => (Kind::Uncaught, Some(Failure { panic: true, ..failure() })),
            "outage" => (Kind::Uncaught, Some(Failure { outage: true, ..failure() })),
            "service" => (Kind::Service, None),
            other => panic!("no kind: {other}"),
        };
        Report { failure, ..Report::new(kind, self.level, "shop::orders", "too late".into()) }
    }

    /// What the same failure was reported as before, in the same request.
    fn earlier(&self) -> Option<Report> {
        let exception = || Report { kind: Kind::Exception, level: Level::Error, ..self.report() };
        match self.reported {
            "-" => None,
            "line" => Some(Report { kind: Kind::Line, level: Level::Warning, ..self.report() }),
            "event" => Some(Report { threshold: Some(Level::Critical), ..exception() }),
            "both" | "refused" => Some(exception()),
            other => panic!("no sink: {other}"),
        }
    }

    /// Reports it, and says what came of it.
    fn outcome(&self, own: &[(&str, &str)]) -> String {
        let limit = if self.flood { "1" } else { "100" };
        let rate = if self.sampled { "1" } else { "0" };
        let fixture = pipeline(&[own, &[("log.flood.limit", limit), ("sentry.sample_rate", rate)]].concat());
        let request = self.in_request.then(|| fixture.request("one"));
        let scoped = |report: Report| match &request {
            Some(request) => request::sync_scope(request, || fixture.pipeline.report(report)),
            None => fixture.pipeline.report(report),
        };
        let before = match self.earlier() {
            Some(earlier) => scoped(earlier),
            None if self.flood => {
                // Of another request, so that it is another report.
                request::sync_scope(&fixture.request("another"), || fixture.pipeline.report(self.report()));
                None
            }
            None => None,
        };
        fixture.outcome();
        let crumbs = || fixture.breadcrumbs(request.as_deref()).len();
        let crumbs_before = crumbs();

        let id = scoped(self.report());
        let now = fixture.outcome();
        if let Some(request) = &request {
            fixture.pipeline.answered(None, request);
        }
        let later = fixture.outcome();

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

/// Each row of the table is one call of `report`.
fn check(own: &[(&str, &str)], table: &str) {
    let mut wrong = String::new();
    for row in table.lines().skip(1).filter(|row| !row.is_empty()) {
        let (given, expected) = row.split_once('|').expect("a bar");
        let expected = expected.split_whitespace().collect::<Vec<_>>().join(" ");
        let outcome = Row::read(given).outcome(own);
        if outcome != expected {
            let _ = writeln!(wrong, "{row}\n    is: {outcome}");
        }
    }
    assert!(wrong.is_empty(), "under {own:?}\n{wrong}");
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
line       info     -        -     sampled -       | line -     -     -   crumb
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
fn production_with_stderr_alone() {
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
fn production_with_sentry_alone() {
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

/// A failure with a message of its own.
fn failure(message: &str) -> Failure {
    Failure::plain("Timeout", message.to_owned())
}

fn uncaught(message: &str) -> Report {
    Report::failure(Kind::Uncaught, "shop::orders", failure(message))
}

fn in_request<R>(request: &Arc<RequestContext>, f: impl FnOnce() -> R) -> R {
    request::sync_scope(request, f)
}

/// The record of a response with this status, made by hand.
fn response(request: &RequestContext, status: u16) -> ResponseRecord<'_> {
    ResponseRecord {
        at: Timestamp::now(),
        level: if status < 500 { Level::Info } else { Level::Error },
        request,
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
            content: Some(crate::redact::Content { text: "{}".into(), truncated: false }),
        },
        asked: None,
        client_address: None,
        user_agent: None,
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
    assert!(fixture.outcome().events.is_empty());
    fixture.pipeline.answered(Some(&response(&request, 500)), &request);
    let outcome = fixture.outcome();
    let [event] = &outcome.events[..] else { panic!("one event: {outcome:?}") };
    let crumbs: Vec<(&str, &str)> = event.crumbs.iter().map(|(category, message)| (&**category, &**message)).collect();
    let expected = [("breadcrumb", "before"), ("breadcrumb", "after"), ("response", "GET /orders/1 500")];
    assert_eq!(crumbs, expected);
    assert_eq!((event.level.as_str(), event.handled, event.request_id.as_deref()), ("error", Some(false), Some("one")));
    assert_eq!(event.errors, [("Timeout".to_owned(), "too late".to_owned())]);
    assert_eq!((event.target.as_str(), &event.message), ("shop::orders", &None));
    assert_eq!(outcome.lines.len(), 1, "the response's own line");
}

#[test]
fn an_event_that_is_sent_at_once_has_the_breadcrumbs_until_then() {
    let fixture = pipeline(&[]);
    let request = fixture.request("one");
    in_request(&request, || {
        fixture.pipeline.breadcrumb("before".into());
        fixture.pipeline.report(Report::failure(Kind::Exception, "shop::orders", failure("too late")));
        fixture.pipeline.breadcrumb("after".into());
    });
    fixture.pipeline.breadcrumb("of no request".into());
    fixture.pipeline.report(Report::new(Kind::Message, Level::Info, "shop", "hello".into()));
    let outcome = fixture.outcome();
    let [caught, message] = &outcome.events[..] else { panic!("two events: {outcome:?}") };
    let messages = |event: &SentEvent| event.crumbs.iter().map(|it| it.1.clone()).collect::<Vec<_>>();
    assert_eq!((messages(caught), caught.handled), (vec!["before".to_owned()], Some(true)));
    assert_eq!((messages(message), message.handled), (vec!["of no request".to_owned()], None));
    assert_eq!((message.message.as_deref(), message.level.as_str()), (Some("hello"), "info"));
    assert_eq!(message.request_id, None);
}

#[test]
fn after_the_response_an_uncaught_failure_is_sent_at_once() {
    let fixture = pipeline(&[]);
    let request = fixture.request("one");
    fixture.pipeline.answered(None, &request);
    in_request(&request, || fixture.pipeline.report(uncaught("too late")));
    assert_eq!(fixture.outcome().events.len(), 1);
}

#[test]
fn a_panic_is_remembered_with_its_event() {
    let fixture = pipeline(&[]);
    let request = fixture.request("one");
    let panic = Failure { panic: true, ..failure("out of range") };
    let id = in_request(&request, || fixture.pipeline.report(Report::failure(Kind::Uncaught, "shop", panic)));
    assert!(id.is_some());
    assert_eq!(request.panic_event(), id);
    fixture.pipeline.answered(None, &request);
    assert_eq!(fixture.outcome().events[0].level, "fatal");

    let other = fixture.request("two");
    in_request(&other, || fixture.pipeline.report(uncaught("too late")));
    assert_eq!((other.panic_event(), other.has_failed()), (None, true));
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
    let outcome = fixture.outcome();
    assert_eq!((outcome.lines.len(), outcome.events.len()), (1, 1));
    assert_eq!(outcome.lines[0]["exception.chain"], json!(["no stock", "timeout"]));
    assert_eq!(outcome.events[0].errors.len(), 2);
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
    let held = request.answered();
    let lines = fixture.outcome().lines;
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
fn a_breadcrumb_passes_the_hook_on_its_way_to_sentry_alone() {
    let hook: BeforeBreadcrumb = Box::new(|mut breadcrumb| {
        breadcrumb.message = breadcrumb.message.replace("warehouse", "Bearer abcdefghijklmnop");
        breadcrumb.level = Level::Error;
        Some(breadcrumb.category("changed")).filter(|breadcrumb| breadcrumb.message != "dropped")
    });
    let fixture = pipeline_with_hook(&[], Some(hook));
    let request = fixture.request("one");
    in_request(&request, || {
        fixture.pipeline.breadcrumb(Breadcrumb::new("asked the warehouse").category("stock").data("sku", "A-1"));
        fixture.pipeline.breadcrumb("dropped".into());
        fixture.pipeline.breadcrumb(Breadcrumb::new("not on stderr").level(Level::Debug));
    });
    let lines = fixture.outcome().lines;
    let shown: Vec<_> = lines.iter().map(|line| (&line["target"], &line["message"], &line["level"])).collect();
    let words = ["stock", "asked the warehouse", "info", "breadcrumb", "dropped"].map(Value::from);
    assert_eq!(shown, [(&words[0], &words[1], &words[2]), (&words[3], &words[4], &words[2])]);
    assert_eq!((&lines[0]["data"], &lines[0]["kind"]), (&json!({"sku": "A-1"}), &json!("breadcrumb")));

    let stored = fixture.breadcrumbs(Some(&request));
    let stored: Vec<_> = stored.iter().map(|it| (it.category.as_str(), it.message.as_str(), it.level)).collect();
    let expected =
        [("changed", "asked the Bearer [redacted]", Level::Error), ("changed", "not on stderr", Level::Error)];
    assert_eq!(stored, expected);
    assert!(fixture.breadcrumbs(None).is_empty());
}

#[test]
fn a_breadcrumb_is_stored_only_where_sentry_is_a_sink() {
    let fixture = pipeline(&[("log.mode", "stderr")]);
    fixture.pipeline.breadcrumb("hello".into());
    assert_eq!((fixture.breadcrumbs(None).len(), fixture.outcome().lines.len()), (0, 1));
    let fixture = pipeline(&[("log.mode", "sentry")]);
    fixture.pipeline.breadcrumb("hello".into());
    assert_eq!((fixture.breadcrumbs(None).len(), fixture.outcome().lines.len()), (1, 0));
    let fixture = pipeline(&[("log.mode", "off")]);
    fixture.pipeline.breadcrumb("hello".into());
    assert_eq!((fixture.breadcrumbs(None).len(), fixture.outcome().lines.len()), (0, 0));
}

#[test]
fn the_newest_breadcrumbs_are_stored_up_to_the_setting() {
    let fixture = pipeline(&[("sentry.max_breadcrumbs", "2")]);
    let request = fixture.request("one");
    for scope in [None, Some(&*request)] {
        let add = || ["one", "two", "three"].into_iter().for_each(|text| fixture.pipeline.breadcrumb(text.into()));
        match scope {
            Some(_) => in_request(&request, add),
            None => add(),
        }
        let messages: Vec<String> = fixture.breadcrumbs(scope).into_iter().map(|crumb| crumb.message).collect();
        assert_eq!(messages, ["two", "three"]);
    }
}

#[test]
fn finish_reports_what_was_suppressed() {
    let fixture = pipeline(&[("log.flood.limit", "1"), ("log.flood.window_s", "3600")]);
    let [one, two, three] = ["one", "two", "three"].map(|id| fixture.request(id));
    one.set_route(Some("/orders".into()));
    two.set_route(Some("/orders".into()));
    three.set_route(Some("/orders".into()));
    for request in [&one, &two, &three] {
        in_request(request, || fixture.pipeline.report(uncaught("too late")));
        fixture.pipeline.answered(None, request);
    }
    let before = fixture.outcome();
    assert_eq!((before.lines.len(), before.events.len()), (1, 1));

    fixture.pipeline.finish(Instant::now() + std::time::Duration::from_secs(10));
    let after = fixture.outcome();
    let ([line], [event]) = (&after.lines[..], &after.events[..]) else { panic!("one of each: {after:?}") };
    let message = "suppressed: more of Timeout: too late on GET /orders";
    assert_eq!(
        (&line["message"], &line["kind"], &line["level"]),
        (&json!(message), &json!("service"), &json!("warning"))
    );
    assert_eq!((&line["dropped"], &line["transaction"]), (&json!({"uncaught": 2}), &json!("GET /orders")));
    assert_eq!((&line["exception.type"], &line["exception.message"]), (&json!("Timeout"), &json!("too late")));
    assert_eq!((event.message.as_deref(), event.target.as_str()), (Some(message), "cyanotype::flood"));
    assert_eq!((event.level.as_str(), &event.data["suppressed"]), ("warning", &json!(2)));
    assert_eq!(event.transaction, None);
}

#[test]
fn an_outage_is_reported_once_for_all_routes() {
    let fixture = pipeline(&[]);
    for route in ["/orders", "/users"] {
        let request = fixture.request(route);
        request.set_route(Some(route.into()));
        let outage = Failure { outage: true, ..failure("no connection") };
        in_request(&request, || fixture.pipeline.report(Report::failure(Kind::Uncaught, "shop", outage)));
        fixture.pipeline.answered(None, &request);
    }
    let outcome = fixture.outcome();
    assert_eq!((outcome.lines.len(), outcome.events.len()), (1, 1));
}

#[test]
fn finish_delivers_what_still_waits() {
    let fixture = pipeline(&[]);
    let failing = Failure { stack: Some(Arc::new(Stack::capture())), ..failure("too late") };
    fixture.pipeline.report(Report::failure(Kind::Uncaught, "shop", failing));
    // No time for the stack's names.
    fixture.pipeline.finish(Instant::now());
    let outcome = fixture.outcome();
    assert_eq!((outcome.lines.len(), outcome.events.len()), (1, 1));

    // Later reports are delivered at once.
    fixture.pipeline.report(uncaught("later"));
    assert_eq!(fixture.outcome().lines.len(), 1);
}

#[test]
fn at_the_end_of_the_process_no_event_waits_for_its_response() {
    let fixture = pipeline(&[]);
    let request = fixture.request("one");
    in_request(&request, || {
        fixture.pipeline.report(uncaught("too late"));
        fixture.pipeline.end_at_once(Instant::now() + std::time::Duration::from_secs(10));
    });
    assert_eq!(fixture.outcome().events.len(), 1);
}
