//! Faults outside requests, which the environment variable `PROBE_FAULT` selects.

use std::thread;
use std::time::Duration;

use cyanotype::{LifecycleFuture, add_breadcrumb, capture_event};

/// Panics if this fault is selected. Its name is the panic's message.
pub(super) fn panic_if(fault: &str) {
    if is_selected(fault) {
        panic!("{fault}");
    }
}

/// Panics on a thread of the server's workers only: the main thread has checked the routes before.
pub(super) fn panic_on_worker_if(fault: &str) {
    if thread::current().name() != Some("main") {
        panic_if(fault);
    }
}

/// The start of the blueprint. What it captures must not be lost, whatever follows.
pub(super) fn start<'a>() -> LifecycleFuture<'a> {
    Box::pin(async {
        if ["start panic", "start resumed panic", "start failure", "start hangs"].iter().any(|it| is_selected(it)) {
            add_breadcrumb("the start began");
            capture_event("captured during the start");
        }
        panic_if("start panic");
        if is_selected("start resumed panic") {
            std::panic::resume_unwind(Box::new("start resumed panic"));
        }
        if is_selected("start failure") {
            return Err("the stock is unknown".into());
        }
        if is_selected("start hangs") {
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
        Ok(())
    })
}

/// The stop of the blueprint.
pub(super) fn stop<'a>() -> LifecycleFuture<'a> {
    Box::pin(async {
        panic_if("stop panic");
        Ok(())
    })
}

fn is_selected(fault: &str) -> bool {
    std::env::var("PROBE_FAULT").is_ok_and(|selected| selected == fault)
}
