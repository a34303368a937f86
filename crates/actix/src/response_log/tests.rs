//! The middleware around real handlers, with in-memory sinks.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, BodyStream, BoxBody, SizedStream};
use actix_web::dev::ServiceFactory;
use actix_web::error::{ErrorInternalServerError, ErrorNotFound};
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, init_service};
use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{App, HttpResponse};
use cyanotype_telemetry::failure::Failure;
use cyanotype_telemetry::refused_requests::RefusedRequest;
use cyanotype_telemetry::{Kind, Report};
use futures_util::{FutureExt, StreamExt, stream};
use serde_json::{Value, json};

use super::*;
use crate::client_address::ClientAddressResolver;
use crate::test_support::{self, Fixture, SentEvent};

/// An error whose response needs no report.
#[derive(Debug)]
enum MarkedError {
    Reported,
    Refused,
}

impl std::fmt::Display for MarkedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl actix_web::ResponseError for MarkedError {
    fn error_response(&self) -> HttpResponse {
        match self {
            Self::Reported => {
                let mut response = HttpResponse::InternalServerError().body("reported");
                response.extensions_mut().insert(AlreadyReported);
                response
            }
            Self::Refused => refused(),
        }
    }
}

const MAX_CHUNKS: usize = 1000;

/// A service with the middleware and some routes.
struct TestService {
    fixture: Fixture,
    config: Config,
}

/// How the response body is read.
#[derive(Clone, Copy)]
enum ReadMode {
    /// All chunks, until the end.
    ToTheEnd,
    /// This number of chunks; then the client disconnects.
    Chunks(usize),
    /// The complete body at once, where possible, as outer layers do.
    AtOnce,
}

/// The response as received by a client, and the recorded output.
struct Observed {
    status: u16,
    body: String,
    body_failed: bool,
    /// The response record, if there is one.
    record: Option<Value>,
    /// The other records.
    lines: Vec<Value>,
    events: Vec<SentEvent>,
}

impl Observed {
    fn record(&self) -> &Value {
        self.record.as_ref().expect("a record of the response")
    }

    fn field(&self, key: &str) -> &Value {
        &self.record()[key]
    }

    /// Level, outcome and size.
    fn end(&self) -> (&str, &str, u64) {
        let text = |key| self.field(key).as_str().expect("a text");
        (text("level"), text("outcome"), self.field("http.response.body.size").as_u64().expect("a number"))
    }

    /// Content, and whether it is truncated; `None` without content.
    fn content(&self) -> Option<(&str, bool)> {
        let text = self.field("http.response.body.content").as_str()?;
        Some((text, self.field("http.response.body.truncated").as_bool().expect("a boolean")))
    }

    /// The same of the request's body.
    fn request_content(&self) -> Option<(&str, bool)> {
        let text = self.field("http.request.body.content").as_str()?;
        Some((text, self.field("http.request.body.truncated").as_bool().expect("a boolean")))
    }
}

fn service(own: &[(&str, &str)]) -> TestService {
    let settings = test_support::settings(own);
    let rules = Rules::new([]);
    let config = Config::new(&settings.log, ClientAddressResolver::new(&settings.server), rules);
    TestService { fixture: Fixture::new(own), config }
}

