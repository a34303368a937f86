//! No record, whatever is in it, makes a line that is too long, invalid, or without its ids.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use cyanotype_redact::Content;
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::failure::{Failure, Link};
use crate::identity::{CallerTrace, RequestIdentity, RequestParts};
use crate::outcome::Outcome;
use crate::pipeline::fixture::settings;
use crate::policy::Kind;
use crate::record::{BodyDetail, Detail, EventId, FailureDetail};
use crate::stack::{Frame, Stack};

const SCHEMAS: [&str; 4] = ["default", "gcp", "ecs", "datadog"];

fn renderer(values: &[(&str, &str)]) -> Renderer {
    Renderer::from_settings(&settings(values))
}

fn lines(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).expect("UTF-8")
}

fn record(kind: Kind, message: &str) -> Record {
    Record { kind, at: Timestamp::UNIX_EPOCH, ..Record::service(Level::Error, "shop::orders", message, Map::new()) }
}

#[test]
fn the_readme_shows_pretty_lines_as_they_are_written() {
    let readme = test_harness::scratch::read(&test_harness::scratch::workspace().join("README.md"));
    let pretty = renderer(&[("log.format", "pretty"), ("log.color", "never")]);
    for (time, kind, message) in [
        ("18:49:06.387", Kind::Breadcrumb, "inserting an order"),
        ("18:49:06.389", Kind::Line, "order placed"),
        ("18:49:06.389", Kind::Response, "POST /orders 201"),
    ] {
        let at = format!("2026-08-01T{time}Z").parse().expect("a time");
        let written = lines(|out| pretty.write(&Record { at, level: Level::Info, ..record(kind, message) }, out));
        let begin = written.split(message).next().expect("text before the message");
        assert!(
            readme.contains(&format!("\n{begin}{message}")),
            "README.md has no line that begins with: {begin}{message}"
        );
    }
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// Text of characters that need up to six times as many bytes in JSON.
fn text(max: usize) -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[a-z \"\\\\\u{1}\u{7f}\u{85}\u{9b}\u{2028}\u{202e}é青😀]{1,40}",
        Just("<!--XSUPERVISOR:BEGIN-->".to_owned()),
        Just("{\"a\":".to_owned()),
    ];
    let length = prop_oneof![3 => Just(0), 4 => 0..60_usize, 3 => 0..max];
    (part, length).prop_map(|(part, length)| {
        let mut text = part.repeat(length / part.len() + 1);
        text.truncate(text.floor_char_boundary(length));
        text
    })
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any::<f64>().prop_map(Value::from), text(20_000).prop_map(Value::from)];
    leaf.prop_recursive(3, 30, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Value::from),
            vec((text(300), inner), 0..8).prop_map(|entries| entries.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

fn data() -> impl Strategy<Value = Map<String, Value>> {
    let key = prop_oneof![4 => "[a-z_.]{1,12}", 1 => text(4000)];
    let other = |key: &String| Kind::ALL.iter().all(|_| !["level", "kind", "message", "timestamp"].contains(&&**key));
    vec((key.prop_filter("a key of its own", other), value()), 0..12).prop_map(|entries| entries.into_iter().collect())
}

fn failure() -> impl Strategy<Value = Failure> {
    let link = (text(200), text(30_000)).prop_map(|(type_name, message)| Link { type_name, message });
    let frame = (text(2000), text(200)).prop_map(|(function, file)| Frame {
        function: function.replace('\n', " "),
        file: Some(file),
        line: Some(7),
        in_app: true,
        ..Frame::default()
    });
    (vec(link, 1..8), vec(frame, 0..60)).prop_map(|(chain, frames)| {
        let stack = Some(Arc::new(Stack::from_frames(frames)));
        Failure { chain, stack, panic: false, panic_site: None, outage: false }
    })
}

fn identity(id: &str) -> Arc<RequestIdentity> {
    let request = RequestIdentity::new(Some(id), CallerTrace::default(), RequestParts::default());
    request.set_blueprint("orders");
    request.set_route(Some("/orders/{id}".into()));
    Arc::new(request)
}

/// The settings of a renderer: its limit, schema, and whether it has ASCII and prefixes.
fn any_renderer(format: &'static str) -> impl Strategy<Value = (usize, Renderer)> {
    let max = prop_oneof![Just(2048), Just(16_000), 2048..20_000_usize];
    (max, 0..SCHEMAS.len(), any::<bool>(), any::<bool>()).prop_map(move |(max, schema, ascii, prefix)| {
        let renderer = renderer(&[
            ("log.format", format),
            ("log.max_line_bytes", &max.to_string()),
            ("log.schema", SCHEMAS[schema]),
            ("log.ascii", if ascii { "true" } else { "false" }),
            ("log.priority_prefix", if prefix { "always" } else { "never" }),
        ]);
        (max, renderer)
    })
}

prop_compose! {
    fn any_record()(
        kind in prop::sample::select(vec![Kind::Line, Kind::Breadcrumb, Kind::Exception, Kind::Message, Kind::Service]),
        message in text(30_000),
        target in text(2000),
        span in text(2000),
        failure in prop::option::of(failure()),
        data in data(),
        in_request in any::<bool>(),
    ) -> Record {
        Record {
            target,
            spans: Some(span.into()),
            request: in_request.then(|| identity(&"i".repeat(128))),
            failure: failure.map(|failure| FailureDetail { failure, with_stack: true }),
            event_id: Some(EventId::random()),
            detail: match kind {
                Kind::Line => Detail::Fields(data),
                Kind::Service => Detail::Service(data),
                _ => Detail::Data(data),
            },
            ..record(kind, &message)
        }
    }
}

/// Checks a line of JSON, and that it has what is never cut.
fn check(line: &str, max: usize, renderer: &Renderer, request: Option<&RequestIdentity>) -> Result<(), TestCaseError> {
    prop_assert!(line.len() <= max, "{} > {max}: {line}", line.len());
    prop_assert!(!renderer.ascii || line.is_ascii());
    prop_assert_eq!(line.matches('\n').count(), 1);
    prop_assert!(line.ends_with('\n') && !line.contains("<!--XSUPERVISOR"));
    let json = if renderer.prefix { line.strip_prefix("<3>") } else { Some(line) };
    let parsed: Result<Map<String, Value>, _> = serde_json::from_str(json.unwrap_or_default());
    prop_assert!(parsed.is_ok(), "{line}");
    let values: Vec<Value> = parsed.into_iter().flatten().map(|(_, value)| value).collect();
    let has = |expected: &str| values.iter().any(|value| value == expected);
    prop_assert!(has("1970-01-01T00:00:00.000000Z") && (has("error") || has("ERROR")), "{line}");
    if let Some(request) = request {
        prop_assert!(has(request.id()) && has(&request.trace_id().to_string()) && has("orders"), "{line}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_json_line_obeys_the_limit(record in any_record(), (max, renderer) in any_renderer("json")) {
        let line = lines(|out| renderer.write(&record, out));
        check(&line, max, &renderer, record.request.as_deref())?;
    }

    #[test]
    fn every_pretty_line_obeys_the_limit(record in any_record(), (max, renderer) in any_renderer("pretty")) {
        let shown = lines(|out| renderer.write(&record, out));
        for line in shown.split_inclusive('\n') {
            prop_assert!(line.len() <= max, "{} > {max}: {line}", line.len());
            prop_assert_eq!(line.starts_with("<3>"), renderer.prefix, "{}", line);
        }
    }

    #[test]
    fn every_response_line_obeys_the_limit(
        texts in vec(text(20_000), 8),
        (max, renderer) in any_renderer("json"),
    ) {
        let request = identity("req-1");
        let response = response(&request, &texts);
        let line = lines(|out| renderer.write_response(&response, out));
        check(&line, max, &renderer, Some(&request))?;
    }
}

fn response<'a>(request: &Arc<RequestIdentity>, texts: &'a [String]) -> ResponseRecord<'a> {
    let text = |at: usize| Cow::Borrowed(texts[at].as_str());
    let body = |at: usize| BodyDetail {
        content_type: Some(text(at)),
        coding: None,
        size: 7,
        content: Some(Content { text: text(at + 1), truncated: false }),
    };
    ResponseRecord {
        at: Timestamp::UNIX_EPOCH,
        level: Level::Error,
        request: Arc::clone(request),
        scope: None,
        method: text(0),
        path: text(1),
        query: Some(text(2)),
        status: Some(500),
        duration: Duration::from_micros(2345),
        outcome: Outcome::Complete,
        response: body(3),
        request_body: Some(body(5)),
        client_address: Some([192, 0, 2, 7].into()),
        client_pseudonym: None,
        user_agent: Some(text(7)),
        truncated: Vec::new(),
    }
}

