use std::fs;
use std::path::PathBuf;

use cyanotype_telemetry::Level;
use cyanotype_telemetry::settings::Mode;
use serde_json::{Value, json};
use test_harness::scratch::Scratch;

use super::{eventually_evaluates_to, of, start, wait_for_event};
use crate::{EvaluatedFlags, FlagEvent, FlagSource, Subject};

/// The file of flags of a test, in a directory of its own.
struct FlagFile(Scratch);

impl FlagFile {
    fn new() -> Self {
        Self(Scratch::new("flags"))
    }

    fn path(&self) -> PathBuf {
        self.0.join("flags.json")
    }

    /// Replaces the file atomically, as deployments do.
    fn write(&self, flags: &Value) {
        let new = self.0.join("new");
        fs::write(&new, json!({"flags": flags}).to_string()).expect("it is written");
        fs::rename(new, self.path()).expect("it is renamed");
    }
}

/// A flag with these variants. The first one is the default unless the targeting rule matches.
fn flag(variants: &[(&str, Value)], rule: &Value) -> Value {
    let names: serde_json::Map<_, _> =
        variants.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    json!({"state": "ENABLED", "variants": names, "defaultVariant": variants[0].0, "targeting": rule})
}

/// True only for the caller `ada` on the blueprint `orders` of the service `shop` in `prod`.
fn debug_for_ada() -> Value {
    let rule = json!({"if": [{"and": [
        {"==": [{"var": "targetingKey"}, "ada"]},
        {"==": [{"var": "caller"}, "ada"]},
        {"==": [{"var": "blueprint"}, "orders"]},
        {"==": [{"var": "route"}, "GET /orders/{id}"]},
        {"==": [{"var": "service"}, "shop"]},
        {"==": [{"var": "instance"}, "web-1"]},
        {"==": [{"var": "environment"}, "prod"]},
        {"==": [{"var": "release"}, "shop@1.4.0"]},
    ]}, "on", "off"]});
    flag(&[("off", json!(false)), ("on", json!(true))], &rule)
}

#[tokio::test]
async fn a_rule_lowers_the_level_of_one_caller_to_debug() {
    let file = FlagFile::new();
    file.write(&json!({"log-debug-request": debug_for_ada()}));
    let (flags, events) = start(FlagSource::File(file.path()));
    eventually_evaluates_to(&flags, &of("ada"), EvaluatedFlags { debug: true, ..EvaluatedFlags::default() }).await;
    eventually_evaluates_to(&flags, &of("bob"), EvaluatedFlags::default()).await;
    eventually_evaluates_to(&flags, &Subject { blueprint: Some("users"), ..of("ada") }, EvaluatedFlags::default())
        .await;
    eventually_evaluates_to(&flags, &Subject { caller: None, ..of("ada") }, EvaluatedFlags::default()).await;
    // Flags that do not exist are not reported.
    let ignored: Vec<_> = events.try_iter().filter(|it| matches!(it, FlagEvent::Ignored(_))).collect();
    assert_eq!(ignored, []);
}

#[tokio::test]
async fn a_changed_file_is_reloaded_and_reported() {
    let file = FlagFile::new();
    let level = |name: &str| json!({"log-level": flag(&[(name, json!(name))], &json!({}))});
    file.write(&level("warning"));
    let (flags, events) = start(FlagSource::File(file.path()));
    let warning = EvaluatedFlags { level: Some(Level::Warning), ..EvaluatedFlags::default() };
    wait_for_event(&events, |it| *it == FlagEvent::Changed(warning));
    eventually_evaluates_to(&flags, &of("ada"), warning).await;

    file.write(&level("trace"));
    let trace = EvaluatedFlags { level: Some(Level::Trace), ..EvaluatedFlags::default() };
    eventually_evaluates_to(&flags, &of("ada"), trace).await;
    wait_for_event(&events, |it| *it == FlagEvent::Changed(trace));
}

#[tokio::test]
async fn an_unusable_file_sets_nothing_until_it_is_valid() {
    let file = FlagFile::new();
    let off = json!({"log-mode": flag(&[("off", json!("off"))], &json!({}))});
    let (flags, events) = start(FlagSource::File(file.path()));
    let FlagEvent::Unavailable(reason) = wait_for_event(&events, |it| matches!(it, FlagEvent::Unavailable(_))) else {
        unreachable!()
    };
    assert!(reason.contains("flags.json"), "{reason}");
    assert_eq!(flags.evaluate(&of("ada")).await, EvaluatedFlags::default());

    file.write(&off);
    wait_for_event(&events, |it| *it == FlagEvent::Available);
    let values = EvaluatedFlags { mode: Some(Mode::Off), ..EvaluatedFlags::default() };
    eventually_evaluates_to(&flags, &of("ada"), values).await;

    fs::write(file.path(), "{").expect("it is written");
    wait_for_event(&events, |it| matches!(it, FlagEvent::Unavailable(reason) if reason.contains("invalid JSON")));
    assert_eq!(flags.evaluate(&of("ada")).await, EvaluatedFlags::default());
    wait_for_event(&events, |it| *it == FlagEvent::Changed(EvaluatedFlags::default()));
}

#[tokio::test]
async fn an_invalid_value_sets_nothing_and_is_reported_once() {
    let file = FlagFile::new();
    file.write(&json!({
        "log-mode": flag(&[("loud", json!("loud"))], &json!({})),
        "log-level": flag(&[("number", json!(7))], &json!({})),
        "log-debug-request": flag(&[("text", json!("yes"))], &json!({})),
    }));
    let (flags, events) = start(FlagSource::File(file.path()));
    for caller in ["ada", "bob", "eve"] {
        assert_eq!(flags.evaluate(&of(caller)).await, EvaluatedFlags::default());
    }
    let ignored = |event| match event {
        FlagEvent::Ignored(reason) => Some(reason),
        _ => None,
    };
    let mut ignored: Vec<_> = events.try_iter().filter_map(ignored).collect();
    ignored.sort();
    assert_eq!(ignored.len(), 3, "{ignored:?}");
    assert!(ignored[0].starts_with("flag log-debug-request ignored: evaluation failed: "), "{ignored:?}");
    assert!(ignored[1].starts_with("flag log-level ignored: evaluation failed: "), "{ignored:?}");
    assert_eq!(ignored[2], "flag log-mode ignored: invalid value `loud`; expected one of off, stderr, sentry, both");
}
