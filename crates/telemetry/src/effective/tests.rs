//! Precedence: settings, then overrides from the widest scope to the narrowest, then a debug token.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::level::Level;
use crate::pipeline::fixture::settings;
use crate::policy::Policy;
use crate::settings::{Mode, ResponseLog};

fn values(set: Value) -> LiveValues {
    let Value::Object(set) = set else { panic!("expected an object") };
    LiveValues::parse(&set).expect("valid values")
}

/// An override with this scope. Of two overrides of one scope, the one with the higher `order` is later.
pub(super) fn override_of(id: &str, scope: OverrideScope, set: Value, order: i64) -> Override {
    Override {
        id: id.into(),
        set: values(set),
        scope,
        set_at: Timestamp::from_second(1_000_000 + order).expect("a time"),
        until: Timestamp::MAX,
        deadline: Instant::now() + Duration::from_secs(600),
        reason: "INC-1".into(),
        by: "ada".into(),
        source: Source::Http,
        fleet: false,
    }
}

fn policy_of(configured: &[(&str, &str)], overrides: Vec<Override>) -> EffectivePolicy {
    let policy = EffectivePolicy::new(&settings(configured), true);
    for it in overrides {
        policy.set(&it, None).expect("it is set");
    }
    policy
}

fn blueprint(name: &str) -> OverrideScope {
    OverrideScope::Blueprint(name.into())
}

fn module(path: &str) -> OverrideScope {
    OverrideScope::Module(path.into())
}

fn route(route: &str) -> OverrideScope {
    OverrideScope::Route(route.into())
}

fn level(policy: &EffectivePolicy, origin: RecordOrigin<'_>) -> Level {
    policy.load().values_for(&origin).policy.level
}

const LINE: RecordOrigin<'static> = RecordOrigin {
    blueprint: Some("orders"),
    method: "GET",
    route: Some("/orders/{id}"),
    target: "blueprint_orders::store",
    is_line: true,
    debug: None,
    flag_mode: None,
    flag_level: None,
};

#[test]
fn the_narrowest_scope_wins_regardless_of_time() {
    let policy = policy_of(
        &[],
        vec![
            override_of("r", route("GET /orders/{id}"), json!({"log.level": "critical"}), 1),
            override_of("m", module("blueprint_orders"), json!({"log.level": "error"}), 2),
            override_of("b", blueprint("orders"), json!({"log.level": "warning"}), 3),
            override_of("p", OverrideScope::Process, json!({"log.level": "debug"}), 4),
        ],
    );
    assert_eq!(level(&policy, LINE), Level::Critical);
    assert_eq!(level(&policy, RecordOrigin { method: "POST", ..LINE }), Level::Error);
    assert_eq!(level(&policy, RecordOrigin { method: "POST", target: "other", ..LINE }), Level::Warning);
    assert_eq!(
        level(&policy, RecordOrigin { blueprint: Some("users"), target: "other", route: None, ..LINE }),
        Level::Debug
    );
    assert_eq!(level(&policy, RecordOrigin::default()), Level::Debug);
    assert_eq!(policy.load().effective().level, Level::Debug);
    assert_eq!(policy.load().configured().level, Level::Info);
}

#[test]
fn the_later_override_of_a_scope_wins_and_extending_keeps_the_order() {
    let first = override_of("first", OverrideScope::Process, json!({"log.level": "debug"}), 1);
    let second = override_of("second", OverrideScope::Process, json!({"log.level": "error"}), 2);
    let policy = policy_of(&[], vec![first.clone(), second]);
    assert_eq!(level(&policy, RecordOrigin::default()), Level::Error);
    let repeated = Override { set_at: Timestamp::from_second(2_000_000).expect("a time"), ..first };
    let outcome = policy.set(&repeated, None).expect("it is set");
    assert_eq!((outcome.created, outcome.change.action), (false, Action::Extended));
    assert_eq!(level(&policy, RecordOrigin::default()), Level::Error);
    let other = override_of("first", OverrideScope::Process, json!({"log.level": "trace"}), 3);
    assert_eq!(policy.set(&other, None).expect("it is set").change.action, Action::Set);
    assert_eq!(level(&policy, RecordOrigin::default()), Level::Trace);
}

