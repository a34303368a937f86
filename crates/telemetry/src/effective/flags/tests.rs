//! Precedence: settings, then flags, then overrides, then a debug token.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::effective::{Action, EffectivePolicy, EffectiveValues, Override, OverrideScope, RecordOrigin, Source};
use crate::flag_values::RequestLogValues;
use crate::identity::{CallerTrace, RequestIdentity, RequestParts};
use crate::pipeline::fixture::settings;
use crate::settings::Mode;

const STDERR_AT_ERROR: FlagValues = FlagValues { mode: Some(Mode::Stderr), level: Some(Level::Error), debug: None };

fn override_of(scope: OverrideScope, set: &Value) -> Override {
    crate::effective::tests::override_of("INC-1", scope, set.clone(), 0)
}

/// A policy with a flag provider.
fn policy_of(configured: &[(&str, &str)], overrides: Vec<Override>) -> EffectivePolicy {
    let policy = EffectivePolicy::new(&settings(configured), true);
    policy.set_flags(FlagValues::default(), "flagd");
    for it in overrides {
        policy.set(&it, None).expect("it is set");
    }
    policy
}

fn request(flags: FlagValues) -> RequestIdentity {
    let request = RequestIdentity::new(None, CallerTrace::default(), RequestParts::default());
    request.set_blueprint("orders");
    request.set_flags(flags);
    request
}

fn effective_values(policy: &EffectivePolicy, flags: FlagValues) -> EffectiveValues {
    let (snapshot, request) = (policy.load(), request(flags));
    let effective = snapshot.values_for_request(Some(&request), "blueprint_orders");
    assert_eq!(
        effective,
        snapshot.values_for(&RecordOrigin::new(Some(&request), "blueprint_orders")),
        "both ways of computing the values agree"
    );
    effective
}

fn mode_and_level(policy: &EffectivePolicy, flags: FlagValues) -> (Mode, Level) {
    let policy = effective_values(policy, flags).policy;
    (policy.mode, policy.level)
}

#[test]
fn request_flags_replace_settings_and_process_flags() {
    let policy = policy_of(&[], vec![]);
    assert_eq!(mode_and_level(&policy, FlagValues::default()), (Mode::Both, Level::Info));
    assert_eq!(mode_and_level(&policy, STDERR_AT_ERROR), (Mode::Stderr, Level::Error));
    policy.set_flags(FlagValues { mode: Some(Mode::Sentry), level: Some(Level::Debug), debug: None }, "flagd");
    assert_eq!(mode_and_level(&policy, FlagValues::default()), (Mode::Sentry, Level::Debug));
    let only_level = FlagValues { mode: None, ..STDERR_AT_ERROR };
    assert_eq!(mode_and_level(&policy, only_level), (Mode::Sentry, Level::Error));
    assert_eq!(policy.load().configured().level, Level::Info);
}

#[test]
fn reloaded_settings_do_not_replace_flags() {
    let policy = policy_of(&[], vec![]);
    policy.set_flags(FlagValues { mode: Some(Mode::Stderr), ..FlagValues::default() }, "flagd");
    policy.reconfigure(&settings(&[("log.mode", "sentry"), ("log.level", "warning")]));
    assert_eq!(mode_and_level(&policy, FlagValues::default()), (Mode::Stderr, Level::Warning));
    assert_eq!(mode_and_level(&policy, STDERR_AT_ERROR), (Mode::Stderr, Level::Error));
    policy.set_flags(FlagValues::default(), "flagd");
    assert_eq!(mode_and_level(&policy, FlagValues::default()), (Mode::Sentry, Level::Warning));
}

