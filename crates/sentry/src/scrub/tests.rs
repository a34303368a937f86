use cyanotype_redact::Pseudonyms;
use sentry::protocol::{
    AppContext, Breadcrumb, Context, Exception, Frame, LogEntry, Mechanism, ResponseContext, Span, Stacktrace, Thread,
    TraceContext,
};
use serde_json::json;

use super::*;

fn scrubbed(event: Event<'static>) -> Event<'static> {
    scrubbed_by(&Scrubber::for_tests(), event)
}

fn scrubbed_by(scrubber: &Scrubber, mut event: Event<'static>) -> Event<'static> {
    scrubber.event(&mut event);
    event
}

#[test]
fn texts_that_a_client_chose_are_cut() {
    let long = "x".repeat(100);
    let mut request = Request {
        url: format!("https://shop.example/{long}?token=t0p&a={long}").parse().ok(),
        method: Some(long.clone()),
        query_string: Some(long.clone()),
        ..Default::default()
    };
    request.headers.insert("User-Agent".into(), format!("ää{long}"));
    let event = Event { request: Some(request), transaction: Some(long), ..Default::default() };
    let event = scrubbed(event);
    assert_eq!(event.transaction, Some("x".repeat(8)));
    let request = event.request.expect("it has a request");
    let url = request.url.expect("it has a URL");
    assert_eq!((url.path().len(), url.query()), (24, Some("token=[redacted]&a=xxxxx")));
    assert_eq!((request.method, request.query_string), (Some("x".repeat(8)), Some("x".repeat(24))));
    assert_eq!(request.headers["User-Agent"], "ääxxxx");
}

#[test]
fn a_request_id_that_is_a_uuid_is_unchanged() {
    let id = "41111111-1111-1111-8111-111111111111";
    let mut request = Request::default();
    request.headers.insert("X-Request-Id".into(), id.into());
    request.headers.insert("Referer".into(), id.into());
    let event = scrubbed(Event { request: Some(request), ..Default::default() });
    assert_eq!(event.request.expect("it has a request").headers["X-Request-Id"], id);
}

#[test]
fn a_user_has_the_pseudonyms_of_records() {
    let keys = ["email", "client.address"].map(str::to_owned);
    let pseudonyms = || Pseudonyms::new(&keys, "k1:000102030405060708090a0b0c0d0e0f").expect("the key is valid");
    let token = |value: &str| pseudonyms().token(value);
    let redactor = Redactor::default().with_pseudonyms(pseudonyms());
    let scrubber = Scrubber { redactor, ..Scrubber::for_tests() };
    let user = User {
        id: Some("7".into()),
        email: Some("ada@example.org".into()),
        ip_address: Some(IpAddress::Exact([192, 0, 2, 7].into())),
        ..User::default()
    };
    let user = scrubbed_by(&scrubber, Event { user: Some(user), ..Default::default() }).user.expect("it has a user");
    assert_eq!((user.id.as_deref(), user.email), (Some("7"), Some(token("ada@example.org"))));
    assert_eq!((user.ip_address, user.other["client.address"].as_str()), (None, Some(&*token("192.0.2.7"))));
}

#[test]
fn transactions_are_scrubbed() {
    let request = Request { url: "https://shop.example/?token=t0p".parse().ok(), ..Default::default() };
    let mut sent = Transaction { request: Some(request), ..Default::default() };
    sent.extra.insert("secret".into(), "t0p".into());
    Scrubber::for_tests().transaction(&mut sent);
    let sent = serde_json::to_string(&sent).expect("a transaction is JSON");
    assert!(!sent.contains("t0p") && sent.contains("shop.example"), "{sent}");
}

#[test]
fn sensitive_parts_of_a_request_are_removed() {
    let mut request = Request {
        url: "https://shop.example/orders?status=paid&token=t0p".parse().ok(),
        cookies: Some("sid=t0p".into()),
        data: Some("password=t0p".into()),
        query_string: Some("api_key=t0p".into()),
        ..Default::default()
    };
    for (name, value) in [("Authorization", "Bearer t0p"), ("X-Auth", "t0p"), ("User-Agent", "curl")] {
        request.headers.insert(name.into(), value.into());
    }
    let mut before = Event { request: Some(request), ..Default::default() };
    before.extra.insert("secret".into(), "t0p".into());
    let after = serde_json::to_string(&scrubbed(before)).expect("an event is JSON");
    assert!(!after.contains("t0p"), "{after}");
    assert!(after.contains("status=paid") && after.contains("curl"), "{after}");
}

/// A secret in a text, and values of which some have sensitive keys.
const SECRET: &str = "password=hunter2";

fn values() -> sentry::protocol::Map<String, serde_json::Value> {
    serde_json::from_value(json!({"note": SECRET, "api_key": "hunter2", "list": [{"pin": "hunter2"}]})).expect("a map")
}

fn texts() -> sentry::protocol::Map<String, String> {
    [("note", SECRET), ("api_key", "hunter2")].map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn contexts() -> sentry::protocol::Map<String, Context> {
    let trace = TraceContext {
        op: Some(SECRET.into()),
        description: Some(SECRET.into()),
        data: values(),
        ..Default::default()
    };
    let response =
        ResponseContext { cookies: Some("sid=hunter2".into()), data: Some(json!(SECRET)), ..Default::default() };
    let app = AppContext { app_name: Some(SECRET.into()), other: values(), ..Default::default() };
    [("own", Context::Other(values())), ("trace", trace.into()), ("response", response.into()), ("app", app.into())]
        .map(|(name, context)| (name.to_owned(), context))
        .into()
}

fn stacktrace() -> Option<Stacktrace> {
    Some(Stacktrace { frames: vec![Frame { vars: values(), ..Default::default() }], ..Default::default() })
}

#[test]
fn no_part_of_an_event_shows_a_secret() {
    let text = || Some(SECRET.to_owned());
    let user = User { id: text(), email: text(), username: text(), other: values(), ..Default::default() };
    let breadcrumb = Breadcrumb { message: text(), category: text(), data: values(), ..Default::default() };
    let exception = Exception {
        ty: SECRET.into(),
        value: text(),
        module: text(),
        stacktrace: stacktrace(),
        raw_stacktrace: stacktrace(),
        mechanism: Some(Mechanism { ty: "x".into(), description: text(), data: values(), ..Default::default() }),
        ..Default::default()
    };
    let thread = Thread { name: text(), stacktrace: stacktrace(), raw_stacktrace: stacktrace(), ..Default::default() };
    let event = Event {
        fingerprint: vec!["token: hunter2".into()].into(),
        culprit: text(),
        transaction: Some("pin=hunter2".into()),
        message: text(),
        logentry: Some(LogEntry { message: SECRET.into(), params: vec![json!(SECRET), json!({"pin": "hunter2"})] }),
        logger: text(),
        modules: texts(),
        user: Some(user),
        contexts: contexts(),
        breadcrumbs: vec![breadcrumb].into(),
        exception: vec![exception].into(),
        stacktrace: stacktrace(),
        threads: vec![thread].into(),
        tags: texts(),
        extra: values(),
        ..Default::default()
    };
    let sent = serde_json::to_string(&scrubbed(event)).expect("an event is JSON");
    assert!(!sent.contains("hunter2"), "{sent}");
    assert!(sent.contains(REDACTED) && sent.contains("\"note\""), "{sent}");
}

#[test]
fn no_part_of_a_transaction_shows_a_secret() {
    let text = || Some(SECRET.to_owned());
    let span = Span { op: text(), description: text(), tags: texts(), data: values(), ..Default::default() };
    let mut transaction = Transaction {
        name: Some("pin=hunter2".into()),
        user: Some(User { id: text(), other: values(), ..Default::default() }),
        tags: texts(),
        extra: values(),
        spans: vec![span],
        contexts: contexts(),
        ..Default::default()
    };
    Scrubber::for_tests().transaction(&mut transaction);
    let sent = serde_json::to_string(&transaction).expect("a transaction is JSON");
    assert!(!sent.contains("hunter2") && sent.contains(REDACTED), "{sent}");
}

#[test]
fn ids_of_requests_and_traces_are_unchanged() {
    let id = "41111111-1111-1111-8111-111111111111";
    let tags = [("request_id".to_owned(), id.to_owned()), ("other".to_owned(), "4111111111111111".to_owned())].into();
    let trace =
        TraceContext { trace_id: "41111111111111111111111111111111".parse().expect("an id"), ..Default::default() };
    let contexts = [("trace".to_owned(), trace.clone().into())].into();
    let event = scrubbed(Event { tags, contexts, ..Default::default() });
    assert_eq!((event.tags["request_id"].as_str(), event.tags["other"].as_str()), (id, REDACTED));
    assert_eq!(event.contexts["trace"], trace.into());
}

#[test]
fn breadcrumbs_are_in_order_of_time_and_the_newest_remain() {
    let at = |seconds| std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    let crumb =
        |seconds: u64| Breadcrumb { timestamp: at(seconds), message: Some(seconds.to_string()), ..Default::default() };
    // Those of the helper, then those of the SDK.
    let breadcrumbs = [2, 4, 6, 1, 3, 5].map(crumb).to_vec().into();
    let event = scrubbed(Event { breadcrumbs, ..Default::default() });
    let messages: Vec<_> = event.breadcrumbs.iter().filter_map(|crumb| crumb.message.as_deref()).collect();
    assert_eq!(messages, ["3", "4", "5", "6"]);
}

#[test]
fn the_server_name_and_the_dist_are_those_of_the_settings() {
    let from_sdk = || Event { server_name: Some("host".into()), ..Default::default() };
    let mut event = from_sdk();
    let named = Scrubber { server_name: Some("web-1".into()), dist: Some("14".into()), ..Scrubber::for_tests() };
    named.event(&mut event);
    assert_eq!((event.server_name.as_deref(), event.dist.as_deref()), (Some("web-1"), Some("14")));
    let none = Scrubber::for_tests();
    let mut event = from_sdk();
    none.event(&mut event);
    assert_eq!((event.server_name, event.dist), (None, None));
    let mut transaction = Transaction { server_name: Some("host".into()), ..Default::default() };
    none.transaction(&mut transaction);
    assert_eq!(transaction.server_name, None);
}
