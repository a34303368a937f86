//! Tests of the Cargo feature `sentry`. Run them with and without it:
//! `cargo test -p app` and `cargo test -p app --no-default-features`.

use std::fs;
use std::process::{Command, Output};

const APP: &str = env!("CARGO_BIN_EXE_app");
const DSN: &str = "https://key@sentry.example/7";

fn app(arguments: &[&str]) -> Command {
    let mut command = Command::new(APP);
    // The directory of this package has no `config`, so the built-in defaults apply.
    command.args(arguments).env("SENTRY_DSN", DSN).env("APP__MANAGEMENT__PORT", "0").env("PORT", "0");
    command
}

fn run(arguments: &[&str]) -> Output {
    app(arguments).output().expect("the app runs")
}

#[test]
fn only_the_feature_adds_sentry_to_the_binary() {
    let binary = fs::read(APP).expect("the app is built");
    let name = b"sentry_core";
    let found = binary.windows(name.len()).any(|bytes| bytes == name);
    assert_eq!(found, cfg!(feature = "sentry"));
}

#[test]
fn sentry_settings_are_accepted_with_and_without_the_feature() {
    let config = run(&["config", "--set", "sentry.event_level=critical"]);
    let shown = String::from_utf8_lossy(&config.stdout).into_owned();
    assert!(config.status.success() && shown.contains("https://[redacted]@sentry.example/7"), "{shown}");
    let bad = app(&["config", "--check"]).env("SENTRY_DSN", "nonsense").output().expect("the app runs");
    assert_eq!(bad.status.code(), Some(78));
}

#[test]
fn explain_names_the_features_of_the_build() {
    let explained = run(&["log", "explain"]);
    let text = String::from_utf8_lossy(&explained.stdout).into_owned();
    let expected = if cfg!(feature = "sentry") { "Sentry: a DSN is set" } else { "Sentry: not in this build" };
    assert!(text.contains(expected), "{text}");
    assert_eq!(text.contains("an event"), cfg!(feature = "sentry"), "{text}");
}

#[cfg(not(feature = "sentry"))]
#[test]
fn the_start_record_names_the_missing_feature() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let directory = test_harness::scratch::Scratch::new("app-without-sentry");
    let url = format!("sqlite://{}", directory.join("app.db").display());
    let mut running = app(&[]).env("DATABASE_URL", url).stderr(Stdio::piped()).spawn().expect("the app starts");
    let mut start = String::new();
    let stderr = running.stderr.take().expect("it is piped");
    BufReader::new(stderr).read_line(&mut start).expect("it writes");
    running.kill().and_then(|()| running.wait()).expect("it ends");
    let record: serde_json::Value = serde_json::from_str(&start).expect("a record");
    assert_eq!(record["sentry"], "built without the `sentry` feature");
    assert_eq!(record["sinks"], serde_json::json!(["stderr"]));

    let test = run(&["sentry", "test"]);
    assert_eq!(test.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&test.stderr).contains("build with the feature `sentry`"));
}