#[test]
fn a_module_level_applies_until_an_override_of_the_module() {
    let configured = [("log.levels.hyper", "error")];
    let line = RecordOrigin { target: "hyper::client", ..LINE };
    let with = |overrides| level(&policy_of(&configured, overrides), line);
    assert_eq!(with(vec![override_of("p", OverrideScope::Process, json!({"log.level": "debug"}), 1)]), Level::Error);
    assert_eq!(with(vec![override_of("b", blueprint("orders"), json!({"log.level": "debug"}), 1)]), Level::Error);
    assert_eq!(
        with(vec![override_of("p", OverrideScope::Process, json!({"log.levels.hyper": "trace"}), 1)]),
        Level::Trace
    );
    assert_eq!(
        with(vec![override_of("b", blueprint("orders"), json!({"log.levels.hyper": "trace"}), 1)]),
        Level::Trace
    );
    let of_module = override_of("m", module("hyper"), json!({"log.level": "debug"}), 1);
    assert_eq!(with(vec![of_module.clone()]), Level::Debug);
    assert_eq!(
        with(vec![of_module, override_of("r", route("/orders/{id}"), json!({"log.level": "warning"}), 1)]),
        Level::Warning
    );
    // Module levels apply to log lines only.
    assert_eq!(level(&policy_of(&configured, vec![]), RecordOrigin { is_line: false, ..line }), Level::Info);
}

#[test]
fn a_debug_token_never_makes_its_request_less_verbose() {
    let policy = policy_of(&[("log.level", "warning"), ("sentry.breadcrumb_level", "error")], vec![]);
    let verbose = |debug| policy.load().values_for(&RecordOrigin { debug: Some(debug), ..LINE }).policy;
    assert_eq!((verbose(Level::Debug).level, verbose(Level::Debug).breadcrumb_level), (Level::Debug, Level::Debug));
    assert_eq!(
        (verbose(Level::Critical).level, verbose(Level::Critical).breadcrumb_level),
        (Level::Warning, Level::Error)
    );
    assert_eq!(
        Policy { level: Level::Warning, breadcrumb_level: Level::Error, ..verbose(Level::Debug) },
        policy.load().policy()
    );
}

#[test]
fn overrides_can_only_reduce_recorded_bodies() {
    let configured = [("log.response.body", "metadata"), ("log.request.body", "redacted")];
    let set = json!({"log.response.body": "redacted", "log.request.body": "redacted"});
    let body = |overrides| {
        let effective = policy_of(&configured, overrides).load().values_for(&LINE);
        (effective.response_body, effective.request_body)
    };
    let more = override_of("more", blueprint("orders"), set, 1);
    assert_eq!(body(vec![more.clone()]), (ResponseLog::Metadata, ResponseLog::Body));
    let less =
        override_of("less", OverrideScope::Process, json!({"log.response.body": "off", "log.request.body": "off"}), 1);
    assert_eq!(body(vec![less, more]), (ResponseLog::Off, ResponseLog::Off));
}

#[test]
fn a_snapshot_covers_the_needs_of_every_scope() {
    let of = |configured: &[(&str, &str)], overrides| {
        let policy = policy_of(configured, overrides);
        let snapshot = policy.load_full();
        (snapshot.may_record(), snapshot.event_sinks_active(), snapshot.min_level)
    };
    let orders = |set| vec![override_of("b", blueprint("orders"), set, 1)];
    assert_eq!(of(&[("log.mode", "off")], vec![]), (false, false, Level::Info));
    assert_eq!(of(&[("log.mode", "off")], orders(json!({"log.mode": "stderr"}))), (true, false, Level::Info));
    assert_eq!(of(&[("log.mode", "off")], orders(json!({"log.mode": "sentry"}))), (true, true, Level::Info));
    assert_eq!(of(&[("log.mode", "both")], orders(json!({"log.level": "debug"}))), (true, true, Level::Debug));
    assert_eq!(of(&[("log.levels.a", "trace")], vec![]).2, Level::Trace);
    assert_eq!(
        of(&[], vec![override_of("p", OverrideScope::Process, json!({"log.level": "error"}), 1)]).2,
        Level::Error
    );
}

