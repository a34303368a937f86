//! `docs/RECORDS.md`: the catalog of keys with a rendered example of each record, and the proof that the two agree.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cyanotype_redact::Content;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::PACKAGE;
use crate::debug_token::{RefusedTokenCounter, TokenError};
use crate::effective::{Action, EffectivePolicy, LiveValues, Override, OverrideScope, PolicyChange, Source};
use crate::failure::{Failure, Link, PanicSite};
use crate::identity::{RequestIdentity, RequestParts};
use crate::level::Level;
use crate::lines::{Format, Pretty, Renderer};
use crate::losses::Losses;
use crate::outcome::Outcome;
use crate::policy::Kind;
use crate::record::catalog::{CHANGE, COMMON, Field, REQUEST, SERVICE, ServiceRecord, TRUNCATED, fields_of_kind};
use crate::record::{BodyDetail, Detail, EventId, EventScope, FailureDetail, Record, ResponseRecord, Spans, User};
use crate::stack::{Frame, Stack};

pub(super) const DOCUMENT: &str = "docs/RECORDS.md";
const AT: &str = "2026-01-02T03:04:05.678901Z";
const MAX_LINE_BYTES: usize = 16_000;
const EVENT_ID: &str = "9ec79c33ec9942ab8353589fcb2e04dc";

fn at() -> Timestamp {
    AT.parse().expect("a time")
}

fn map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("not an object: {value}") };
    map
}

pub(super) fn request() -> Arc<RequestIdentity> {
    let trace = Uuid::try_parse("4bf92f3577b34da6a3ce929d0e0e4736").expect("an id");
    let id = "01a2051a-5ac3-7163-ae5e-95c0b385f426";
    let request = RequestIdentity::new(Some(id), trace.into(), RequestParts::default());
    request.set_blueprint("orders");
    request.set_route(Some("/orders/{id}".into()));
    Arc::new(request)
}

fn failure(with_stack: bool) -> Option<FailureDetail> {
    let link = |type_name: &str, message: &str| Link { type_name: type_name.into(), message: message.into() };
    let frame = |function: &str, line| Frame {
        function: function.into(),
        file: Some("crates/blueprint-orders/src/routes.rs".into()),
        line: Some(line),
        in_app: true,
        ..Frame::default()
    };
    let frames = vec![
        frame("blueprint_orders::routes::reserve::{{closure}}", 131),
        frame("blueprint_orders::routes::place::{{closure}}", 88),
    ];
    let chain = vec![link("ReserveError", "the stock cannot be reserved"), link("Timeout", "no response in 2 s")];
    let failure = Failure {
        chain,
        stack: Some(Arc::new(Stack::from_frames(frames))),
        panic: false,
        panic_site: None,
        outage: false,
    };
    Some(FailureDetail { failure, with_stack })
}

fn scope() -> Option<Arc<EventScope>> {
    let mut scope = EventScope::default();
    scope.tag("plan", "free").user(User::new("7"));
    Some(Arc::new(scope))
}

const PANIC: &str = "index out of bounds: the len is 3 but the index is 3";

fn panicked(failure: Failure) -> Failure {
    let site = PanicSite {
        location: "crates/blueprint-orders/src/routes.rs:131:17".into(),
        thread: Some("actix-rt|system:0|arbiter:1".into()),
    };
    let chain = vec![Link { type_name: "panic".into(), message: PANIC.into() }];
    Failure { chain, panic: true, panic_site: Some(site), ..failure }
}

fn record(kind: Kind, level: Level, message: &str) -> Record {
    Record {
        at: at(),
        level,
        kind,
        message: message.into(),
        target: "blueprint_orders::routes".into(),
        spans: None,
        request: Some(request()),
        scope: scope(),
        failure: None,
        event_id: None,
        detail: Detail::None,
        retroactive: false,
    }
}

fn event_id() -> Option<EventId> {
    Some(EventId::from_uuid(Uuid::try_parse(EVENT_ID).expect("an id")))
}

