use std::time::{Duration, Instant};

use cyanotype_telemetry::Level;
use cyanotype_telemetry::settings::Mode;
use serde_json::json;

use super::peer::{Answer, Evaluation, Peer};
use super::{comes_to, notice, of, start};
use crate::{LIMIT, Notice, Values};

fn at_once(status: u16, body: &(impl ToString + ?Sized)) -> Answer {
    (status, body.to_string(), Duration::ZERO)
}

/// Mode stderr for all, and debug for `ada`; there is no flag `log-level`.
fn flags_for_ada(it: &Evaluation) -> Answer {
    let value = match it.flag.as_str() {
        "log-mode" => json!("stderr"),
        "log-debug-request" => json!(it.context["targetingKey"] == "ada"),
        _ => return at_once(404, &json!({"key": it.flag, "errorCode": "FLAG_NOT_FOUND"})),
    };
    at_once(200, &json!({"key": it.flag, "value": value, "variant": "it", "reason": "TARGETING_MATCH"}))
}

const STDERR: Values = Values { mode: Some(Mode::Stderr), level: None, debug: false };

#[tokio::test]
async fn one_caller_gets_debug_from_a_flag_system() {
    let peer = Peer::start(flags_for_ada);
    let (flags, notices) = start(peer.source(Some("a-token")));
    notice(&notices, |it| *it == Notice::Changed(STDERR));
    comes_to(&flags, &of("ada"), Values { debug: true, ..STDERR }).await;
    comes_to(&flags, &of("bob"), STDERR).await;

    let received = peer.received();
    assert!(received.iter().all(|it| it.authorization.as_deref() == Some("Bearer a-token")));
    let of_ada = received.iter().find(|it| it.context["caller"] == "ada").expect("it was asked for");
    assert_eq!(
        of_ada.context,
        json!({
            "targetingKey": "ada", "caller": "ada", "blueprint": "orders", "route": "GET /orders/{id}",
            "service": "shop", "instance": "web-1", "environment": "prod", "release": "shop@1.4.0",
        })
    );
}

#[tokio::test]
async fn a_subject_is_evaluated_once_a_moment() {
    let peer = Peer::start(flags_for_ada);
    let (flags, _notices) = start(peer.source(None));
    comes_to(&flags, &of("ada"), Values { debug: true, ..STDERR }).await;
    let asked = |peer: &Peer| peer.received().iter().filter(|it| it.context["caller"] == "ada").count();
    let before = asked(&peer);
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(500) {
        flags.evaluate(&of("ada")).await;
    }
    // Once more at most: a second may have ended.
    assert!(asked(&peer) <= before + 3, "{} evaluations", asked(&peer));
}

#[tokio::test]
async fn a_flag_system_that_is_away_is_noticed_once_and_sets_nothing() {
    let peer = Peer::start(flags_for_ada);
    let (flags, notices) = start(peer.source(None));
    comes_to(&flags, &of("bob"), STDERR).await;

    peer.behave(|_| at_once(503, "{}"));
    let Notice::Away(reason) = notice(&notices, |it| matches!(it, Notice::Away(_))) else { unreachable!() };
    assert_eq!(reason, "the flag system answered 503 Service Unavailable");
    comes_to(&flags, &of("bob"), Values::default()).await;
    // Tried again, and not said again.
    let before = peer.received().len();
    while peer.received().len() < before + 6 {
        flags.evaluate(&of("bob")).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let said: Vec<_> = notices.try_iter().collect();
    assert_eq!(said, [Notice::Changed(Values::default())]);

    peer.behave(flags_for_ada);
    notice(&notices, |it| *it == Notice::Back);
    comes_to(&flags, &of("bob"), STDERR).await;
}

#[tokio::test]
async fn a_slow_flag_system_holds_no_request_up() {
    let peer = Peer::start(|it| (200, json!({"key": it.flag, "value": "off"}).to_string(), Duration::from_secs(60)));
    let (flags, notices) = start(peer.source(None));
    notice(&notices, |it| matches!(it, Notice::Away(reason) if reason.starts_with("no answer within")));
    for _ in 0..20 {
        let began = Instant::now();
        assert_eq!(flags.evaluate(&of("ada")).await, Values::default());
        // Not even the limit is waited for again and again.
        assert!(began.elapsed() < LIMIT);
    }
}

#[tokio::test]
async fn a_flag_system_that_becomes_slow_costs_a_request_no_more_than_the_limit() {
    let peer = Peer::start(flags_for_ada);
    let (flags, notices) = start(peer.source(None));
    comes_to(&flags, &of("ada"), Values { debug: true, ..STDERR }).await;
    peer.behave(|_| (200, "{}".into(), Duration::from_secs(60)));
    let began = Instant::now();
    assert_eq!(flags.evaluate(&of("eve")).await, Values::default());
    assert!(began.elapsed() < LIMIT + Duration::from_millis(100), "{:?}", began.elapsed());
    notice(&notices, |it| matches!(it, Notice::Away(_)));
}

#[tokio::test]
async fn nonsense_sets_nothing_and_the_other_flags_apply() {
    let peer = Peer::start(|it| match it.flag.as_str() {
        "log-mode" => at_once(200, "<html>"),
        "log-level" => at_once(200, &json!({"key": it.flag, "value": "debug"})),
        _ => at_once(400, &json!({"key": it.flag, "errorCode": "PARSE_ERROR", "errorDetails": "a bad rule"})),
    });
    let (flags, notices) = start(peer.source(None));
    comes_to(&flags, &of("ada"), Values { level: Some(Level::Debug), ..Values::default() }).await;
    let mut ignored: Vec<_> = notices.try_iter().filter(|it| matches!(it, Notice::Ignored(_))).collect();
    ignored.sort_by_key(|it| format!("{it:?}"));
    let [Notice::Ignored(debug), Notice::Ignored(mode)] = &ignored[..] else { panic!("{ignored:?}") };
    assert_eq!(debug, "the flag log-debug-request cannot be evaluated: PARSE_ERROR a bad rule");
    assert!(mode.starts_with("the flag log-mode cannot be evaluated: the answer is not JSON"), "{mode}");
}
