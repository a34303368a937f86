//! The exact bytes of JSON lines.

use std::borrow::Cow;
use std::sync::Arc;

use cyanotype_redact::Content;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::*;
use crate::failure::{Failure, Link};
use crate::record::{EventId, Outcome};
use crate::request::RequestParts;
use crate::stack::Stack;

const AT: &str = "2026-01-02T03:04:05.678901Z";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn at() -> Timestamp {
    AT.parse().expect("a time")
}

/// A request, optionally routed to a blueprint.
fn request(blueprint: Option<&'static str>) -> Arc<RequestIdentity> {
    let trace = Uuid::try_parse(TRACE).expect("an id");
    let request = RequestIdentity::new(Some("req-1"), trace.into(), RequestParts::default());
    if let Some(name) = blueprint {
        request.set_blueprint(name);
    }
    Arc::new(request)
}

fn record(kind: Kind, level: Level) -> Record {
    Record {
        retroactive: false,
        at: at(),
        level,
        kind,
        message: "hello".into(),
        target: "shop::orders".into(),
        spans: None,
        request: None,
        scope: None,
        failure: None,
        event_id: None,
        detail: Detail::None,
    }
}

fn failure(with_stack: bool) -> Option<FailureDetail> {
    let link = |type_name: &str, message: &str| Link { type_name: type_name.into(), message: message.into() };
    let chain = vec![link("Timeout", "no \"stock\""), link("Io", "line\nbreak")];
    let failure =
        Failure { chain, stack: Some(Arc::new(Stack::omitted())), panic: false, panic_site: None, outage: false };
    Some(FailureDetail { failure, with_stack })
}

fn map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("not an object: {value}") };
    map
}

/// Asserts that the output is the expected text and a line feed, and that it is one line of valid JSON.
#[track_caller]
fn assert_written(write: impl FnOnce(&mut Vec<u8>), expected: &str) {
    let mut out = b"before".to_vec();
    write(&mut out);
    let text = String::from_utf8(out).expect("UTF-8");
    let written = text.strip_prefix("before").expect("it is appended").strip_suffix('\n').expect("a line feed");
    assert_eq!(written, expected);
    assert!(!written.contains('\n'));
    let parsed: Value = serde_json::from_str(written).expect("JSON");
    assert_eq!(parsed["timestamp"], AT);
}

#[track_caller]
fn assert_line(record: &Record, expected: &str) {
    assert_written(|out| line(record, out), expected);
}

#[track_caller]
fn assert_response(record: &ResponseRecord<'_>, expected: &str) {
    assert_written(|out| response(record, out), expected);
}

#[test]
fn a_line_outside_a_request() {
    let record = record(Kind::Line, Level::Info);
    assert_line(
        &record,
        r#"{"timestamp":"2026-01-02T03:04:05.678901Z","level":"info","kind":"line","message":"hello","target":"shop::orders"}"#,
    );
}

#[test]
fn a_line_with_every_field() {
    let record = Record {
        message: "a \"b\"\\\u{7}é".into(),
        spans: Some("import:row{n=1}".into()),
        request: Some(request(Some("shop"))),
        failure: failure(true),
        event_id: Some(EventId::random()),
        detail: Detail::Fields(map(json!({"sku": "A-1", "left": 0, "tags": ["x", null], "rate": 0.5}))),
        ..record(Kind::Line, Level::Error)
    };
    let id = record.event_id.expect("just set");
    let expected = concat!(
        r#"{"timestamp":"2026-01-02T03:04:05.678901Z","level":"error","kind":"line","message":"a \"b\"\\\u0007é","#,
        r#""target":"shop::orders","span":"import:row{n=1}","#,
        r#""request_id":"req-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","blueprint":"shop","#,
        r#""exception.type":"Timeout","exception.message":"no \"stock\"","#,
        r#""exception.chain":["no \"stock\"","line\nbreak"],"#,
        r#""exception.stacktrace":"   0: (stack trace omitted: not resolved in time)\n","#,
        r#""sentry.event_id":"ID","fields":{"sku":"A-1","left":0,"tags":["x",null],"rate":0.5}}"#,
    );
    assert_line(&record, &expected.replace("ID", &id.to_string()));
}

#[test]
fn empty_details_are_omitted() {
    for detail in [Detail::Fields(Map::new()), Detail::Data(Map::new()), Detail::Service(Map::new())] {
        let record = Record { detail, ..record(Kind::Message, Level::Debug) };
        assert_line(
            &record,
            r#"{"timestamp":"2026-01-02T03:04:05.678901Z","level":"debug","kind":"message","message":"hello","target":"shop::orders"}"#,
        );
    }
}

