//! Records and events of log lines: where they were logged, and in which spans.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::peers::bugsink::Bugsink;

use crate::support::{of_kind, probe_with, run};

#[test]
fn an_event_of_a_line_has_location_and_span_fields() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).start();
    let line = json!({"do": "log", "level": "error", "message": "the warehouse is gone"});
    run(service.client(), json!([{"do": "span", "steps": [line]}]), Value::Null);
    let contexts = project.wait_events(1, Duration::from_secs(30))[0]["contexts"].clone();
    let fields = json!({"steps": 1, "access_token": "[redacted]"});
    assert_eq!((&contexts["span"]["names"], &contexts["span"]["fields"]), (&json!("in_a_span"), &fields));
    let location = &contexts["Rust Tracing Location"];
    assert_eq!(location["module_path"], "system_tests::probe::steps");
    assert_eq!(location["file"], "tests/src/probe/steps.rs");
    assert!(location["line"].is_u64(), "{location}");

    let records = service.stop().records();
    let line = of_kind(&records, "line")[0];
    assert_eq!((&line["span"], &line["span_fields"]), (&json!("in_a_span"), &fields));
}
