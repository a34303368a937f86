//! Failures with errors of other libraries: their types, their sources and their stacks.

use serde_json::{Value, json};
use system_tests::peers::bugsink::Bugsink;
use system_tests::service::Stopped;

use crate::support::{exceptions, of_kind, probe_with};

/// A failure as reported.
struct Failed {
    kind: &'static str,
    record: Value,
    event: Value,
}

impl Failed {
    fn stack(&self) -> Option<&str> {
        self.record["exception.stacktrace"].as_str()
    }

    /// The types in the event, outermost first.
    fn types(&self) -> Vec<&str> {
        exceptions(&self.event).iter().rev().filter_map(|exception| exception["type"].as_str()).collect()
    }
}

/// Requests each of these failures from one service.
fn fail(path: &str, kinds: &[&'static str], backtrace: &str) -> Vec<Failed> {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).env("RUST_BACKTRACE", backtrace).start();
    let fail = |kind: &&'static str| {
        let reply = service.client().get(&format!("/probe/{path}/{kind}")).send();
        assert_eq!(reply.status, 500, "{kind}: {}", reply.text());
        let id = reply.json()["sentry_event_id"].clone();
        // A stack that is not resolved when the service stops is omitted.
        service.wait_record(kind, |record| record["kind"] == "uncaught" && record["sentry.event_id"] == id);
        (*kind, id)
    };
    let ids: Vec<(&str, Value)> = kinds.iter().map(fail).collect();
    let stopped: Stopped = service.stop();
    let (records, events) = (stopped.records(), project.events());
    let uncaught = of_kind(&records, "uncaught");
    let find = |(kind, id): (&'static str, Value)| {
        let record = uncaught.iter().find(|record| record["sentry.event_id"] == id).expect("each failure has a record");
        let has_id =
            |event: &&Value| event["event_id"].as_str().map(|own| own.replace('-', "")).as_deref() == id.as_str();
        let event = events.iter().find(has_id).expect("each failure has an event");
        Failed { kind, record: (*record).clone(), event: event.clone() }
    };
    ids.into_iter().map(find).collect()
}

#[test]
fn errors_of_other_libraries_have_the_type_of_their_root() {
    let io = "std::io::Error";
    let expected = [
        ("anyhow_message", vec!["Error"]),
        ("anyhow_context", vec![io, io]),
        ("anyhow_typed", vec!["ParseIntError", "ParseIntError"]),
        ("eyre_context", vec![io, io]),
        ("boxed", vec![io]),
        ("boxed_local", vec![io]),
        ("text", vec!["Error"]),
        ("io_custom", vec![io, "ParseIntError"]),
        ("io_text", vec![io]),
        ("transparent", vec!["Transparent"]),
        ("own", vec!["Rejection", "ParseIntError"]),
    ];
    let failed = fail("errors", &expected.each_ref().map(|(kind, _)| *kind), "0");
    for (failed, (kind, types)) in failed.iter().zip(&expected) {
        assert_eq!(failed.kind, *kind);
        assert_eq!(&failed.types(), types, "{kind}");
        assert_eq!(failed.record["exception.type"], types[0], "{kind}");
        let stack = failed.stack().expect("it has a stack");
        let first = stack.lines().next().unwrap_or_default();
        assert!(first.contains("system_tests::probe::errors::fail"), "{kind}: {stack}");
    }
    let context = &failed[1].record["exception.chain"];
    assert_eq!(context, &json!(["connection settings cannot be read", "No such file or directory (os error 2)"]));
}

#[test]
fn a_backtrace_of_anyhow_is_the_stack() {
    let failed = fail("errors", &["anyhow_context"], "1");
    let stack = failed[0].stack().expect("it has a stack");
    let first = stack.lines().next().unwrap_or_default();
    assert!(first.contains("system_tests::probe::errors::load"), "{stack}");
}

#[test]
fn errors_of_actix_have_their_sources_and_no_stack() {
    let expected = [
        ("json", vec!["JsonPayloadError", "serde_json::Error"]),
        ("internal_error", vec!["Error"]),
        ("unregistered", vec!["StockError"]),
        ("registered", vec!["RegisteredError", "StockError", "ParseIntError", "ParseIntError"]),
        ("boxed", vec!["StockError", "ParseIntError", "ParseIntError"]),
        ("unconfigured", vec!["Error"]),
    ];
    let failed = fail("actix_errors", &expected.each_ref().map(|(kind, _)| *kind), "1");
    for (failed, (kind, types)) in failed.iter().zip(&expected) {
        assert_eq!(&failed.types(), types, "{kind}");
        assert_eq!(failed.stack(), None, "{kind}");
        assert!(exceptions(&failed.event).iter().all(|exception| exception.get("stacktrace").is_none()), "{kind}");
        assert_eq!(failed.event["exception"]["values"].as_array().map(Vec::len), Some(types.len()), "{kind}");
    }
}

#[test]
fn failures_without_a_stack_are_grouped_by_route_and_template() {
    let kinds = ["item%207%20is%20lost", "item%208%20is%20lost", "another%20text", "unconfigured"];
    let failed = fail("actix_errors", &kinds, "0");
    let fingerprint = |at: usize| &failed[at].event["fingerprint"];
    assert_eq!(fingerprint(0), &json!(["Error", "GET /probe/actix_errors/{kind}", "item %s is lost"]));
    assert_eq!(fingerprint(1), fingerprint(0));
    // The server groups constant messages by type and message.
    assert_eq!(fingerprint(2), &json!(["{{ default }}", "GET /probe/actix_errors/{kind}"]));
    assert_eq!(fingerprint(3)[1], "GET /probe/actix_errors/unconfigured");
}
