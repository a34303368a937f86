//! What the feature `sentry` decides when the app is built. Run with and without it:
//! `cargo test -p app` and `cargo test -p app --no-default-features`.

use std::fs;
use std::process::{Command, Output};

const APP: &str = env!("CARGO_BIN_EXE_app");
const DSN: &str = "https://key@sentry.example/7";

fn app(arguments: &[&str]) -> Command {
    let mut command = Command::new(APP);
    // The directory of this package has no `config`: the built-in defaults are in force.
    command.args(arguments).env("SENTRY_DSN", DSN).env("APP__MANAGEMENT__PORT", "0").env("PORT", "0");
    command
}

fn answer(arguments: &[&str]) -> Output {
    app(arguments).output().expect("the app runs")
}

#[test]
fn sentrys_code_is_in_the_binary_only_with_the_feature() {
    let binary = fs::read(APP).expect("the app is built");
    let name = b"sentry_core";
    let found = binary.windows(name.len()).any(|bytes| bytes == name);
    assert_eq!(found, cfg!(feature = "sentry"));
}

#[test]
fn sentrys_settings_are_accepted_either_way() {
    let config = answer(&["config", "--set", "sentry.event_level=critical"]);
    let shown = String::from_utf8_lossy(&config.stdout).into_owned();
    assert!(config.status.success() && shown.contains("https://[redacted]@sentry.example/7"), "{shown}");
    let bad = app(&["config", "--check"]).env("SENTRY_DSN", "nonsense").output().expect("the app runs");
    assert_eq!(bad.status.code(), Some(78));
}

#[test]
fn explain_says_what_the_build_can_do() {
    let explained = answer(&["log", "explain"]);
    let text = String::from_utf8_lossy(&explained.stdout).into_owned();
    let expected = if cfg!(feature = "sentry") { "Sentry: a DSN is set" } else { "Sentry: not in this build" };
    assert!(text.contains(expected), "{text}");
    assert_eq!(text.contains("an event"), cfg!(feature = "sentry"), "{text}");
}

#[cfg(not(feature = "sentry"))]
#[test]
fn the_start_says_that_there_is_no_sentry() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let database = std::env::temp_dir().join(format!("app-without-sentry-{}.db", std::process::id()));
    let url = format!("sqlite://{}", database.display());
    let mut running = app(&[]).env("DATABASE_URL", url).stderr(Stdio::piped()).spawn().expect("the app starts");
    let mut start = String::new();
    let stderr = running.stderr.take().expect("it is piped");
    BufReader::new(stderr).read_line(&mut start).expect("it writes");
    running.kill().and_then(|()| running.wait()).expect("it ends");
    for end in ["", "-wal", "-shm", ".lock"] {
        let _ = fs::remove_file(format!("{}{end}", database.display()));
    }
    let record: serde_json::Value = serde_json::from_str(&start).expect("a record");
    assert_eq!(record["sentry"], "built without the `sentry` feature");
    assert_eq!(record["sinks"], serde_json::json!(["stderr"]));

    let test = answer(&["sentry", "test"]);
    assert_eq!(test.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&test.stderr).contains("build with the feature `sentry`"));
}