/// A record with every key that its kind can have, except for mutually exclusive ones.
pub(super) fn complete(kind: Kind) -> Record {
    match kind {
        Kind::Line => Record {
            spans: Some(Spans { fields: map(json!({"row": 7})), ..Spans::from("import:row") }),
            failure: failure(false),
            event_id: event_id(),
            detail: Detail::Fields(map(json!({"sku": "A-1", "left": 0}))),
            ..record(kind, Level::Error, "the stock cannot be reserved")
        },
        Kind::Breadcrumb => Record {
            target: "stock".into(),
            detail: Detail::Data(map(json!({"sku": "A-1"}))),
            ..record(kind, Level::Info, "stock requested")
        },
        Kind::Exception => Record {
            failure: failure(true),
            event_id: event_id(),
            ..record(kind, Level::Error, "the stock cannot be reserved")
        },
        Kind::Uncaught => Record {
            failure: failure(true).map(|detail| FailureDetail { failure: panicked(detail.failure), ..detail }),
            event_id: event_id(),
            target: "cyanotype::panic".into(),
            ..record(kind, Level::Error, PANIC)
        },
        Kind::Message => Record {
            event_id: event_id(),
            detail: Detail::Data(map(json!({"sku": "A-1"}))),
            ..record(kind, Level::Warning, "stock is low")
        },
        Kind::Response | Kind::Service => unreachable!("they have their own examples"),
    }
}

fn body(coding: Option<&'static str>, text: &'static str, truncated: bool) -> BodyDetail<'static> {
    BodyDetail {
        content_type: Some("application/json".into()),
        coding: coding.map(Cow::Borrowed),
        size: text.len() as u64,
        content: Some(Content { text: text.into(), truncated }),
    }
}

