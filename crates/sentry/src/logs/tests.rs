use std::time::Instant;

use cyanotype_telemetry::Kind;
use cyanotype_telemetry::record::EventScope;
use cyanotype_telemetry::request::{RequestIdentity, RequestParts};
use sentry::Transport;
use serde_json::json;

use super::super::fake_endpoint::eventually;
use super::super::test_delivery::{SECOND, TestDelivery};
use super::*;

/// The transport of a delivery, for a client.
struct Shared(Arc<TestDelivery>);

impl Transport for Shared {
    fn send_envelope(&self, envelope: Envelope) {
        self.0.transport.send_envelope(envelope);
    }
}

fn client(delivery: &Arc<TestDelivery>) -> Arc<Client> {
    let delivery_of_client = Arc::clone(delivery);
    let transport =
        move |_: &ClientOptions| -> Arc<dyn Transport> { Arc::new(Shared(Arc::clone(&delivery_of_client))) };
    let options = ClientOptions::new().dsn(&delivery.endpoint.dsn.to_string());
    Arc::new(Client::with_options(options.environment("stage").release("shop@1.2.3").transport(transport)))
}

fn line(level: Level, message: &str) -> Record {
    let fields = json!({"order": 7, "cart": {"size": 2, "paid": true}, "note": "api_key=hunter2"});
    let fields = fields.as_object().expect("an object").clone();
    let service = Record::service(level, "shop::orders", message, Default::default());
    Record { kind: Kind::Line, detail: Detail::Fields(fields), ..service }
}

/// The lines of each received envelope.
fn received(delivery: &TestDelivery) -> Vec<Vec<Value>> {
    let items = |body: &[u8]| {
        let text = String::from_utf8_lossy(body).into_owned();
        let parts: Vec<Value> =
            text.lines().map(|part| serde_json::from_str(part).unwrap_or_else(|_| panic!("JSON: {part}"))).collect();
        assert_eq!(parts[1]["type"], "log", "{text}");
        assert_eq!(parts[1]["content_type"], "application/vnd.sentry.items.log+json", "{text}");
        let lines = parts[2]["items"].as_array().expect("a list").clone();
        assert_eq!(parts[1]["item_count"], lines.len(), "{text}");
        lines
    };
    delivery.endpoint.received().iter().map(|it| items(&it.body)).collect()
}

#[test]
fn a_batch_has_redacted_lines_with_attributes() {
    let delivery = Arc::new(TestDelivery::start(None, []));
    let logs = Logs::start(Some("host-1".to_owned()), client(&delivery), delivery.transport.fallback.clone());
    let id = "41111111-1111-1111-8111-111111111111";
    let request = Arc::new(RequestIdentity::new(Some(id), Default::default(), RequestParts::default()));
    let mut scope = EventScope::default();
    scope.tag("shard", 7).tag("order", "of a tag");
    logs.add(&Record {
        request: Some(Arc::clone(&request)),
        scope: Some(Arc::new(scope)),
        ..line(Level::Warning, "late, password=hunter2")
    });
    logs.add(&line(Level::Critical, "outside requests"));
    logs.add(&line(Level::Trace, "outside requests"));
    logs.close();
    delivery.wait_idle();
    let batches = received(&delivery);
    assert_eq!(batches.len(), 1, "{batches:?}");
    let lines = &batches[0];
    assert!(!json!(lines).to_string().contains("hunter2"), "{lines:?}");
    assert_eq!(lines.iter().map(|line| &line["level"]).collect::<Vec<_>>(), ["warn", "fatal", "trace"]);
    assert_eq!(lines[0]["trace_id"], request.trace_id().to_string());
    assert!(lines[1]["trace_id"].is_string() && lines[1]["trace_id"] == lines[2]["trace_id"], "{lines:?}");
    let attributes = lines[0]["attributes"].as_object().expect("an object");
    let of = |key: &str| attributes.get(key).map(|attribute| attribute["value"].clone());
    for (key, value) in [
        ("target", json!("shop::orders")),
        ("request_id", json!(id)),
        ("order", json!(7)),
        ("cart.size", json!(2)),
        ("cart.paid", json!(true)),
        ("shard", json!("7")),
        ("sentry.environment", json!("stage")),
        ("sentry.release", json!("shop@1.2.3")),
        ("server.address", json!("host-1")),
    ] {
        assert_eq!(of(key), Some(value), "{key}: {attributes:?}");
    }
    assert!(lines[1]["attributes"].get("request_id").is_none());
}

#[test]
fn a_full_batch_is_sent_at_once() {
    let delivery = Arc::new(TestDelivery::start(None, []));
    let logs = Logs::start(None, client(&delivery), delivery.transport.fallback.clone());
    let begin = Instant::now();
    (0..BATCH_LINES).for_each(|n| logs.add(&line(Level::Info, &format!("line {n}"))));
    eventually("the batch arrives", || received(&delivery).len() == 1);
    assert!(begin.elapsed() < INTERVAL, "it does not wait");
    assert_eq!(received(&delivery)[0].len(), BATCH_LINES);
    logs.close();
}

#[test]
fn batches_beyond_the_limit_are_counted() {
    let delivery = Arc::new(TestDelivery::start(None, []));
    // Without the thread, no batch is taken.
    let logs = Logs::new(None, client(&delivery), delivery.transport.fallback.clone());
    (0..(MAX_WAITING + 2) * BATCH_LINES).for_each(|n| logs.add(&line(Level::Info, &format!("line {n}"))));
    logs.close();
    delivery.wait_idle();
    let batches = received(&delivery);
    assert_eq!((batches.len(), &batches[0][0]["body"]), (MAX_WAITING, &json!("line 200")), "the oldest are dropped");
    assert!(delivery.transport.shutdown(SECOND));
    let message = "dropped 2 envelopes for Sentry (log_item): transport queue full or closed";
    assert_eq!(delivery.sink.messages(), [message]);
}

#[test]
fn long_texts_are_cut() {
    let delivery = Arc::new(TestDelivery::start(None, []));
    let logs = Logs::new(None, client(&delivery), delivery.transport.fallback.clone());
    let long = "é".repeat(MAX_TEXT_BYTES);
    let fields = json!({"text": long, "list": [long]}).as_object().expect("an object").clone();
    logs.add(&Record { detail: Detail::Fields(fields), ..line(Level::Info, &long) });
    logs.close();
    delivery.wait_idle();
    let sent = &received(&delivery)[0][0];
    for text in [&sent["body"], &sent["attributes"]["text"]["value"], &sent["attributes"]["list"]["value"]] {
        let text = text.as_str().expect("a text");
        assert!(text.len() <= MAX_TEXT_BYTES + MARK.len_utf8() && text.ends_with(MARK), "{} bytes", text.len());
    }
}

#[test]
fn a_paused_transport_sends_no_lines() {
    let dir = super::super::test_support::TempDir::new();
    let delivery = Arc::new(TestDelivery::paused(&dir));
    let logs = Logs::start(None, client(&delivery), delivery.transport.fallback.clone());
    logs.add(&line(Level::Info, "held"));
    logs.close();
    delivery.transport.shutdown(Duration::ZERO);
    assert!(delivery.endpoint.received().is_empty());
}
