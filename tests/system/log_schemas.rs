//! `log.schema` gives records the names that a log collector expects.

use serde_json::{Value, json};

use crate::support::{probe, run};

/// The response and the failure of one request, under a schema.
#[track_caller]
fn records(variables: &[(&str, &str)]) -> [Value; 2] {
    let service = variables.iter().fold(probe(), |service, (name, value)| service.env(name, *value)).start();
    run(service.client(), json!([]), json!({"error": "broken"}));
    let stderr = service.stop().stderr;
    let parsed = stderr.lines().map(|line| serde_json::from_str(line).expect("a line is JSON"));
    let records: Vec<Value> = parsed.collect();
    ["response", "uncaught"].map(|kind| {
        let found = records.iter().find(|record| record["kind"] == kind);
        found.unwrap_or_else(|| panic!("no {kind}: {stderr}")).clone()
    })
}

#[test]
fn cloud_logging_gets_its_special_fields() {
    let [response, failure] = records(&[("APP__LOG__SCHEMA", "gcp")]);
    assert_eq!((&response["severity"], &failure["severity"]), (&json!("ERROR"), &json!("ERROR")));
    let request = &response["httpRequest"];
    assert_eq!(
        (&request["requestMethod"], &request["requestUrl"], &request["status"]),
        (&json!("POST"), &json!("/probe/run"), &json!(500))
    );
    assert!(request["latency"].as_str().is_some_and(|latency| latency.ends_with('s')), "{request}");
    assert_eq!(response["logging.googleapis.com/trace"], failure["logging.googleapis.com/trace"]);
    assert!(failure["time"].is_string() && failure["stack_trace"].is_string(), "{failure}");
    for ours in ["timestamp", "level", "trace_id", "duration_ms", "url.path"] {
        assert_eq!(response.get(ours), None, "{ours}");
    }
}

#[test]
fn elasticsearch_gets_the_names_of_its_common_schema() {
    let [response, failure] = records(&[("APP__LOG__SCHEMA", "ecs")]);
    assert_eq!((&response["log.level"], &response["ecs.version"]), (&json!("error"), &json!("8.11.0")));
    assert!(response["event.duration"].as_u64().is_some_and(|nanoseconds| nanoseconds > 1000), "{response}");
    assert_eq!((&failure["error.message"], &failure["trace.id"]), (&json!("broken"), &response["trace.id"]));
    assert!(failure["@timestamp"].is_string() && failure["error.stack_trace"].is_string(), "{failure}");
}

#[test]
fn datadog_gets_its_standard_attributes() {
    let [response, failure] = records(&[("APP__LOG__SCHEMA", "datadog")]);
    assert_eq!((&response["status"], &response["http.status_code"]), (&json!("error"), &json!(500)));
    assert_eq!((&failure["error.message"], &failure["dd.trace_id"]), (&json!("broken"), &response["dd.trace_id"]));
    assert!(response["duration"].is_u64() && failure["error.stack"].is_string(), "{response} {failure}");
}

#[test]
fn a_level_key_and_names_can_be_chosen() {
    let [response, _] = records(&[("APP__LOG__SEVERITY_KEY", "lvl"), ("APP__LOG__LEVEL_NAMES", "pino")]);
    assert_eq!((&response["lvl"], response.get("level")), (&json!(50), None));
    assert_eq!(response["http.response.status_code"], 500);
}

#[test]
fn a_key_of_another_value_is_refused_as_the_levels() {
    let stopped = probe().env("APP__LOG__SEVERITY_KEY", "message").run();
    assert_eq!(stopped.code(), Some(78));
    assert!(stopped.stderr.starts_with("log.severity_key (set by APP__LOG__SEVERITY_KEY)"), "{}", stopped.stderr);
}
