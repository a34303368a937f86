//! Tests with a file in flagd's format and with a fake OFREP provider.

mod fake_provider;
mod file;
mod ofrep;

use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use crate::{EvaluatedFlags, FlagEvent, FlagSource, Flags, ProcessContext, Subject};

/// Timeout that allows for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);

fn start(source: FlagSource) -> (Flags, Receiver<FlagEvent>) {
    let (sender, events) = mpsc::channel();
    let process = ProcessContext {
        service: "shop".into(),
        instance: "web-1".into(),
        environment: "prod".into(),
        release: "shop@1.4.0".into(),
    };
    let flags = Flags::start(source, process, move |event| {
        // The test may have ended.
        let _ = sender.send(event);
    });
    (flags, events)
}

fn of(caller: &str) -> Subject<'_> {
    Subject { blueprint: Some("orders"), route: Some("GET /orders/{id}"), caller: Some(caller) }
}

/// Evaluates until the values are as expected: on a busy machine an evaluation may time out, which makes the provider
/// unavailable.
async fn eventually_evaluates_to(flags: &Flags, subject: &Subject<'_>, expected: EvaluatedFlags) {
    let began = Instant::now();
    loop {
        let values = flags.evaluate(subject).await;
        if values == expected {
            return;
        }
        assert!(began.elapsed() < TIMEOUT, "{values:?}, not {expected:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits for the first event that matches, and skips others.
fn wait_for_event(events: &Receiver<FlagEvent>, matches: impl Fn(&FlagEvent) -> bool) -> FlagEvent {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let event = events.recv_timeout(left).expect("it is reported");
        if matches(&event) {
            return event;
        }
    }
}