impl TestService {
    fn app<R: FnOnce(&mut ServiceConfig) + 'static>(
        &self,
        routes: R,
    ) -> App<
        impl ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<LoggedBody<BoxBody>>,
            Error = Error,
            InitError = (),
        > + use<R>,
    > {
        let logger = ResponseLogger::new(self.fixture.pipeline, self.config.clone());
        // An error from an inner layer, which passes through the middleware.
        let failing = async |request: ServiceRequest, next: actix_web::middleware::Next<BoxBody>| match request.path() {
            "/error/500" => Err(ErrorInternalServerError("no stock")),
            "/error/404" => Err(ErrorNotFound("no such order")),
            "/error/reported" => Err(MarkedError::Reported.into()),
            "/error/load" => Err(MarkedError::Refused.into()),
            _ => next.call(request).await,
        };
        App::new().wrap(actix_web::middleware::from_fn(failing)).wrap(logger).configure(routes)
    }

    /// Sends a request and reads the response.
    async fn send<R: FnOnce(&mut ServiceConfig) + 'static>(
        &self,
        routes: R,
        request: TestRequest,
        mode: ReadMode,
    ) -> Observed {
        let app = init_service(self.app(routes)).await;
        let (status, body, body_failed) = match app.call(request.to_request()).await {
            Ok(response) => {
                let status = response.status();
                let (body, failed) = read(response.into_body(), mode).await;
                (status, body, failed)
            }
            Err(error) => (error.as_response_error().status_code(), String::new(), false),
        };
        self.observe(status, body, body_failed)
    }

    fn observe(&self, status: StatusCode, body: String, body_failed: bool) -> Observed {
        let test_support::SinkOutput { lines, events } = self.fixture.output();
        let (mut records, lines): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line["kind"] == "response");
        let record = records.pop();
        assert!(records.is_empty(), "more than one record");
        Observed { status: status.as_u16(), body, body_failed, record, lines, events }
    }

    /// Sends a GET to a handler with this response, and reads it to the end.
    async fn respond(&self, respond: fn() -> HttpResponse) -> Observed {
        self.read(respond, ReadMode::ToTheEnd).await
    }

    async fn read(&self, respond: fn() -> HttpResponse, mode: ReadMode) -> Observed {
        let routes = move |config: &mut ServiceConfig| {
            config.route("/orders/{id}", web::get().to(move || async move { respond() }));
        };
        self.send(routes, TestRequest::with_uri("/orders/1"), mode).await
    }
}

/// Reads a body in this mode. Returns its text, and whether the stream failed.
async fn read(body: LoggedBody<BoxBody>, mode: ReadMode) -> (String, bool) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (body, max_chunks) = match mode {
        ReadMode::ToTheEnd => (body, usize::MAX),
        ReadMode::Chunks(max_chunks) => (body, max_chunks),
        ReadMode::AtOnce => match body.try_into_bytes() {
            Ok(bytes) => return (text(&bytes), false),
            Err(body) => (body, usize::MAX),
        },
    };
    let mut body = std::pin::pin!(body);
    let mut all = Vec::new();
    for chunks in 0.. {
        assert!(chunks < MAX_CHUNKS, "the body has no end");
        if chunks == max_chunks {
            break;
        }
        match poll_fn(|cx| body.as_mut().poll_next(cx)).await {
            Some(Ok(chunk)) => all.extend_from_slice(&chunk),
            Some(Err(_)) => return (text(&all), true),
            None => break,
        }
    }
    (text(&all), false)
}

/// A response that streams these chunks.
fn streamed(chunks: &'static [&'static str]) -> HttpResponse {
    let chunks = stream::iter(chunks).map(|chunk| Ok::<_, Infallible>(Bytes::from_static(chunk.as_bytes())));
    HttpResponse::Ok().content_type("application/json").body(BodyStream::new(chunks))
}

/// The same, with the size in the head.
fn sized(chunks: &'static [&'static str], size: u64) -> HttpResponse {
    let chunks = stream::iter(chunks).map(|chunk| Ok::<_, Infallible>(Bytes::from_static(chunk.as_bytes())));
    HttpResponse::Ok().content_type("application/json").body(SizedStream::new(size, chunks))
}

fn refused() -> HttpResponse {
    let mut response = HttpResponse::ServiceUnavailable().body("busy");
    response.extensions_mut().insert(RefusedRequest);
    response
}

fn ok() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(r#"{"a":1}"#)
}