#[test]
fn an_override_of_any_scope_wins_over_flags() {
    let scopes = [
        OverrideScope::Process,
        OverrideScope::Blueprint("orders".into()),
        OverrideScope::Module("blueprint_orders".into()),
    ];
    for scope in scopes {
        let set = json!({"log.mode": "both", "log.level": "warning"});
        let policy = policy_of(&[], vec![override_of(scope.clone(), &set)]);
        policy.set_flags(FlagValues { mode: Some(Mode::Off), level: Some(Level::Trace), debug: None }, "flagd");
        assert_eq!(mode_and_level(&policy, STDERR_AT_ERROR).0, Mode::Both, "{scope:?}");
        let request = request(STDERR_AT_ERROR);
        let line = RecordOrigin { is_line: true, ..RecordOrigin::new(Some(&request), "blueprint_orders") };
        assert_eq!(policy.load().values_for(&line).policy.level, Level::Warning, "{scope:?}");
    }
    // Only for the keys that it sets.
    let policy = policy_of(&[], vec![override_of(OverrideScope::Process, &json!({"log.mode": "both"}))]);
    assert_eq!(mode_and_level(&policy, STDERR_AT_ERROR), (Mode::Both, Level::Error));
    let other_blueprint = override_of(OverrideScope::Blueprint("users".into()), &json!({"log.level": "trace"}));
    assert_eq!(mode_and_level(&policy_of(&[], vec![other_blueprint]), STDERR_AT_ERROR), (Mode::Stderr, Level::Error));
}

#[test]
fn a_debug_flag_lowers_the_level_of_a_request_like_a_debug_token() {
    let policy = policy_of(&[("log.mode", "stderr"), ("sentry.breadcrumb_level", "error")], vec![]);
    let verbose = effective_values(&policy, FlagValues { debug: Some(Level::Debug), ..FlagValues::default() });
    let before = policy.load().values_for(&RecordOrigin::default());
    assert_eq!((verbose.policy.level, verbose.policy.breadcrumb_level), (Level::Debug, Level::Debug));
    // It lowers the levels and nothing else.
    let restored = Policy { level: Level::Info, breadcrumb_level: Level::Error, ..verbose.policy };
    assert_eq!(EffectiveValues { policy: restored, ..verbose }, before);
    // It takes precedence over the flag `log-level` and over overrides.
    let policy = policy_of(&[], vec![override_of(OverrideScope::Process, &json!({"log.level": "critical"}))]);
    let both = FlagValues { debug: Some(Level::Debug), ..STDERR_AT_ERROR };
    assert_eq!(mode_and_level(&policy, both), (Mode::Stderr, Level::Debug));
}

#[test]
fn the_lower_of_token_and_flag_level_applies() {
    let request = request(FlagValues { debug: Some(Level::Debug), ..STDERR_AT_ERROR });
    assert_eq!(request.debug_level(), Some(Level::Debug));
    request.set_debug_level(Level::Trace);
    assert_eq!(request.debug_level(), Some(Level::Trace));
    // The flags are evaluated again once the caller is known.
    request.set_flags(FlagValues::default());
    assert_eq!(request.log_values(), RequestLogValues { token: Some(Level::Trace), flags: FlagValues::default() });
}

#[test]
fn a_module_level_takes_precedence_over_flags() {
    let policy = policy_of(&[("log.levels.hyper", "error")], vec![]);
    let request = request(FlagValues { level: Some(Level::Trace), ..FlagValues::default() });
    let level = |target| {
        let origin = RecordOrigin { is_line: true, ..RecordOrigin::new(Some(&request), target) };
        policy.load().values_for(&origin).policy.level
    };
    assert_eq!((level("hyper::client"), level("other")), (Level::Error, Level::Trace));
}

#[test]
fn with_a_flag_provider_any_request_may_be_recorded() {
    let of = |policy: &EffectivePolicy| {
        let it = policy.load_full();
        [it.may_record(), it.event_sinks_active(), it.may_record_requests(), it.event_sinks_active_for_requests()]
    };
    let off = [("log.mode", "off")];
    let policy = EffectivePolicy::new(&settings(&off), true);
    assert_eq!(of(&policy), [false; 4]);
    policy.set_flags(FlagValues::default(), "flagd");
    assert_eq!(of(&policy), [false, false, true, true]);
    let without_sink = EffectivePolicy::new(&settings(&off), false);
    without_sink.set_flags(FlagValues::default(), "flagd");
    assert_eq!(of(&without_sink), [false, false, true, false]);

    // Sinks are activated when a request needs them.
    let snapshot = policy.load_full();
    let [stderr, both] =
        [Mode::Stderr, Mode::Both].map(|mode| FlagValues { mode: Some(mode), ..FlagValues::default() });
    assert!(!snapshot.supports(stderr) && snapshot.supports(FlagValues { mode: Some(Mode::Off), ..stderr }));
    policy.add_support(stderr);
    assert_eq!(of(&policy), [true, false, true, true]);
    assert!(policy.load().supports(stderr) && !policy.load().supports(both));
    policy.add_support(both);
    assert_eq!(of(&policy), [true; 4]);
    assert!(policy.load().supports(both));
    assert_eq!(policy.load().policy().mode, Mode::Off);
}

