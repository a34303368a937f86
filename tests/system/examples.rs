//! Each example works as its module documentation states.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::http::Client;
use system_tests::peers::bugsink::Bugsink;
use system_tests::process_guard::{self, ProcessGuard};
use system_tests::scratch::{self, Scratch};
use system_tests::service::Service;
use system_tests::{binaries, ports, wait};

use crate::support::event_message;

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn custom_sink_writes_events_to_a_file() {
    let directory = Scratch::new("custom_sink");
    let file = directory.join("events.jsonl");
    run(&binaries::example("custom_sink"), &[file.to_str().expect("a scratch path is ASCII")]);
    let events = scratch::read(&file);
    let event: Value = serde_json::from_str(events.trim()).expect("one event is one line of JSON");
    assert_eq!(event["failure"]["chain"][0]["message"], "invalid digit found in string", "{event:#}");
}

#[test]
fn test_a_blueprint_passes() {
    run(&binaries::example("test_a_blueprint"), &[]);
}

#[test]
fn existing_service_responds_and_records() {
    let (directory, port) = (Scratch::new("existing_service"), ports::free());
    let stderr = directory.join("stderr");
    let mut command = process_guard::command(binaries::example("existing_service"));
    command.env("PORT", port.to_string()).env("APP_ENV", "prod").current_dir(directory.path());
    command.stderr(std::fs::File::create(&stderr).expect("the directory is new"));
    let mut guard = ProcessGuard::spawn(command);
    let request = || Client::new(port).get("/hello/ada").try_send().ok();
    assert_eq!(wait::until("the example to respond", LIMIT, request).json()["hello"], "ada");
    guard.signal("TERM");
    assert!(guard.wait_exit(LIMIT).success());
    let lines = scratch::read(&stderr);
    assert!(lines.contains("GET /hello/ada 200") && !lines.contains("t0p-s3cret"), "{lines}");
}

#[test]
fn an_early_return_from_main_loses_nothing() {
    let project = Bugsink::shared().project();
    let service = Service::new(Path::new(env!("CARGO_BIN_EXE_existing-app"))).arg("--wrapped");
    let stopped = service.env("SENTRY_DSN", &project.dsn).env("FAIL_EARLY", "1").run();
    assert_eq!(stopped.code(), Some(1), "{}", stopped.stderr);
    assert!(stopped.stderr.contains("about to fail"), "{}", stopped.stderr);
    assert_eq!(project.events().iter().map(event_message).collect::<Vec<_>>(), ["captured before the failure"]);
}

#[test]
fn blueprint_by_hand_reads_its_table() {
    let service = Service::new(&binaries::example("blueprint_by_hand")).start();
    let reply = Client::new(service.port).get("/stock/bolt").send();
    assert_eq!((reply.status, reply.json()), (200, json!({"sku": "bolt", "count": 12})));
    assert_eq!(service.stop().code(), Some(0));
}

#[test]
fn blueprint_settings_are_used_and_checked() {
    let example = binaries::example("blueprint_settings");
    let service = Service::new(&example).env("APP__BLUEPRINTS__GREETER__TIMES", "2").start();
    assert_eq!(Client::new(service.port).get("/greeter").send().text(), "Hello Hello");
    assert_eq!(service.stop().code(), Some(0));
    let refused = Service::new(&example).env("APP__BLUEPRINTS__GREETER__TIMES", "11").run();
    assert_eq!(refused.code(), Some(78), "{}", refused.stderr);
}

/// Runs an example that ends by itself.
#[track_caller]
fn run(example: &Path, arguments: &[&str]) {
    let output = Command::new(example).args(arguments).output().expect("the example was built");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
