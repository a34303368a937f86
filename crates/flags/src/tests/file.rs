use std::fs;
use std::path::PathBuf;

use cyanotype_telemetry::Level;
use cyanotype_telemetry::settings::Mode;
use serde_json::{Value, json};

use super::{comes_to, notice, of, start};
use crate::{FlagSource, Notice, Subject, Values};

/// A directory of a test, removed with it.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("cyanotype-flags-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("it is made");
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("flags.json")
    }

    /// In one step, as deployments do.
    fn write(&self, flags: &Value) {
        let new = self.0.join("new");
        fs::write(&new, json!({"flags": flags}).to_string()).expect("it is written");
        fs::rename(new, self.file()).expect("it is renamed");
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A flag with these variants, the first of them unless a rule fits.
fn flag(variants: &[(&str, Value)], rule: &Value) -> Value {
    let names: serde_json::Map<_, _> =
        variants.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    json!({"state": "ENABLED", "variants": names, "defaultVariant": variants[0].0, "targeting": rule})
}

/// Only for the caller `ada` on the blueprint `orders` of the service `shop` in `prod`.
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
async fn a_rule_raises_one_caller_to_debug() {
    let directory = Directory::new("rule");
    directory.write(&json!({"log-debug-request": debug_for_ada()}));
    let (flags, notices) = start(FlagSource::File(directory.file()));
    comes_to(&flags, &of("ada"), Values { debug: true, ..Values::default() }).await;
    comes_to(&flags, &of("bob"), Values::default()).await;
    comes_to(&flags, &Subject { blueprint: Some("users"), ..of("ada") }, Values::default()).await;
    comes_to(&flags, &Subject { caller: None, ..of("ada") }, Values::default()).await;
    // Flags that are not there are no mistake.
    let mistakes: Vec<_> = notices.try_iter().filter(|it| matches!(it, Notice::Ignored(_))).collect();
    assert_eq!(mistakes, []);
}

#[tokio::test]
async fn a_change_of_the_file_is_followed_and_noticed() {
    let directory = Directory::new("change");
    let level = |name: &str| json!({"log-level": flag(&[(name, json!(name))], &json!({}))});
    directory.write(&level("warning"));
    let (flags, notices) = start(FlagSource::File(directory.file()));
    let warning = Values { level: Some(Level::Warning), ..Values::default() };
    notice(&notices, |it| *it == Notice::Changed(warning));
    comes_to(&flags, &of("ada"), warning).await;

    directory.write(&level("trace"));
    let trace = Values { level: Some(Level::Trace), ..Values::default() };
    comes_to(&flags, &of("ada"), trace).await;
    notice(&notices, |it| *it == Notice::Changed(trace));
}

#[tokio::test]
async fn a_file_that_cannot_be_used_sets_nothing_until_it_can() {
    let directory = Directory::new("away");
    let off = json!({"log-mode": flag(&[("off", json!("off"))], &json!({}))});
    let (flags, notices) = start(FlagSource::File(directory.file()));
    let Notice::Away(reason) = notice(&notices, |it| matches!(it, Notice::Away(_))) else { unreachable!() };
    assert!(reason.contains("flags.json"), "{reason}");
    assert_eq!(flags.evaluate(&of("ada")).await, Values::default());

    directory.write(&off);
    notice(&notices, |it| *it == Notice::Back);
    let values = Values { mode: Some(Mode::Off), ..Values::default() };
    comes_to(&flags, &of("ada"), values).await;

    fs::write(directory.file(), "{").expect("it is written");
    notice(&notices, |it| matches!(it, Notice::Away(reason) if reason.contains("is not JSON")));
    assert_eq!(flags.evaluate(&of("ada")).await, Values::default());
    notice(&notices, |it| *it == Notice::Changed(Values::default()));
}

#[tokio::test]
async fn a_wrong_value_sets_nothing_and_is_noticed_once() {
    let directory = Directory::new("wrong");
    directory.write(&json!({
        "log-mode": flag(&[("loud", json!("loud"))], &json!({})),
        "log-level": flag(&[("number", json!(7))], &json!({})),
        "log-debug-request": flag(&[("text", json!("yes"))], &json!({})),
    }));
    let (flags, notices) = start(FlagSource::File(directory.file()));
    for caller in ["ada", "bob", "eve"] {
        assert_eq!(flags.evaluate(&of(caller)).await, Values::default());
    }
    let ignored = |notice| match notice {
        Notice::Ignored(reason) => Some(reason),
        _ => None,
    };
    let mut ignored: Vec<_> = notices.try_iter().filter_map(ignored).collect();
    ignored.sort();
    assert_eq!(ignored.len(), 3, "{ignored:?}");
    assert!(ignored[0].starts_with("the flag log-debug-request cannot be evaluated: "), "{ignored:?}");
    assert!(ignored[1].starts_with("the flag log-level cannot be evaluated: "), "{ignored:?}");
    assert_eq!(
        ignored[2],
        "the flag log-mode is `loud`, which is not allowed; allowed is one of off, stderr, sentry, both"
    );
}