#[test]
fn the_minimum_level_follows_request_flags() {
    let policy = policy_of(&[], vec![]);
    let debug = FlagValues { debug: Some(Level::Debug), ..FlagValues::default() };
    assert!(policy.load().supports(STDERR_AT_ERROR) && !policy.load().supports(debug));
    policy.add_support(debug);
    assert!(policy.load().supports(debug));
    assert_eq!(policy.load().min_level, Level::Debug);
    let version = policy.load().version;
    policy.add_support(debug);
    assert_eq!(policy.load().version, version, "nothing has changed");
}

#[test]
fn a_process_flag_change_has_values_before_and_after() {
    let policy = EffectivePolicy::new(&settings(&[]), true);
    assert_eq!(policy.set_flags(FlagValues::default(), "flagd"), None);
    let change = policy.set_flags(STDERR_AT_ERROR, "flagd").expect("a change");
    assert_eq!((change.action, change.source, change.by.as_str()), (Action::Flag, Source::Flag, "flagd"));
    assert_eq!(Value::from(change.before), json!({"log.mode": "both", "log.level": "info"}));
    assert_eq!(Value::from(change.after), json!({"log.mode": "stderr", "log.level": "error"}));
    assert_eq!(policy.set_flags(STDERR_AT_ERROR, "flagd"), None);
    let change = policy.set_flags(FlagValues { level: None, ..STDERR_AT_ERROR }, "flagd").expect("a change");
    assert_eq!(Value::from(change.after), json!({"log.mode": "stderr", "log.level": "info"}));
    let off = policy.set_flags(FlagValues { mode: Some(Mode::Off), ..FlagValues::default() }, "flagd");
    assert_eq!(off.map(|change| (change.off_before, change.off_after)), Some((false, true)));
}

fn a_level() -> impl Strategy<Value = Option<Level>> {
    proptest::option::of(proptest::sample::select(Level::ALL.to_vec()))
}

fn flag_values() -> impl Strategy<Value = FlagValues> {
    let mode = proptest::option::of(proptest::sample::select(Mode::ALL.to_vec()));
    (mode, a_level(), a_level()).prop_map(|(mode, level, debug)| FlagValues { mode, level, debug })
}

proptest! {
    #[test]
    fn request_values_round_trip_through_bits(token in a_level(), flags in flag_values()) {
        let own = RequestLogValues { token, flags };
        prop_assert_eq!(RequestLogValues::from_bits(own.to_bits()), own);
    }

    #[test]
    fn precedence_is_settings_then_process_then_request_then_override(
        process in flag_values(), request in flag_values(), mode in proptest::bool::ANY, level in proptest::bool::ANY,
    ) {
        let mut set = json!({});
        if mode { set["log.mode"] = json!("stderr"); }
        if level { set["log.level"] = json!("critical"); }
        let policy = policy_of(&[], vec![override_of(OverrideScope::Process, &set)]);
        policy.set_flags(process, "flagd");
        let request = FlagValues { debug: None, ..request };
        let of_mode = request.mode.or(process.mode).unwrap_or(Mode::Both);
        let of_level = request.level.or(process.level).unwrap_or(Level::Info);
        let expected =
            (if mode { Mode::Stderr } else { of_mode }, if level { Level::Critical } else { of_level });
        prop_assert_eq!(mode_and_level(&policy, request), expected);
    }
}