#[actix_web::test]
async fn a_response_is_recorded_with_its_request() {
    let service = service(&[]);
    let routes = |config: &mut ServiceConfig| {
        config.route("/orders/{id}", web::get().to(async || ok()));
    };
    let request = TestRequest::with_uri("/orders/1?a=b&token=secret").peer_addr(([192, 0, 2, 1], 80).into());
    let request = request.insert_header(("user-agent", "curl/8")).insert_header(("x-request-id", "one"));
    let observed = service.send(routes, request, ReadMode::ToTheEnd).await;
    assert_eq!((observed.status, observed.body.as_str()), (200, r#"{"a":1}"#));
    assert_eq!(observed.end(), ("info", "complete", 7));
    assert_eq!(observed.content(), Some((r#"{"a":1}"#, false)));
    for (key, expected) in [
        ("message", json!("GET /orders/1 200")),
        ("request_id", json!("one")),
        ("blueprint", json!(null)),
        ("http.request.method", json!("GET")),
        ("http.route", json!("/orders/{id}")),
        ("url.path", json!("/orders/1")),
        ("url.query", json!("a=b&token=[redacted]")),
        ("http.response.status_code", json!(200)),
        ("http.response.header.content-type", json!(["application/json"])),
        ("client.address", json!("192.0.2.1")),
        ("user_agent.original", json!("curl/8")),
    ] {
        assert_eq!(observed.field(key), &expected, "{key}");
    }
    assert!(observed.field("duration_ms").as_f64().is_some_and(|time| time < 10_000.0));
    assert!(observed.lines.is_empty() && observed.events.is_empty());
}

#[actix_web::test]
async fn content_type_and_coding_are_recorded() {
    let service = service(&[]);
    let observed = service.respond(|| HttpResponse::Ok().content_type("text/plain; a=b").body("hello")).await;
    assert_eq!(observed.field("http.response.header.content-type"), &json!(["text/plain; a=b"]));
    assert_eq!(observed.content(), Some(("hello", false)));
    let observed =
        service.respond(|| HttpResponse::Ok().insert_header(("content-type", &b"a/b\xff"[..])).body("x")).await;
    assert_eq!(observed.field("http.response.header.content-type"), &json!(["a/b\u{fffd}"]));
    assert_eq!(observed.content(), None, "not a text type");
    let coded = || HttpResponse::Ok().content_type("text/plain").insert_header(("content-encoding", "br")).body("x");
    let observed = service.respond(coded).await;
    assert_eq!(observed.field("http.response.header.content-encoding"), &json!(["br"]));
    assert_eq!(observed.content(), None);
}

#[actix_web::test]
async fn the_level_follows_the_status_and_the_outcome() {
    let service = service(&[]);
    let level = async |respond: fn() -> HttpResponse| service.respond(respond).await.end().0.to_owned();
    assert_eq!(level(|| HttpResponse::Ok().finish()).await, "info");
    assert_eq!(level(|| HttpResponse::Found().finish()).await, "info");
    assert_eq!(level(|| HttpResponse::NotFound().finish()).await, "warning");
    assert_eq!(level(|| HttpResponse::InternalServerError().finish()).await, "error");
    assert_eq!(level(refused).await, "warning");
    let too_many = || {
        let mut response = HttpResponse::Ok().finish();
        response.extensions_mut().insert(RefusedRequest);
        response
    };
    assert_eq!(level(too_many).await, "warning");
}

#[actix_web::test]
async fn a_plain_5xx_is_uncaught_with_the_response_as_breadcrumb() {
    let service = service(&[]);
    let observed = service.respond(|| HttpResponse::BadGateway().body("broken")).await;
    assert_eq!(observed.end(), ("error", "complete", 6));
    let ([line], [event]) = (&observed.lines[..], &observed.events[..]) else {
        panic!("{:?} {:?}", observed.lines, observed.events)
    };
    assert_eq!((&line["kind"], &line["target"]), (&json!("uncaught"), &json!("cyanotype::response_log")));
    assert_eq!(
        (&line["exception.type"], &line["message"]),
        (&json!("HttpResponse"), &json!("responded with 502 Bad Gateway"))
    );
    assert_eq!(line["request_id"], observed.record()["request_id"]);
    let crumb = ("response".to_owned(), "GET /orders/1 502".to_owned());
    assert_eq!(event.crumbs, [crumb]);
}

#[actix_web::test]
async fn a_reported_or_refused_response_is_not_a_failure() {
    let service = service(&[("log.flood.window_s", "3600")]);
    let reported = || {
        let mut response = HttpResponse::InternalServerError().finish();
        response.extensions_mut().insert(AlreadyReported);
        response
    };
    for respond in [reported, refused, || HttpResponse::NotFound().finish(), ok] {
        let observed = service.respond(respond).await;
        assert!(observed.lines.is_empty() && observed.events.is_empty(), "{:?}", observed.record);
    }
    service.fixture.pipeline.finish(Instant::now() + Duration::from_secs(10));
    let lines = service.fixture.output().lines;
    let [line] = &lines[..] else { panic!("the refusal: {lines:?}") };
    assert!(line.to_string().contains("503"), "{line}");
}

#[actix_web::test]
async fn an_error_is_recorded_as_its_response() {
    let service = service(&[("log.flood.window_s", "3600")]);
    let send = async |method: Method, path: &str| {
        let request = TestRequest::with_uri(path).method(method);
        service.send(|_| {}, request, ReadMode::ToTheEnd).await
    };
    let observed = send(Method::GET, "/error/500").await;
    assert_eq!((observed.status, observed.end()), (500, ("error", "complete", 8)));
    assert_eq!(observed.content(), Some(("no stock", false)));
    let ([line], [event]) = (&observed.lines[..], &observed.events[..]) else {
        panic!("{:?} {:?}", observed.lines, observed.events)
    };
    assert_eq!((&line["kind"], &line["exception.message"]), (&json!("uncaught"), &json!("no stock")));
    assert_eq!(event.crumbs, [("response".to_owned(), "GET /error/500 500".to_owned())]);

    let observed = send(Method::GET, "/error/404").await;
    assert_eq!((observed.end(), observed.lines.len()), (("warning", "complete", 13), 0));
    let observed = send(Method::GET, "/error/reported").await;
    assert_eq!((observed.end(), observed.lines.len()), (("error", "complete", 8), 0));
    let observed = send(Method::GET, "/error/load").await;
    assert_eq!((observed.end(), observed.lines.len()), (("warning", "complete", 4), 0));
    let observed = send(Method::HEAD, "/error/404").await;
    assert_eq!(observed.end(), ("warning", "complete", 0));

    service.fixture.pipeline.finish(Instant::now() + Duration::from_secs(10));
    assert_eq!(service.fixture.output().lines.len(), 1, "the refusal");
}

#[actix_web::test]
async fn a_body_is_recorded_in_every_read_mode() {
    let service = service(&[]);
    for reading in [ReadMode::ToTheEnd, ReadMode::AtOnce] {
        let observed = service.read(ok, reading).await;
        assert_eq!((observed.body.as_str(), observed.end()), (r#"{"a":1}"#, ("info", "complete", 7)));
        assert_eq!(observed.content(), Some((r#"{"a":1}"#, false)));

        let observed = service.read(|| streamed(&["{\"a\"", ":1}"]), reading).await;
        assert_eq!((observed.body.as_str(), observed.end()), (r#"{"a":1}"#, ("info", "complete", 7)));
        assert_eq!(observed.content(), Some((r#"{"a":1}"#, false)));

        let observed = service.read(|| sized(&["{\"a\"", ":1}"], 7), reading).await;
        assert_eq!((observed.body.as_str(), observed.end()), (r#"{"a":1}"#, ("info", "complete", 7)));

        let observed = service.read(|| HttpResponse::Ok().finish(), reading).await;
        assert_eq!((observed.body.as_str(), observed.end()), ("", ("info", "complete", 0)));
    }
}

#[actix_web::test]
async fn the_body_size_is_unchanged() {
    let service = service(&[]);
    let app = |respond: fn() -> HttpResponse| {
        service.app(move |config| {
            config.route("/", web::get().to(move || async move { respond() }));
        })
    };
    for (respond, size) in [
        (ok as fn() -> HttpResponse, BodySize::Sized(7)),
        (|| streamed(&["x"]), BodySize::Stream),
        (|| sized(&["x"], 1), BodySize::Sized(1)),
        (|| HttpResponse::Ok().finish(), BodySize::Sized(0)),
    ] {
        let app = init_service(app(respond)).await;
        let response = app.call(TestRequest::default().to_request()).await.expect("a response");
        assert_eq!(response.response().body().size(), size);
    }
}

#[actix_web::test]
async fn a_client_disconnect_aborts_an_incomplete_response() {
    let service = service(&[]);
    let end = async |respond: fn() -> HttpResponse, chunks: usize| {
        let observed = service.read(respond, ReadMode::Chunks(chunks)).await;
        let (level, outcome, size) = observed.end();
        assert_eq!(level, "info");
        (outcome.to_owned(), size)
    };
    let (complete, aborted) = (|size| ("complete".to_owned(), size), |size| ("aborted".to_owned(), size));
    assert_eq!(end(ok, 0).await, aborted(0));
    assert_eq!(end(ok, 1).await, complete(7));
    assert_eq!(end(|| streamed(&["ab", "cd"]), 0).await, aborted(0));
    assert_eq!(end(|| streamed(&["ab", "cd"]), 1).await, aborted(2));
    assert_eq!(end(|| streamed(&["ab", "cd"]), 2).await, aborted(4), "the end is pending");
    assert_eq!(end(|| streamed(&["ab", "cd"]), 3).await, complete(4));
    assert_eq!(end(|| sized(&["ab", "cd"], 4), 1).await, aborted(2));
    assert_eq!(end(|| sized(&["ab", "cd"], 4), 2).await, complete(4), "the body is complete");
    assert_eq!(end(|| HttpResponse::Ok().finish(), 0).await, complete(0));
    fn empty() -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> + 'static {
        stream::pending()
    }
    assert_eq!(end(|| HttpResponse::NoContent().body(BodyStream::new(empty())), 0).await, complete(0));
    assert_eq!(end(|| HttpResponse::NotModified().body(BodyStream::new(empty())), 0).await, complete(0));
    assert_eq!(end(|| HttpResponse::Ok().body(BodyStream::new(empty())), 0).await, aborted(0));
}

#[actix_web::test]
async fn an_incomplete_body_is_redacted() {
    let mut service = service(&[]);
    let part = || streamed(&["{\"password\":\"hunter", "2\"}"]);
    let observed = service.read(part, ReadMode::Chunks(1)).await;
    let (text, _) = observed.content().expect("content");
    assert!(text.contains("[redacted]") && !text.contains("hunter"), "{text}");

    // Only the beginning is stored.
    service.config.max_bytes = 16;
    let observed = service.respond(part).await;
    let (text, truncated) = observed.content().expect("content");
    assert!(truncated && text.starts_with("{\"password\"") && !text.contains("hunter"), "{text}");
    let observed = service.respond(|| streamed(&["[1,2,3,4,", "5,6,7,8,9,10]"])).await;
    assert_eq!((observed.content(), observed.end().2), (Some(("[1,2,3,4,5,6,7,8", true)), 22));
    // A body in one piece is redacted completely, and recorded up to the limit.
    let observed =
        service.respond(|| HttpResponse::Ok().content_type("application/json").body("[1,2,3,4,5,6,7,8,9]")).await;
    assert_eq!(observed.content(), Some(("[1,2,3,4,5,6,7,8", true)));
}

#[actix_web::test]
async fn a_failing_body_stream_is_an_error() {
    let service = service(&[]);
    let failing = || {
        let chunks = stream::iter([Ok(Bytes::from_static(b"ab")), Err(std::io::Error::other("the disk is gone"))]);
        HttpResponse::Ok().body(BodyStream::new(chunks))
    };
    let observed = service.respond(failing).await;
    assert_eq!((observed.body.as_str(), observed.body_failed, observed.end()), ("ab", true, ("error", "error", 2)));
    let ([line], [event]) = (&observed.lines[..], &observed.events[..]) else {
        panic!("{:?} {:?}", observed.lines, observed.events)
    };
    assert_eq!((&line["kind"], &line["exception.message"]), (&json!("uncaught"), &json!("the disk is gone")));
    assert_eq!(event.crumbs, [("response".to_owned(), "GET /orders/1 200".to_owned())]);
}

#[actix_web::test]
async fn a_panicking_body_stream_is_reported_by_the_panic_hook() {
    let service = service(&[]);
    let panicking = || {
        let chunks = stream::poll_fn(|_| -> Poll<Option<Result<Bytes, Infallible>>> { panic!("in the stream") });
        HttpResponse::Ok().body(BodyStream::new(chunks))
    };
    let observed = service.respond(panicking).await;
    assert_eq!((observed.body_failed, observed.end()), (true, ("error", "error", 0)));
    assert!(observed.lines.is_empty(), "{:?}", observed.lines);
}

#[actix_web::test]
async fn a_body_stream_is_polled_within_its_request() {
    let service = service(&[]);
    let found = Rc::new(RefCell::new(Vec::new()));
    let inner = Rc::clone(&found);
    let routes = move |config: &mut ServiceConfig| {
        let handler = move || {
            let found = Rc::clone(&inner);
            async move {
                let id = || request::current().map(|request| request.identity().id().to_owned());
                found.borrow_mut().push(id());
                let chunk = stream::once(async move {
                    found.borrow_mut().push(id());
                    Ok::<_, Infallible>(Bytes::from_static(b"ab"))
                });
                HttpResponse::Ok().body(BodyStream::new(Box::pin(chunk)))
            }
        };
        config.route("/", web::get().to(handler));
    };
    let request = TestRequest::default().insert_header(("x-request-id", "one"));
    service.send(routes, request, ReadMode::ToTheEnd).await;
    assert_eq!(*found.borrow(), [Some("one".to_owned()), Some("one".to_owned())]);
}

#[actix_web::test]
async fn the_body_of_a_response_to_head_is_not_recorded() {
    let service = service(&[]);
    let routes = |config: &mut ServiceConfig| {
        config.route("/", web::head().to(async || ok()));
    };
    let request = TestRequest::default().method(Method::HEAD);
    let observed = service.send(routes, request, ReadMode::ToTheEnd).await;
    assert_eq!((observed.end(), observed.content()), (("info", "complete", 0), Some(("", false))));
}

#[actix_web::test]
async fn a_pending_handler_is_recorded_when_dropped() {
    let service = service(&[]);
    let app = init_service(service.app(|config| {
        config.route("/", web::get().to(async || std::future::pending::<HttpResponse>().await));
        config.route("/panic", web::get().to(async || -> HttpResponse { panic!("in the handler") }));
    }))
    .await;
    let mut response = Box::pin(app.call(TestRequest::default().to_request()));
    assert!((&mut response).now_or_never().is_none());
    drop(response);
    let observed = service.observe(StatusCode::OK, String::new(), false);
    assert_eq!((observed.end(), observed.field("message")), (("info", "aborted", 0), &json!("GET / aborted")));

    // Without a middleware that catches panics.
    let response = || app.call(TestRequest::with_uri("/panic").to_request()).now_or_never();
    assert!(catch_unwind(AssertUnwindSafe(response)).is_err());
    let observed = service.observe(StatusCode::OK, String::new(), false);
    assert_eq!((observed.end(), observed.field("message")), (("error", "error", 0), &json!("GET /panic error")));
}

#[actix_web::test]
async fn settings_select_the_recorded_bodies() {
    let error = || HttpResponse::BadRequest().content_type("application/json").body("[]");
    let unreadable = || HttpResponse::Ok().content_type("application/octet-stream").body("[]");
    let switching = || HttpResponse::SwitchingProtocols().content_type("text/plain").body("[]");
    for (own, respond, content) in [
        (&[][..], ok as fn() -> HttpResponse, Some((r#"{"a":1}"#, false))),
        (&[], error, Some(("[]", false))),
        (&[], unreadable, None),
        (&[], switching, None),
        (&[("log.response.body", "metadata")], ok, None),
        (&[("log.response.body_from_status", "400")], ok, None),
        (&[("log.response.body_from_status", "400")], error, Some(("[]", false))),
        (&[("log.response.body_from_status", "401")], error, None),
    ] {
        let service = service(own);
        let observed = service.respond(respond).await;
        assert_eq!(observed.content(), content, "{own:?}");
        assert_ne!(observed.field("http.response.body.size"), &json!(0), "its size is known");
    }
}

#[actix_web::test]
async fn settings_select_the_recorded_responses() {
    let failed = || HttpResponse::NotFound().finish();
    for (own, respond, recorded) in [
        (&[("log.response.body", "off")][..], ok as fn() -> HttpResponse, false),
        (&[("log.response.body", "off")], failed, false),
        (&[("log.level", "warning")], ok, false),
        (&[("log.level", "warning")], failed, true),
        (&[("log.mode", "off")], ok, false),
        (&[("log.response.sample_rate", "0")], ok, false),
        (&[("log.response.sample_rate", "0")], failed, true),
        (&[("log.response.sample_rate", "1")], ok, true),
    ] {
        let service = service(own);
        for reading in [ReadMode::ToTheEnd, ReadMode::AtOnce] {
            let observed = service.read(respond, reading).await;
            assert_eq!(observed.record.is_some(), recorded, "{own:?}");
            assert_eq!(observed.body.is_empty(), observed.status == 404, "the response is the same");
        }
    }
}

#[actix_web::test]
async fn sampling_applies_to_successes_only() {
    let service = service(&[("log.response.sample_rate", "0")]);
    let observed = service.read(ok, ReadMode::Chunks(0)).await;
    assert_eq!(observed.end().1, "aborted");
    let pipeline = service.fixture.pipeline;
    let routes = move |config: &mut ServiceConfig| {
        let caught = async move || {
            pipeline.report(Report::failure(Kind::Exception, "shop", Failure::from_message("Error", "caught".into())));
            ok()
        };
        config.route("/", web::get().to(caught));
    };
    let observed = service.send(routes, TestRequest::default(), ReadMode::ToTheEnd).await;
    assert_eq!(observed.end(), ("info", "complete", 7), "a failure was reported");
}

#[actix_web::test]
async fn an_error_passes_in_mode_off() {
    let service = service(&[("log.mode", "off")]);
    let observed = service.send(|_| {}, TestRequest::with_uri("/error/500"), ReadMode::ToTheEnd).await;
    assert_eq!((observed.status, observed.record.is_none()), (500, true));
}

#[actix_web::test]
async fn the_request_body_is_recorded_as_far_as_it_was_read() {
    let send = async |own: &[(&str, &str)], body: &'static str, read: bool, max: usize| {
        let mut service = service(own);
        service.config.request_max_bytes = max;
        let routes = move |config: &mut ServiceConfig| {
            let reading = async |body: Bytes| HttpResponse::Ok().body(body);
            let ignoring = async || HttpResponse::Ok().finish();
            config.route("/", if read { web::post().to(reading) } else { web::post().to(ignoring) });
        };
        let request = TestRequest::post().insert_header(("content-type", "application/json")).set_payload(body);
        let observed = service.send(routes, request, ReadMode::ToTheEnd).await;
        assert_eq!(observed.body, if read { body } else { "" });
        observed
    };
    let on = &[("log.request.body", "redacted")][..];
    let long = 1000;
    let observed = send(on, r#"{"a":1}"#, true, long).await;
    assert_eq!(observed.request_content(), Some((r#"{"a":1}"#, false)));
    assert_eq!(observed.field("http.request.body.size"), &json!(7));
    assert_eq!(observed.field("http.request.header.content-type"), &json!(["application/json"]));
    let observed = send(on, r#"{"a":1}"#, false, long).await;
    assert_eq!((observed.request_content(), observed.field("http.request.body.size")), (Some(("", true)), &json!(0)));
    let observed = send(on, "[1,2,3,4]", true, 4).await;
    assert_eq!(
        (observed.request_content(), observed.field("http.request.body.size")),
        (Some(("[1,2", true)), &json!(9))
    );
    let observed = send(&[("log.request.body", "metadata")], "[1]", true, long).await;
    assert_eq!((observed.request_content(), observed.field("http.request.body.size")), (None, &json!(3)));
    let observed = send(&[("log.request.body", "off")], "[1]", true, long).await;
    assert!(observed.record().get("http.request.body.size").is_none());
}

#[actix_web::test]
async fn a_handler_can_withhold_the_request_body() {
    let service = service(&[("log.request.body", "redacted")]);
    let routes = |config: &mut ServiceConfig| {
        let secret = async |body: Bytes| {
            request::with_current(|current| current.withhold_body());
            HttpResponse::Ok().body(body)
        };
        config.route("/", web::post().to(secret));
    };
    let request = TestRequest::post().insert_header(("content-type", "application/json")).set_payload("[1]");
    let observed = service.send(routes, request, ReadMode::ToTheEnd).await;
    assert_eq!((observed.request_content(), observed.field("http.request.body.size")), (None, &json!(3)));
}