#[test]
fn a_breadcrumb_and_a_message_have_data() {
    for (kind, name) in [(Kind::Breadcrumb, "breadcrumb"), (Kind::Message, "message")] {
        let record = Record {
            request: Some(request(None)),
            detail: Detail::Data(map(json!({"sku": "A-1"}))),
            ..record(kind, Level::Warning)
        };
        let expected = concat!(
            r#"{"timestamp":"2026-01-02T03:04:05.678901Z","level":"warning","kind":"NAME","message":"hello","#,
            r#""target":"shop::orders","request_id":"req-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","#,
            r#""blueprint":null,"data":{"sku":"A-1"}}"#,
        );
        assert_line(&record, &expected.replace("NAME", name));
    }
}

#[test]
fn service_data_is_written_at_the_top_level() {
    let data = map(json!({"address": "127.0.0.1:80", "quoted \"key\"": {"n": 1}}));
    let record = Record { detail: Detail::Service(data), ..record(Kind::Service, Level::Critical) };
    assert_line(
        &record,
        concat!(
            r#"{"timestamp":"2026-01-02T03:04:05.678901Z","level":"critical","kind":"service","message":"hello","#,
            r#""target":"shop::orders","address":"127.0.0.1:80","quoted \"key\"":{"n":1}}"#,
        ),
    );
}

#[test]
fn a_failure_has_its_stack_only_when_the_policy_includes_it() {
    let expected = concat!(
        r#"{"timestamp":"2026-01-02T03:04:05.678901Z","level":"error","kind":"KIND","message":"hello","#,
        r#""target":"shop::orders","exception.type":"Timeout","exception.message":"no \"stock\"","#,
        r#""exception.chain":["no \"stock\"","line\nbreak"]STACK}"#,
    );
    let stack = r#","exception.stacktrace":"   0: (stack trace omitted: not resolved in time)\n""#;
    for (kind, name) in [(Kind::Exception, "exception"), (Kind::Uncaught, "uncaught")] {
        for (with_stack, shown) in [(true, stack), (false, "")] {
            let record = Record { failure: failure(with_stack), ..record(kind, Level::Error) };
            assert_line(&record, &expected.replace("KIND", name).replace("STACK", shown));
        }
    }
    // A failure without a stack.
    let plain = FailureDetail { failure: Failure::from_message("Problem", "no stock".into()), with_stack: true };
    let record = Record { failure: Some(plain), ..record(Kind::Uncaught, Level::Error) };
    assert_line(
        &record,
        concat!(
            r#"{"timestamp":"2026-01-02T03:04:05.678901Z","level":"error","kind":"uncaught","message":"hello","#,
            r#""target":"shop::orders","exception.type":"Problem","exception.message":"no stock","#,
            r#""exception.chain":["no stock"]}"#,
        ),
    );
}

/// A response record with only the fields that every response has.
fn minimal(request: &Arc<RequestIdentity>) -> ResponseRecord<'static> {
    ResponseRecord {
        at: at(),
        level: Level::Info,
        request: Arc::clone(request),
        scope: None,
        method: "GET".into(),
        path: "/orders".into(),
        query: None,
        status: Some(200),
        duration: Duration::ZERO,
        outcome: Outcome::Complete,
        response: BodyDetail { content_type: None, coding: None, size: 0, content: None },
        request_body: None,
        client_address: None,
        client_pseudonym: None,
        user_agent: None,
        truncated: Vec::new(),
    }
}

#[test]
fn a_response_with_required_fields_only() {
    let request = request(None);
    assert_response(
        &minimal(&request),
        concat!(
            r#"{"timestamp":"2026-01-02T03:04:05.678901Z","level":"info","kind":"response","message":"GET /orders 200","#,
            r#""target":"cyanotype::response_log","request_id":"req-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","#,
            r#""blueprint":null,"http.request.method":"GET","url.path":"/orders","http.response.status_code":200,"#,
            r#""duration_ms":0.000,"http.response.body.size":0,"outcome":"complete"}"#,
        ),
    );
}