#[test]
fn each_change_has_a_version_and_values_before_and_after() {
    let policy = policy_of(&[], vec![]);
    assert_eq!(policy.load().version, 1);
    let set = override_of("INC-1", blueprint("orders"), json!({"log.level": "debug", "log.mode": "stderr"}), 1);
    let SetOutcome { created, change } = policy.set(&set, Some(1)).expect("it is set");
    assert!(created);
    assert_eq!(policy.load().version, 2);
    assert_eq!(Value::from(change.before.clone()), json!({"log.mode": "both", "log.level": "info"}));
    assert_eq!(Value::from(change.after.clone()), json!({"log.mode": "stderr", "log.level": "debug"}));
    assert_eq!(change.to_json()["blueprint"], "orders");
    let stale = policy.clear("INC-1", Some(1), "ada", Source::Http, "");
    assert_eq!(stale, Err(OverrideError::VersionMismatch { current: 2, expected: 1 }));
    let change =
        policy.clear("INC-1", Some(2), "bob", Source::Http, "over").expect("not refused").expect("it was there");
    assert_eq!((change.action, change.by.as_str(), policy.load().version), (Action::Cleared, "bob", 3));
    assert_eq!(Value::from(change.after), json!({"log.mode": "both", "log.level": "info"}));
    assert_eq!(policy.clear("INC-1", None, "bob", Source::Http, ""), Ok(None));
    assert_eq!(policy.load().version, 3, "nothing has changed");
}

#[test]
fn expired_overrides_are_removed_and_others_remain() {
    let policy = policy_of(&[], vec![override_of("late", OverrideScope::Process, json!({"log.level": "error"}), 1)]);
    let now = Instant::now();
    let soon =
        Override { deadline: now, ..override_of("soon", OverrideScope::Process, json!({"log.level": "debug"}), 2) };
    policy.set(&soon, None).expect("it is set");
    assert_eq!(policy.next_expiry(), Some(now));
    assert_eq!(level(&policy, RecordOrigin::default()), Level::Debug);
    let changes = policy.expire(now);
    assert_eq!(
        changes.iter().map(|change| (change.action, change.id.as_deref())).collect::<Vec<_>>(),
        [(Action::Expired, Some("soon"))]
    );
    assert_eq!(level(&policy, RecordOrigin::default()), Level::Error);
}

#[test]
fn the_number_of_overrides_is_limited() {
    let policy = policy_of(&[], vec![]);
    let one = |n: usize| override_of(&n.to_string(), OverrideScope::Process, json!({"log.level": "error"}), n as i64);
    for n in 0..MAX_OVERRIDES {
        policy.set(&one(n), None).expect("there is room");
    }
    assert_eq!(policy.set(&one(MAX_OVERRIDES), None).map(|_| ()), Err(OverrideError::TooMany));
    assert!(policy.preview(one(MAX_OVERRIDES), None).is_err());
    assert!(policy.set(&one(3), None).is_ok(), "an existing override can be extended");
}

#[test]
fn fleet_overrides_replace_only_fleet_overrides() {
    let policy = policy_of(&[], vec![override_of("own", OverrideScope::Process, json!({"log.level": "error"}), 1)]);
    let shared = |id: &str, word: &str| Override {
        fleet: true,
        source: Source::Fleet,
        ..override_of(id, blueprint("orders"), json!({"log.level": word}), 1)
    };
    let actions = |changes: Vec<PolicyChange>| -> Vec<_> {
        changes.into_iter().map(|it| (it.action, it.id.unwrap_or_default())).collect()
    };
    let none = BTreeMap::new();
    let set = policy.set_fleet(Some(7), vec![shared("a", "debug"), shared("b", "trace")], &none);
    assert_eq!(actions(set), [(Action::Set, "a".into()), (Action::Set, "b".into())]);
    assert_eq!(policy.load().fleet_version, Some(7));
    assert!(policy.set_fleet(Some(7), vec![shared("a", "debug"), shared("b", "trace")], &none).is_empty());
    let by = BTreeMap::from([("a".to_owned(), "grace".to_owned())]);
    let cleared = policy.set_fleet(Some(8), vec![shared("b", "trace")], &by);
    assert_eq!((cleared[0].by.as_str(), cleared[0].source), ("grace", Source::Fleet));
    assert_eq!(actions(cleared), [(Action::Cleared, "a".into())]);
    assert_eq!(level(&policy, LINE), Level::Trace);
    assert_eq!(level(&policy, RecordOrigin::default()), Level::Error);
}

