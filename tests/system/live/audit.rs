//! Audit records: each change of the log policy is a record.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::wait;

use super::{TOKEN, changes, level, operator_request, put, service};

#[test]
fn a_change_record_names_who_why_and_what() {
    // The record is written at any level.
    let service = service().env("APP__LOG__LEVEL", "critical").start();
    let mut body = level("debug", "1m");
    (body["by"], body["blueprint"], body["source"]) = ("ada".into(), "orders".into(), "command".into());
    let until = put(&service, "INC-421", &body).json()["until"].clone();
    operator_request(&service, "DELETE", "/log/overrides/INC-421?by=bob&reason=done").send();
    let records = service.stop().records();
    let set = records.iter().find(|record| record["change"]["action"] == "set").expect("a record");
    assert_eq!((&set["kind"], &set["level"]), (&json!("service"), &json!("info")));
    let expected = json!({
        "action": "set", "id": "INC-421", "before": {"log.level": "critical"}, "after": {"log.level": "debug"},
        "until": until, "by": "ada", "source": "command", "reason": "INC-421", "blueprint": "orders",
    });
    assert_eq!(set["change"], expected);
    let cleared = changes(&records).pop().expect("a change");
    assert_eq!(
        [&cleared["action"], &cleared["by"], &cleared["reason"], &cleared["source"]],
        ["cleared", "bob", "done", "http"]
    );
}

#[test]
fn a_rejected_change_is_a_warning_without_the_value() {
    let service = service().start();
    let refused =
        put(&service, "a", &json!({"set": {"log.level": "hunter2"}, "for": "1m", "reason": "x", "by": "ada"}));
    assert_eq!(refused.status, 422);
    let records = service.stop().records();
    let record = records.iter().find(|record| record["change"]["action"] == "refused").expect("a record");
    assert_eq!((&record["level"], &record["change"]["by"]), (&json!("warning"), &json!("ada")));
    let reason = record["change"]["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("422: ") && reason.contains("set.log.level"), "{reason}");
    assert!(!record.to_string().contains("hunter2"), "{record}");
}

#[test]
fn rejected_changes_are_logged_at_a_limited_rate() {
    let service = service().start();
    let start = Instant::now();
    let attempt = || {
        let request = service.management().request("PUT", "/log/overrides/a").bearer(&TOKEN[1..]);
        assert_eq!(request.json(&level("debug", "1m")).send().status, 401);
    };
    let mut sent = 0;
    wait::until("two seconds of attempts", Duration::from_secs(20), || {
        attempt();
        sent += 1;
        (start.elapsed() >= Duration::from_millis(2_100)).then_some(())
    });
    let seconds = start.elapsed().as_secs_f64();
    let refused: Vec<Value> = changes(&service.stop().records());
    assert!(refused.len() >= 2 && refused.len() as f64 <= seconds + 1.0, "{} records of {sent}", refused.len());
    let counted = |change: &Value| -> u64 {
        let reason = change["reason"].as_str().unwrap_or_default();
        let more = reason.split_once("; ").and_then(|(_, rest)| rest.split(' ').next());
        1 + more.map_or(0, |more| more.parse().expect("a count"))
    };
    let counted: u64 = refused.iter().map(counted).sum();
    assert!(counted > refused.len() as u64 && counted <= sent, "{counted} of {sent}");
}

#[test]
fn mode_off_records_only_entering_and_leaving_it() {
    let service = service().env("APP__LOG__MODE", "off").start();
    assert_eq!(put(&service, "quiet", &level("debug", "1m")).status, 201);
    assert_eq!(put(&service, "bad", &level("loud", "1m")).status, 422);
    let on = json!({"set": {"log.mode": "stderr"}, "for": "1m", "reason": "x"});
    assert_eq!(put(&service, "on", &on).status, 201);
    operator_request(&service, "DELETE", "/log/overrides/on").send();
    operator_request(&service, "DELETE", "/log/overrides/quiet").send();
    let changes = changes(&service.stop().records());
    let shown: Vec<_> = changes.iter().map(|change| (&change["action"], &change["id"])).collect();
    assert_eq!(shown, [(&json!("set"), &json!("on")), (&json!("cleared"), &json!("on"))]);
}
