//! Dry runs: a preview of the changes of an override.

use serde_json::{Value, json};

use super::{level, operator_request, put, service, state};

#[test]
fn a_dry_run_lists_changed_cells() {
    let service = service().start();
    let reply = put(&service, "a?dry_run=true", &level("debug", "15m"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let preview = reply.json();
    let cell =
        |kind: &str| json!({"kind": kind, "levels": ["debug"], "column": "stderr", "before": false, "after": true});
    assert_eq!(preview["changes"], json!([cell("line"), cell("breadcrumb"), cell("message")]));
    assert_eq!(preview["settings"], json!([{"key": "log.level", "before": "info", "after": "debug"}]));
    assert_eq!(preview["version"], 1);
    let shown = state(&service);
    assert_eq!((&shown["version"], &shown["overrides"]), (&json!(1), &json!([])));
    let records = service.stop().records();
    assert!(super::changes(&records).is_empty());
}

#[test]
fn the_preview_matches_the_effect() {
    let service = service().start();
    let table =
        |service: &_| operator_request(service, "GET", "/log/explain?blueprint=orders").send().json()["rows"].clone();
    let body = json!({"set": {"log.mode": "off"}, "for": "1m", "reason": "x", "blueprint": "orders"});
    let before = table(&service);
    let changes = put(&service, "a?dry_run", &body).json()["changes"].clone();
    assert_eq!(put(&service, "a", &body).status, 201);
    let after = table(&service);
    let at = |rows: &Value, kind: &Value, level: &Value, column: &str| {
        let rows = rows.as_array().expect("rows");
        let row = rows
            .iter()
            .find(|row| row["kind"] == *kind && row["levels"].as_array().is_some_and(|levels| levels.contains(level)));
        row.unwrap_or_else(|| panic!("no row for {kind} {level}"))[column].clone()
    };
    let cells = changes.as_array().expect("cells");
    assert!(!cells.is_empty());
    for cell in cells {
        let column = cell["column"].as_str().expect("a column");
        for level in cell["levels"].as_array().expect("levels") {
            assert_eq!(at(&before, &cell["kind"], level, column), cell["before"], "{cell}");
            assert_eq!(at(&after, &cell["kind"], level, column), cell["after"], "{cell}");
        }
    }
}

#[test]
fn moving_an_override_previews_both_scopes() {
    let service = service().start();
    let scoped = |blueprint: &str| {
        let mut body = level("debug", "1m");
        body["blueprint"] = blueprint.into();
        body
    };
    put(&service, "a", &scoped("users"));
    let preview = put(&service, "a?dry_run=true", &scoped("orders")).json();
    assert_eq!(
        preview["settings"],
        json!([
            {"key": "log.level", "before": "debug", "after": "info", "blueprint": "users"},
            {"key": "log.level", "before": "info", "after": "debug"},
        ])
    );
    let again = put(&service, "a?dry_run=true", &scoped("users")).json();
    assert_eq!((&again["changes"], &again["settings"]), (&json!([]), &json!([])));
}