#[test]
fn invalid_values_are_reported_with_the_allowed_ones() {
    let refused = |set: Value| -> Vec<String> {
        let Value::Object(set) = set else { panic!("expected an object") };
        LiveValues::parse(&set).expect_err("refused").iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        refused(json!({"log.level": "loud", "log.mode": 7, "sentry.sample_rate": 2})),
        [
            "log.level: `loud` is not allowed; expected one of trace, debug, info, warning, error, critical",
            "log.mode: `7` is not allowed; expected one of off, stderr, sentry, both",
            "sentry.sample_rate: `2` is not allowed; expected a number from 0 to 1",
        ]
    );
    assert_eq!(
        refused(json!({"log.format": "json"})),
        ["log.format: it cannot change while the service runs; expected log.mode, log.level, log.levels.<module>, \
          log.response.body, log.request.body, log.response.sample_rate, sentry.breadcrumb_level, sentry.event_level, \
          sentry.sample_rate"]
    );
    assert!(refused(json!({"log.levels.": "info"}))[0].contains("is not the path of a crate or module"));
    assert_eq!(values(json!({"log.levels.hyper-util": "info"})).levels["hyper_util"], Level::Info);
    assert_eq!(values(json!({"sentry.sample_rate": "0.5"})).event_sample_rate, Some(0.5));
    assert!(values(json!({})).is_empty());
}

#[test]
fn changed_cells_are_the_differences_of_two_tables() {
    let policy = policy_of(&[("log.mode", "both"), ("log.level", "info")], vec![]);
    let before = policy.load().policy();
    let after = Policy { level: Level::Debug, ..before };
    let cells: Vec<Value> = changed_cells(&before, &after).iter().map(|cell| json!(cell)).collect();
    let cell =
        |kind: &str| json!({"kind": kind, "levels": ["debug"], "column": "stderr", "before": false, "after": true});
    assert_eq!(cells, [cell("line"), cell("breadcrumb"), cell("message")]);
    assert!(changed_cells(&before, &before).is_empty());
}

#[test]
fn every_live_key_round_trips() {
    let all = json!({
        "log.mode": "stderr", "log.level": "debug", "log.levels.a::b": "trace", "log.response.body": "redacted",
        "log.request.body": "off", "log.response.sample_rate": 0.5, "sentry.breadcrumb_level": "warning",
        "sentry.event_level": "critical", "sentry.sample_rate": 0.0,
    });
    assert_eq!(Value::from(values(all.clone()).to_json()), all);
    let effective: Map<String, Value> = policy_of(&[], vec![]).load().effective().to_json();
    assert_eq!(effective.len(), LIVE_KEYS.len() - 1, "no module has a level");
}

proptest! {
    /// Compares the result with a second, simple implementation of the precedence rules.
    #[test]
    fn overrides_apply_from_widest_to_narrowest_scope(
        overrides in proptest::collection::vec((0usize..7, 0usize..6, 0usize..4, 0i64..20), 0..12),
    ) {
        let scopes = [
            OverrideScope::Process, blueprint("orders"), blueprint("users"), module("blueprint_orders"),
            module("other"), route("GET /orders/{id}"), route("POST /orders"),
        ];
        let applies = [true, true, false, true, false, true, false];
        let policy = policy_of(&[], vec![]);
        let mut expected: Vec<(u8, i64, String, Level, Mode)> = Vec::new();
        for (n, (scope, level, mode, order)) in overrides.into_iter().enumerate() {
            let (level, mode) = (Level::ALL[level], Mode::ALL[mode]);
            let id = format!("{n:02}");
            let set = json!({"log.level": level, "log.mode": mode});
            policy.set(&override_of(&id, scopes[scope].clone(), set, order), None).expect("there is room");
            if applies[scope] {
                let rank = [0, 1, 1, 2, 2, 3, 3][scope];
                expected.push((rank, order, id, level, mode));
            }
        }
        expected.sort_by(|a, b| (a.0, a.1, &a.2).cmp(&(b.0, b.1, &b.2)));
        let (level, mode) = expected.last().map_or((Level::Info, Mode::Both), |it| (it.3, it.4));
        let effective = policy.load().values_for(&LINE).policy;
        prop_assert_eq!((effective.level, effective.mode), (level, mode));
    }
}
