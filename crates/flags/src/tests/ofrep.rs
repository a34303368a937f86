use std::time::{Duration, Instant};

use cyanotype_telemetry::Level;
use cyanotype_telemetry::settings::Mode;
use serde_json::json;

use super::fake_provider::{Evaluation, FakeProvider, Response};
use super::{eventually_evaluates_to, of, start, wait_for_event};
use crate::{EVALUATION_TIMEOUT, EvaluatedFlags, FlagEvent};

fn immediately(status: u16, body: &(impl ToString + ?Sized)) -> Response {
    (status, body.to_string(), Duration::ZERO)
}

/// Mode `stderr` for all callers, and debug for `ada`. The flag `log-level` does not exist.
fn flags_for_ada(it: &Evaluation) -> Response {
    let value = match it.flag.as_str() {
        "log-mode" => json!("stderr"),
        "log-debug-request" => json!(it.context["targetingKey"] == "ada"),
        _ => return immediately(404, &json!({"key": it.flag, "errorCode": "FLAG_NOT_FOUND"})),
    };
    immediately(200, &json!({"key": it.flag, "value": value, "variant": "it", "reason": "TARGETING_MATCH"}))
}

const STDERR: EvaluatedFlags = EvaluatedFlags { mode: Some(Mode::Stderr), level: None, debug: false };

#[tokio::test]
async fn the_level_of_one_caller_is_lowered_to_debug() {
    let provider = FakeProvider::start(flags_for_ada);
    let (flags, events) = start(provider.source(Some("a-token")));
    wait_for_event(&events, |it| *it == FlagEvent::Changed(STDERR));
    eventually_evaluates_to(&flags, &of("ada"), EvaluatedFlags { debug: true, ..STDERR }).await;
    eventually_evaluates_to(&flags, &of("bob"), STDERR).await;

    let received = provider.received();
    assert!(received.iter().all(|it| it.authorization.as_deref() == Some("Bearer a-token")));
    let of_ada = received.iter().find(|it| it.context["caller"] == "ada").expect("it was evaluated");
    assert_eq!(
        of_ada.context,
        json!({
            "targetingKey": "ada", "caller": "ada", "blueprint": "orders", "route": "GET /orders/{id}",
            "service": "shop", "instance": "web-1", "environment": "prod", "release": "shop@1.4.0",
        })
    );
}

#[tokio::test]
async fn evaluations_are_cached_for_a_second() {
    let provider = FakeProvider::start(flags_for_ada);
    let (flags, _events) = start(provider.source(None));
    eventually_evaluates_to(&flags, &of("ada"), EvaluatedFlags { debug: true, ..STDERR }).await;
    let evaluations =
        |provider: &FakeProvider| provider.received().iter().filter(|it| it.context["caller"] == "ada").count();
    let before = evaluations(&provider);
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(500) {
        flags.evaluate(&of("ada")).await;
    }
    // At most one more evaluation of three flags: the cached values may have expired.
    assert!(evaluations(&provider) <= before + 3, "{} evaluations", evaluations(&provider));
}

#[tokio::test]
async fn an_unavailable_provider_sets_nothing_and_is_reported_once() {
    let provider = FakeProvider::start(flags_for_ada);
    let (flags, events) = start(provider.source(None));
    eventually_evaluates_to(&flags, &of("bob"), STDERR).await;

    provider.behave(|_| immediately(503, "{}"));
    let FlagEvent::Unavailable(reason) = wait_for_event(&events, |it| matches!(it, FlagEvent::Unavailable(_))) else {
        unreachable!()
    };
    assert_eq!(reason, "flag provider returned 503 Service Unavailable");
    eventually_evaluates_to(&flags, &of("bob"), EvaluatedFlags::default()).await;
    // It is tried again, and not reported again.
    let before = provider.received().len();
    while provider.received().len() < before + 6 {
        flags.evaluate(&of("bob")).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let events_since: Vec<_> = events.try_iter().collect();
    assert_eq!(events_since, [FlagEvent::Changed(EvaluatedFlags::default())]);

    provider.behave(flags_for_ada);
    wait_for_event(&events, |it| *it == FlagEvent::Available);
    eventually_evaluates_to(&flags, &of("bob"), STDERR).await;
}

#[tokio::test]
async fn a_slow_provider_does_not_delay_requests() {
    let provider =
        FakeProvider::start(|it| (200, json!({"key": it.flag, "value": "off"}).to_string(), Duration::from_secs(60)));
    let (flags, events) = start(provider.source(None));
    wait_for_event(
        &events,
        |it| matches!(it, FlagEvent::Unavailable(reason) if reason.starts_with("no response within")),
    );
    for _ in 0..20 {
        let began = Instant::now();
        assert_eq!(flags.evaluate(&of("ada")).await, EvaluatedFlags::default());
        // Requests do not wait while the provider is unavailable.
        assert!(began.elapsed() < EVALUATION_TIMEOUT);
    }
}

#[tokio::test]
async fn a_provider_that_becomes_slow_delays_requests_by_at_most_the_timeout() {
    let provider = FakeProvider::start(flags_for_ada);
    let (flags, events) = start(provider.source(None));
    eventually_evaluates_to(&flags, &of("ada"), EvaluatedFlags { debug: true, ..STDERR }).await;
    provider.behave(|_| (200, "{}".into(), Duration::from_secs(60)));
    let began = Instant::now();
    assert_eq!(flags.evaluate(&of("eve")).await, EvaluatedFlags::default());
    assert!(began.elapsed() < EVALUATION_TIMEOUT + Duration::from_millis(100), "{:?}", began.elapsed());
    wait_for_event(&events, |it| matches!(it, FlagEvent::Unavailable(_)));
}

#[tokio::test]
async fn invalid_responses_are_ignored_and_other_flags_apply() {
    let provider = FakeProvider::start(|it| match it.flag.as_str() {
        "log-mode" => immediately(200, "<html>"),
        "log-level" => immediately(200, &json!({"key": it.flag, "value": "debug"})),
        _ => immediately(400, &json!({"key": it.flag, "errorCode": "PARSE_ERROR", "errorDetails": "a bad rule"})),
    });
    let (flags, events) = start(provider.source(None));
    eventually_evaluates_to(
        &flags,
        &of("ada"),
        EvaluatedFlags { level: Some(Level::Debug), ..EvaluatedFlags::default() },
    )
    .await;
    let mut ignored: Vec<_> = events.try_iter().filter(|it| matches!(it, FlagEvent::Ignored(_))).collect();
    ignored.sort_by_key(|it| format!("{it:?}"));
    let [FlagEvent::Ignored(debug), FlagEvent::Ignored(mode)] = &ignored[..] else { panic!("{ignored:?}") };
    assert_eq!(debug, "flag log-debug-request ignored: evaluation failed: PARSE_ERROR a bad rule");
    assert!(mode.starts_with("flag log-mode ignored: evaluation failed: response is not JSON"), "{mode}");
}