/// A response with every key.
pub(super) fn complete_response(request: &Arc<RequestIdentity>) -> ResponseRecord<'static> {
    ResponseRecord {
        at: at(),
        level: Level::Info,
        request: Arc::clone(request),
        scope: scope(),
        method: "PATCH".into(),
        path: "/orders/7".into(),
        query: Some("token=[redacted]".into()),
        status: Some(200),
        duration: Duration::from_micros(2_345),
        outcome: Outcome::Complete,
        response: body(Some("gzip"), r#"{"id":7,"status":"paid"}"#, false),
        request_body: Some(body(Some("gzip"), r#"{"status":"paid"}"#, false)),
        client_address: Some("192.0.2.7".parse().expect("an address")),
        client_pseudonym: None,
        user_agent: Some("curl/8.5.0".into()),
        truncated: Vec::new(),
    }
}

fn override_of(scope: OverrideScope, fleet: bool) -> Override {
    Override {
        id: "INC-421".into(),
        set: LiveValues { level: Some(Level::Debug), ..LiveValues::default() },
        scope,
        set_at: at(),
        until: "2026-01-02T03:19:05Z".parse().expect("a time"),
        deadline: Instant::now() + Duration::from_secs(900),
        reason: "INC-421".into(),
        by: "ada".into(),
        source: if fleet { Source::Fleet } else { Source::Command },
        fleet,
    }
}

/// Changes as overrides make them, one for each scope.
fn changes() -> Vec<PolicyChange> {
    let settings = crate::pipeline::fixture::settings(&[]);
    let scopes = [
        (OverrideScope::Blueprint("orders".into()), false),
        (OverrideScope::Module("blueprint_orders".into()), false),
        (OverrideScope::Route("GET /orders/{id}".into()), true),
    ];
    let set = |(scope, fleet)| {
        let policy = EffectivePolicy::new(&settings, true);
        policy.set(&override_of(scope, fleet), None).expect("there is room").change
    };
    scopes.into_iter().map(set).collect()
}

/// The keys that a reload adds to `change`; they are the core's.
const RELOAD_KEYS: [&str; 4] = ["needs_restart", "hidden", "file", "key"];

/// A message and the keys of each record of the service.
fn service(entry: &ServiceRecord) -> (String, Map<String, Value>) {
    let dropped = |kind, count| Losses(vec![(kind, count)]).to_json();
    let (message, data) = match entry.name {
        "start" => (
            "app 0.1.0 listening on http://127.0.0.1:8080",
            json!({
                "version": "0.1.0", "address": "127.0.0.1:8080", "management_address": "127.0.0.1:8081", "env": "prod",
                "mode": "both", "log_level": "info", "sinks": ["stderr"], "blueprints": ["users", "orders"],
                "database": "sqlite", "database_file": "/srv/app/data/cyanotype.db", "sentry": "no DSN is set",
                "warnings": ["LOG_LEVEL is ignored; did you mean APP__LOG__LEVEL?"],
            }),
        ),
        "failed start" => (
            "cannot listen on 127.0.0.1:8080: Address already in use (os error 98); set server.host and server.port to a free local address",
            json!({}),
        ),
        "low open file limit" => (
            "the open file limit is 256: at most 180 connections are served at a time and others wait; raise it to 1024 or \
             more (ulimit -n, LimitNOFILE= in systemd, minfds= in supervisord)",
            json!({}),
        ),
        "unstored breadcrumb" => (
            "a breadcrumb outside requests is not stored for Sentry, nor are later ones: use `block`, `spawn` or `keep_request` \
             for work of a request on another thread or in a task",
            json!({}),
        ),
        "stop" => ("stopping on SIGTERM", json!({})),
        "signal" => ("received SIGUSR1, which has no effect", json!({"signal": "SIGUSR1"})),
        "rolled-back transactions" => (
            "rolled back 2 database transactions that were still open when the shutdown wait ended",
            json!({"rolled_back": 2}),
        ),
        "blocked workers" => {
            ("1 worker is blocked and did not stop: requests on it end with the process", json!({"blocked_workers": 1}))
        }
        "policy change" => {
            let change = &changes()[0];
            return (change.message(), map(json!({"change": change.to_json()})));
        }
        "lost records" => (
            "dropped 1041 records: stderr queue full or write failed",
            json!({"dropped": dropped(Kind::Response, 1041)}),
        ),
        "suppressed repeats" => (
            "suppressed 412 repeats of ReserveError: the stock cannot be reserved on POST /orders",
            json!({
                "exception.type": "ReserveError", "exception.message": "the stock cannot be reserved",
                "transaction": "POST /orders", "dropped": dropped(Kind::Uncaught, 412),
            }),
        ),
        "dropped stored lines" => (
            "dropped 12 stored lines of this request: log.on_failure.max_bytes exceeded",
            json!({"dropped": dropped(Kind::Line, 12)}),
        ),
        "lost events" => {
            ("dropped 3 spooled events: spool full (sentry.spool_max_bytes)", json!({"dropped": {"event": 3}}))
        }
        "connection settings for Sentry" => {
            ("cannot use all of the connection settings for Sentry: HTTPS_PROXY is not the URL of a proxy", json!({}))
        }
        "dropped envelopes" => (
            "dropped 151 envelopes for Sentry (transaction): rate limited by Sentry",
            json!({"dropped": {"transaction": 151}}),
        ),
        "dropped items" => (
            "dropped 2 items sent with the Sentry SDK, which cannot be redacted",
            json!({"dropped": {"attachment": 2}}),
        ),
        "undelivered event" => (
            "event not delivered to Sentry: Sentry returned 413 Payload Too Large",
            json!({"reason": "Sentry returned 413 Payload Too Large", "event": {"event_id": EVENT_ID, "level": "error"}}),
        ),
        "part of an undelivered event" => (
            "event not delivered to Sentry: part 1 of 2",
            json!({
                "reason": "Sentry returned 413 Payload Too Large", "event_id": EVENT_ID, "part": 1, "parts": 2,
                "event_part": "{\"event_id\":\"9ec79c33",
            }),
        ),
        "Sentry unavailable" => (
            "Sentry unavailable; spooling events to /srv/app/data/spool",
            json!({"reason": "Sentry returned 503 Service Unavailable"}),
        ),
        "Sentry available again" => ("Sentry available again", json!({})),
        "spool error" => ("quarantined invalid spool file notes.txt", json!({})),
        "refused requests" => (
            "refused 40 requests: rate limit or overload",
            json!({"refused": {"429": 38, "503": 2}, "routes": {"POST /users/login": 40}}),
        ),
        "refused debug tokens" => {
            let refusals = RefusedTokenCounter::new(Duration::from_secs(3600));
            for reason in [TokenError::Malformed, TokenError::Forged, TokenError::Expired, TokenError::Foreign] {
                refusals.count(reason, drop);
            }
            return refusals.close().expect("the window is open").into_report();
        }
        "flag provider" => {
            ("flag provider unavailable, no flag applies: connection refused", json!({"provider": "ofrep"}))
        }
        name => panic!("no example of the service record `{name}`"),
    };
    (message.to_owned(), map(data))
}

fn service_record(entry: &ServiceRecord) -> Record {
    let (message, data) = service(entry);
    let level = match entry.levels.split([' ', ';']).next() {
        Some("critical") => Level::Critical,
        Some("error") => Level::Error,
        Some("warning") => Level::Warning,
        _ => Level::Info,
    };
    let of_request = entry.name == "dropped stored lines";
    Record {
        at: at(),
        request: of_request.then(request),
        retroactive: of_request,
        ..Record::service(level, entry.target, message, data)
    }
}

pub(super) fn render(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut line = Vec::new();
    write(&mut line);
    String::from_utf8(line).expect("a line is UTF-8")
}

fn json_line(record: &Record) -> String {
    render(|out| Format::Json.write(record, out))
}

fn pretty(record: &Record) -> String {
    render(|out| Format::Pretty(Pretty { color: false, terminal: None }).write(record, out))
}

fn keys_of(line: &str) -> BTreeSet<String> {
    map(serde_json::from_str(line).expect("a line is JSON")).keys().cloned().collect()
}

fn keys<'a>(fields: impl IntoIterator<Item = &'a Field>) -> BTreeSet<String> {
    fields.into_iter().map(|field| field.key.to_owned()).collect()
}

/// The example's lines: JSON and pretty.
fn examples(kind: Kind) -> (String, String) {
    let request = request();
    match kind {
        Kind::Response => {
            let response = complete_response(&request);
            let pretty = Format::Pretty(Pretty { color: false, terminal: None });
            (
                render(|out| Format::Json.write_response(&response, out)),
                render(|out| pretty.write_response(&response, out)),
            )
        }
        _ => {
            let record = complete(kind);
            (json_line(&record), pretty(&record))
        }
    }
}

fn kinds() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(|kind| *kind != Kind::Service)
}