fn truncated(record: &Value) -> Vec<&str> {
    record["truncated"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn a_record_that_fits_exactly_is_unchanged() {
    let exact = record(Kind::Line, &"x".repeat(4000));
    let length = lines(|out| Renderer::json(usize::MAX).write(&exact, out)).len();
    let line = |max| parse(&lines(|out| Renderer::json(max).write(&exact, out)));
    assert_eq!((line(length)["message"].as_str().map(str::len), truncated(&line(length)).len()), (Some(4000), 0));
    assert_eq!(truncated(&line(length - 1)), ["message"]);
}

#[test]
fn what_is_worth_least_is_cut_first() {
    let request = identity("req-1");
    let quotes = |count: usize| "\"".repeat(count);
    // In order: method, path, query, type and content of the response, type and content of the request, agent.
    let texts = |request_body: usize, response_body: usize, path: usize| {
        ["GET", &quotes(path), "q=1", "text/plain", &quotes(response_body), "text/plain", &quotes(request_body), "curl"]
            .map(str::to_owned)
    };
    let shown = |request_body, response_body, path| {
        let texts = texts(request_body, response_body, path);
        let line = lines(|out| Renderer::json(16_000).write_response(&response(&request, &texts), out));
        let record = parse(&line);
        let length = |key: &str| record[key].as_str().map_or(0, str::len);
        let cut = |body: &str| record[format!("http.{body}.body.truncated")] == true;
        (
            length("http.request.body.content"),
            length("http.response.body.content"),
            length("url.path"),
            cut("request"),
            cut("response"),
        )
    };
    let (request_body, response_body, path, request_cut, response_cut) = shown(5000, 5000, 100);
    assert!(request_body > 1000 && request_cut && !response_cut, "{request_body}");
    assert_eq!((response_body, path), (5000, 100));
    let (request_body, response_body, path, request_cut, response_cut) = shown(5000, 9000, 100);
    assert!(request_body == 0 && response_body > 5000 && request_cut && response_cut, "{response_body}");
    assert_eq!(path, 100);
    let (request_body, response_body, path, ..) = shown(5000, 9000, 8000);
    assert_eq!((request_body, response_body), (0, 0));
    assert!(path > 1000, "the message is cut before the path");
}

#[test]
fn a_stack_is_cut_before_fields_and_fields_before_the_message() {
    let frames = |count: usize| {
        let frame = |at: usize| Frame {
            function: format!("shop::f{at}"),
            file: Some("a.rs".into()),
            line: Some(1),
            in_app: true,
            ..Frame::default()
        };
        Some(Arc::new(Stack::from_frames((0..count).map(frame).collect())))
    };
    let shown = |stack: usize, field: usize, error: usize| {
        let link = Link { type_name: "Broken".into(), message: "e".repeat(error) };
        let failure =
            Failure { chain: vec![link], stack: frames(stack), panic: false, panic_site: None, outage: false };
        let record = Record {
            failure: Some(FailureDetail { failure, with_stack: true }),
            detail: Detail::Fields(Map::from_iter([
                ("n".to_owned(), 1.into()),
                ("long".to_owned(), "f".repeat(field).into()),
            ])),
            ..record(Kind::Line, &"m".repeat(1000))
        };
        parse(&lines(|out| Renderer::json(8000).write(&record, out)))
    };
    let cut = shown(300, 2000, 500);
    assert_eq!(truncated(&cut), ["exception.stacktrace"]);
    let stack = cut["exception.stacktrace"].as_str().unwrap_or_default();
    assert!(stack.starts_with("   0: shop::f0\n") && stack.ends_with("      at a.rs:1\n"), "{stack}");
    let cut = shown(300, 9000, 500);
    assert_eq!((&cut["exception.stacktrace"], &cut["fields"]["n"]), (&json!(""), &json!(1)));
    assert_eq!(truncated(&cut), ["exception.stacktrace", "fields"]);
    let cut = shown(3, 9000, 5000);
    assert_eq!(truncated(&cut)[..2], ["exception.stacktrace", "fields"]);
    assert_eq!(cut["message"].as_str().map(str::len), Some(1000), "{cut}");
    assert_eq!(cut["exception.type"], "Broken");
}

#[test]
fn each_level_has_its_priority_and_its_names() {
    let names = |schema, names| {
        let mut values = vec![("log.schema", schema), ("log.priority_prefix", "always")];
        values.extend((!str::is_empty(names)).then_some(("log.level_names", names)));
        let renderer = renderer(&values);
        Level::ALL.map(|level| {
            let line = lines(|out| renderer.write(&Record { level, ..record(Kind::Line, "m") }, out));
            let (prefix, json) = line.split_at(3);
            let record = parse(json);
            let key = ["level", "severity", "log.level", "status"].into_iter().find(|key| record.get(key).is_some());
            format!("{prefix} {} {}", key.unwrap_or_default(), record[key.unwrap_or_default()])
        })
    };
    let of = |key: &str, names: [&str; 6]| {
        let prefixes = ["<7>", "<7>", "<6>", "<4>", "<3>", "<2>"];
        std::array::from_fn(|at| format!("{} {key} {}", prefixes[at], names[at]))
    };
    let ours = Level::NAMES.map(|name| format!("\"{name}\""));
    let ours = std::array::from_fn(|at| ours[at].as_str());
    let gcp = ["\"DEBUG\"", "\"DEBUG\"", "\"INFO\"", "\"WARNING\"", "\"ERROR\"", "\"CRITICAL\""];
    let syslog = ["\"debug\"", "\"debug\"", "\"info\"", "\"warning\"", "\"err\"", "\"crit\""];
    let pino = ["10", "20", "30", "40", "50", "60"];
    assert_eq!(names("default", ""), of("level", ours));
    assert_eq!(names("gcp", ""), of("severity", gcp));
    assert_eq!(names("gcp", "default"), of("severity", ours));
    assert_eq!(names("ecs", "syslog"), of("log.level", syslog));
    assert_eq!(names("datadog", "pino"), of("status", pino));
}

#[test]
fn an_explicit_severity_key_replaces_the_presets() {
    let renderer = renderer(&[("log.schema", "gcp"), ("log.severity_key", "lvl")]);
    let record = parse(&lines(|out| renderer.write(&record(Kind::Line, "m"), out)));
    assert_eq!((&record["lvl"], record.get("severity")), (&json!("ERROR"), None));
}

#[test]
fn pretty_lines_have_the_prefix_each() {
    let renderer = renderer(&[("log.format", "pretty"), ("log.priority_prefix", "always")]);
    let failure = Failure::from_message("Broken", "it broke".to_owned());
    let record =
        Record { failure: Some(FailureDetail { failure, with_stack: false }), ..record(Kind::Exception, "it broke") };
    let shown = lines(|out| renderer.write(&record, out));
    assert!(shown.lines().count() > 1 && shown.lines().all(|line| line.starts_with("<3>")), "{shown}");
}