#[test]
fn a_response_with_every_field() {
    let request = request(Some("shop"));
    request.set_route(Some("/orders/{id}".into()));
    let body = |coding: Option<&'static str>, size: u64, text: &'static str, truncated: bool| BodyDetail {
        content_type: Some("application/json".into()),
        coding: coding.map(Cow::Borrowed),
        size,
        content: Some(Content { text: text.into(), truncated }),
    };
    let record = ResponseRecord {
        level: Level::Error,
        method: "P\"OST".into(),
        path: "/orders/\u{1}".into(),
        query: Some("a=\"b\"".into()),
        status: Some(500),
        duration: Duration::from_nanos(1_234_567_999),
        outcome: Outcome::Error,
        response: body(Some("br"), 12345678901, "{\"a\":1", true),
        request_body: Some(body(None, 7, "{\"b\":2}", false)),
        client_address: Some("2001:db8::1".parse().expect("an address")),
        client_pseudonym: None,
        user_agent: Some("curl/8 \"x\"".into()),
        truncated: vec!["url.path", "url.query"],
        ..minimal(&request)
    };
    assert_response(
        &record,
        concat!(
            r#"{"timestamp":"2026-01-02T03:04:05.678901Z","level":"error","kind":"response","#,
            r#""message":"P\"OST /orders/\u0001 500","target":"cyanotype::response_log","#,
            r#""request_id":"req-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","blueprint":"shop","#,
            r#""http.request.method":"P\"OST","http.route":"/orders/{id}","url.path":"/orders/\u0001","#,
            r#""url.query":"a=\"b\"","http.response.status_code":500,"duration_ms":1234.567,"#,
            r#""http.response.header.content-type":["application/json"],"#,
            r#""http.response.header.content-encoding":["br"],"http.response.body.size":12345678901,"#,
            r#""http.response.body.content":"{\"a\":1","http.response.body.truncated":true,"#,
            r#""http.request.header.content-type":["application/json"],"http.request.body.size":7,"#,
            r#""http.request.body.content":"{\"b\":2}","http.request.body.truncated":false,"#,
            r#""outcome":"error","client.address":"2001:db8::1","user_agent.original":"curl/8 \"x\"","#,
            r#""truncated":["url.path","url.query"]}"#,
        ),
    );
}

#[test]
fn an_aborted_request_without_a_response() {
    let request = request(None);
    let record = ResponseRecord { status: None, outcome: Outcome::Aborted, ..minimal(&request) };
    assert_response(
        &record,
        concat!(
            r#"{"timestamp":"2026-01-02T03:04:05.678901Z","level":"info","kind":"response","#,
            r#""message":"GET /orders aborted","target":"cyanotype::response_log","#,
            r#""request_id":"req-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","#,
            r#""blueprint":null,"http.request.method":"GET","url.path":"/orders","#,
            r#""duration_ms":0.000,"http.response.body.size":0,"outcome":"aborted"}"#,
        ),
    );
    assert_eq!(record.message(), "GET /orders aborted");
}

/// The raw text of one key of a response's line.
fn raw(record: &ResponseRecord<'_>, key: &str) -> String {
    let mut out = Vec::new();
    response(record, &mut out);
    let text = String::from_utf8(out).expect("UTF-8");
    serde_json::from_str::<Value>(&text).expect("JSON");
    let rest = text.split_once(&format!("\"{key}\":")).expect("the key").1;
    rest[..rest.find([',', '}']).expect("an end")].to_owned()
}

#[test]
fn durations_are_milliseconds_with_three_decimals() {
    let request = request(None);
    for (nanos, shown) in [
        (0, "0.000"),
        (999, "0.000"),
        (1_000, "0.001"),
        (10_000, "0.010"),
        (999_999, "0.999"),
        (1_000_000, "1.000"),
        (1_050_000, "1.050"),
        (61_000_001_000, "61000.001"),
    ] {
        let record = ResponseRecord { duration: Duration::from_nanos(nanos), ..minimal(&request) };
        assert_eq!(raw(&record, "duration_ms"), shown);
    }
    let maximum = ResponseRecord { duration: Duration::MAX, ..minimal(&request) };
    assert_eq!(raw(&maximum, "duration_ms"), "18446744073709551615999.999");
}

#[test]
fn a_pseudonym_replaces_the_address() {
    let request = request(None);
    let address = Some("192.0.2.1".parse().expect("an address"));
    let record =
        ResponseRecord { client_address: address, client_pseudonym: Some("~k1:00".into()), ..minimal(&request) };
    assert_eq!(raw(&record, "client.address"), r#""~k1:00""#);
}

#[test]
fn addresses_are_formatted_as_by_the_standard_library() {
    let request = request(None);
    for text in ["0.0.0.0", "10.1.20.255", "::1", "2001:db8::7:0:1", "::ffff:192.0.2.1"] {
        let address: IpAddr = text.parse().expect("an address");
        let record = ResponseRecord { client_address: Some(address), ..minimal(&request) };
        assert_eq!(raw(&record, "client.address"), format!("\"{address}\""));
        assert_eq!(address.to_string(), text);
    }
}