#[test]
fn the_catalog_has_every_key_of_every_kind() {
    for kind in kinds() {
        let mut rendered = keys_of(&examples(kind).0);
        let mut of_verbose = keys_of_a_verbose_request(kind);
        rendered.append(&mut of_verbose);
        if kind == Kind::Line {
            rendered.extend(keys_of(&json_line(&Record { retroactive: true, ..complete(kind) })));
        }
        assert!(has_truncated(kind), "{}", kind.as_str());
        let listed = keys(COMMON.iter().chain(REQUEST).chain(fields_of_kind(kind)));
        assert_eq!(rendered, listed, "{}", kind.as_str());
    }
}

/// Whether a record of this kind names what was cut.
fn has_truncated(kind: Kind) -> bool {
    let request = request();
    let long = "x".repeat(20_000);
    let line = match kind {
        Kind::Response => {
            let response = ResponseRecord { path: long.into(), ..complete_response(&request) };
            render(|out| Renderer::json(MAX_LINE_BYTES).write_response(&response, out))
        }
        _ => render(|out| Renderer::json(MAX_LINE_BYTES).write(&Record { message: long, ..complete(kind) }, out)),
    };
    keys_of(&line).contains(TRUNCATED.key)
}

/// The keys of a record whose request a debug token makes more verbose.
fn keys_of_a_verbose_request(kind: Kind) -> BTreeSet<String> {
    let request = request();
    request.set_debug_level(Level::Debug);
    keys_of(&match kind {
        Kind::Response => render(|out| Format::Json.write_response(&complete_response(&request), out)),
        _ => json_line(&Record { request: Some(Arc::clone(&request)), ..complete(kind) }),
    })
}

