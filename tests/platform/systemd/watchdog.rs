//! The watchdog: fed while all workers respond.

use serde_json::json;

use super::deployed::{Deployed, says};

/// Shorter than in the unit file, so that the test is.
const DROP_IN: &str = "WatchdogSec=4\nRestartSec=3";

/// Blocks both workers: connections go to the workers in turn.
fn block(service: &Deployed, ms: u64) -> Vec<system_tests::http::PendingReply> {
    let script = json!({"steps": [{"do": "block_worker", "ms": ms}]});
    let request = service.client().post("/probe/run").json(&script);
    (0..2).map(|_| request.clone().dispatch().expect("the service accepts")).collect()
}

#[test]
fn hung_workers_are_killed_and_busy_ones_are_not() {
    let service = Deployed::install(DROP_IN, "").start();
    let pid = service.property("MainPID");

    // Busy for longer than the interval of the feeds, and then again.
    for _ in 0..3 {
        for reply in block(&service, 1500) {
            assert_eq!(reply.receive().expect("a response").status, 204);
        }
    }
    assert_eq!(service.property("MainPID"), pid, "a busy worker is not hung");
    let complaints = |record: &serde_json::Value| says(record, "not respond");
    assert_eq!(service.records("").into_iter().find(complaints), None);

    let hung = block(&service, 120_000);
    service.wait_property("Result", "watchdog");
    let last = service.wait_record("the reason for the kill", complaints);
    assert_eq!(last["level"], "error", "{last}");
    assert!(says(&last, "2 workers do not respond for 2.0 s"), "{last}");
    service.wait_property("ActiveState", "active");
    assert_eq!(service.property("NRestarts"), "1");
    assert_ne!(service.property("MainPID"), pid);
    assert_eq!(service.client().get("/openapi.json").send().status, 200);
    drop(hung);
}

#[test]
fn one_hung_worker_is_enough() {
    let service = Deployed::install("WatchdogSec=2\nRestartSec=3", "").start();
    let script = json!({"steps": [{"do": "block_worker", "ms": 120_000}]});
    let _hung = service.client().post("/probe/run").json(&script).dispatch().expect("the service accepts");
    service.wait_property("Result", "watchdog");
    assert!(service.records("").iter().any(|record| says(record, "1 worker does not respond")));
}
