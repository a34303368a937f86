//! Overrides expire.

use std::time::{Duration, Instant};

use serde_json::json;
use system_tests::wait;

use super::{changes, level, put, service, state};

const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn an_override_expires_within_a_second() {
    let service = service().start();
    // There is already an override that lasts longer.
    put(&service, "long", &level("error", "1h"));
    let start = Instant::now();
    assert_eq!(put(&service, "short", &level("debug", "1s")).status, 201);
    wait::until("the override to expire", LIMIT, || {
        (state(&service)["overrides"].as_array().map(Vec::len) == Some(1)).then_some(())
    });
    let took = start.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(2)).contains(&took), "{took:?}");
    assert_eq!(state(&service)["effective"]["log.level"], "error");
    let expired = service.wait_record("the audit record", |record| record["change"]["action"] == "expired");
    assert_eq!((&expired["change"]["id"], &expired["level"]), (&json!("short"), &json!("info")));
    let until = changes(&service.records())[1]["until"].as_str().expect("the change has an expiry").to_owned();
    assert!(expired["timestamp"].as_str().is_some_and(|at| at[..19] >= until[..19]), "{expired}");
}

#[test]
fn setting_an_override_again_extends_it() {
    let service = service().start();
    put(&service, "a", &level("debug", "1s"));
    let extended = put(&service, "a", &level("debug", "3s"));
    assert_eq!(extended.status, 200);
    let start = Instant::now();
    wait::until("the override to expire", LIMIT, || (state(&service)["overrides"] == json!([])).then_some(()));
    let took = start.elapsed();
    assert!((Duration::from_millis(2_900)..Duration::from_secs(4)).contains(&took), "{took:?}");
    let actions: Vec<_> = changes(&service.stop().records()).iter().map(|change| change["action"].clone()).collect();
    assert_eq!(actions, ["set", "extended", "expired"]);
}

#[test]
fn override_duration_is_limited() {
    let service = service().env("APP__LOG__OVERRIDE_MAX_S", "60").start();
    assert_eq!(put(&service, "a", &level("debug", "61s")).status, 422);
    assert_eq!(put(&service, "a", &level("debug", "1m")).status, 201);
}