#[test]
fn the_catalog_has_every_key_of_the_services_records() {
    for entry in SERVICE {
        let record = service_record(entry);
        let of_request = if record.request.is_some() { &REQUEST[..3] } else { &[] };
        let listed = keys(COMMON.iter().chain(of_request).chain(entry.fields));
        assert_eq!(keys_of(&json_line(&record)), listed, "{}", entry.name);
    }
}

#[test]
fn the_catalog_has_every_key_of_a_change() {
    let flag = PolicyChange::new(Action::Flag, "flagd", Source::Flag, "");
    let changes = changes().into_iter().chain([flag]);
    let written: BTreeSet<String> =
        changes.flat_map(|change| change.to_json().into_iter().map(|(key, _)| key)).collect();
    let listed = keys(CHANGE.iter().filter(|field| !RELOAD_KEYS.contains(&field.key)));
    assert_eq!(written, listed);
}

fn table(text: &mut String, fields: &[Field]) {
    text.push_str("| key | type | present | meaning |\n| --- | --- | --- | --- |\n");
    for Field { key, json_type, present, meaning } in fields {
        let _ = writeln!(text, "| `{key}` | {json_type} | {present} | {meaning} |");
    }
    text.push('\n');
}

pub(super) fn block(text: &mut String, language: &str, content: &str) {
    let _ = write!(text, "```{language}\n{content}```\n\n");
}

/// What each kind is, and when it is written.
const fn about(kind: Kind) -> &'static str {
    match kind {
        Kind::Line => "A line of `tracing` or `log`: `tracing::info!` and similar macros, and `critical!`.",
        Kind::Response => {
            "A response, by a blueprint's route or without a route; written when its body has ended. Its level is `info`; \
             `warning` for 4xx and for requests refused because of a rate limit or overload; `error` for 5xx and for a body \
             that failed."
        }
        Kind::Breadcrumb => "A call of `add_breadcrumb`. `target` is its category, `breadcrumb` when it has none.",
        Kind::Exception => "A caught error: a call of `capture_exception`. Its level is `error`.",
        Kind::Message => "A call of `capture_event`.",
        Kind::Uncaught => {
            "A failure that no code caught: an error that became a 5xx response, a plain 5xx response, a body that failed, or a \
             panic. Its level is `error`."
        }
        Kind::Service => "The service's own state. The records differ by their keys; `message` is for people.",
    }
}

#[test]
fn the_document_of_records_is_up_to_date() {
    let mut text = String::from("## Every record\n\n");
    table(&mut text, &[COMMON, &[TRUNCATED]].concat());
    text.push_str("## Records of a request\n\n");
    table(&mut text, REQUEST);
    for kind in kinds() {
        let _ = write!(text, "## `{}`\n\n{}\n\n", kind.as_str(), about(kind));
        table(&mut text, fields_of_kind(kind));
        let (json, pretty) = examples(kind);
        block(&mut text, "json", &json);
        block(&mut text, "text", &pretty);
    }
    let _ = write!(text, "## `{}`\n\n{}\n\n", Kind::Service.as_str(), about(Kind::Service));
    for entry in SERVICE {
        let ServiceRecord { name, levels, target, written, fields } = entry;
        let _ = write!(text, "### {name}\n\nLevel {levels}; target `{target}`. Written {written}.\n\n");
        if !fields.is_empty() {
            table(&mut text, fields);
        }
        if *name == "policy change" {
            text.push_str("Keys of `change`:\n\n");
            table(&mut text, CHANGE);
        }
        block(&mut text, "json", &json_line(&service_record(entry)));
        if *name == "start" {
            block(&mut text, "text", &pretty(&service_record(entry)));
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    test_harness::documents::check(DOCUMENT, "records", &text, PACKAGE);
}
