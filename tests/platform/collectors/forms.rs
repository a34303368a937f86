//! The configurations of collectors that are not available here: what can be said about them without a run.

use cyanotype::catalog;
use serde_json::Value;
use system_tests::service::Service;

use super::{LEVELS, configuration, python, text};
use crate::probe_app;

const YAML_TO_JSON: &str = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
/// Parses a time with a format of `strptime`; Fluent Bit's `%L` is Python's `%f`.
const PARSE_TIME: &str = "import sys; from datetime import datetime, timezone
time, format = sys.argv[1:]
parsed = datetime.strptime(time, format.replace('%L', '%f'))
print(parsed.astimezone(timezone.utc).strftime('%Y-%m-%dT%H:%M:%S.%fZ'))";

#[track_caller]
fn yaml(name: &str) -> Value {
    let printed = python(YAML_TO_JSON, &[&configuration(name)]);
    serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The time of a record that the service has just written.
#[track_caller]
fn real_time() -> String {
    let service = Service::new(probe_app()).start();
    let records = service.stop().records();
    text(&records[0], "timestamp").to_owned()
}

/// A real key of records?
fn is_key(key: &str) -> bool {
    catalog::has_key("line", key)
}

#[track_caller]
fn list<'a>(parent: &'a Value, key: &str) -> &'a [Value] {
    parent[key].as_array().unwrap_or_else(|| panic!("{key} is a list: {parent}"))
}

#[test]
fn the_operators_of_the_opentelemetry_collector_name_real_keys_and_levels() {
    let configuration = yaml("otel-collector.yaml");
    let operators = list(&configuration["receivers"]["file_log"], "operators");
    let of = |kind: &str| {
        let mut found = operators.iter().filter(|operator| operator["type"] == kind);
        found.next().unwrap_or_else(|| panic!("there is no operator {kind}"))
    };
    let types: Vec<&str> = operators.iter().map(|operator| text(operator, "type")).collect();
    assert_eq!(types, ["container", "add", "json_parser", "severity_parser", "trace_parser", "move"], "in this order");

    let attribute = |field: &Value| {
        let field = field.as_str().and_then(|field| field.strip_prefix("attributes."));
        let key = field.unwrap_or_else(|| panic!("not an attribute: {field:?}")).to_owned();
        assert!(is_key(&key), "records have no {key}");
        key
    };
    let time = &of("json_parser")["timestamp"];
    assert_eq!(attribute(&time["parse_from"]), "timestamp");
    assert_eq!(attribute(&of("trace_parser")["trace_id"]["parse_from"]), "trace_id");
    assert_eq!(attribute(&of("severity_parser")["parse_from"]), "level");
    assert_eq!(attribute(&of("move")["from"]), "message");
    // Go's layouts are the time 2006-01-02 15:04:05 in the form of the times that they parse.
    let form = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "0");
    assert_eq!((text(time, "layout_type"), form(text(time, "layout"))), ("gotime", form(&real_time())));

    let mapping = of("severity_parser")["mapping"].as_object().expect("there is a mapping");
    let mut mapped: Vec<&str> = mapping.values().filter_map(Value::as_str).collect();
    mapped.sort_unstable();
    let mut levels = LEVELS;
    levels.sort_unstable();
    assert_eq!(mapped, levels, "each level has a severity");
    assert_eq!((mapping["fatal"].as_str(), mapping["warn"].as_str()), (Some("critical"), Some("warning")));
}

#[test]
fn the_filters_of_fluent_bit_name_real_keys_and_levels() {
    let configuration = yaml("fluent-bit.yaml");
    let [parser] = list(&configuration, "parsers") else { panic!("there is one parser") };
    assert_eq!((text(parser, "format"), text(parser, "time_key")), ("json", "timestamp"));
    let time = real_time();
    let parsed = python(PARSE_TIME, &[time.as_ref(), text(parser, "time_format").as_ref()]);
    assert_eq!(parsed.trim(), time, "microseconds and the zone are read");

    let [input] = list(&configuration["pipeline"], "inputs") else { panic!("there is one input") };
    assert_eq!((text(input, "name"), text(input, "multiline.parser")), ("tail", "cri"));
    let filters = list(&configuration["pipeline"], "filters");
    let (first, rest) = filters.split_first().expect("there are filters");
    assert_eq!(
        (text(first, "name"), &first["parser"], &first["reserve_data"]),
        ("parser", &parser["name"], &true.into())
    );
    assert_eq!(text(first, "key_name"), "log", "the parser `cri` puts the line there");
    let conditions = rest.iter().filter_map(|filter| filter["condition"].as_str());
    let changed: Vec<(&str, &str, &str)> = conditions
        .zip(rest.iter().filter_map(|filter| filter["set"].as_str()))
        .map(|(condition, set)| {
            let words: Vec<&str> = condition.split(' ').collect();
            let ["key_value_equals", key, level] = words[..] else { panic!("not a comparison: {condition}") };
            (key, level, set)
        })
        .collect();
    assert_eq!(changed, [("level", "critical", "severity fatal"), ("level", "warning", "severity warn")]);
    assert!(is_key("level") && LEVELS.contains(&"critical") && LEVELS.contains(&"warning"));
}
