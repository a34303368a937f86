//! The compose file: valid, and in agreement with the program and the image.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use system_tests::peers::venv;
use system_tests::process_guard;
use system_tests::scratch::{self, Scratch};
use system_tests::service::Service;
use system_tests::{binaries, service::Stopped};

use crate::succeed;

const TO_JSON: &str = "import json, ruamel.yaml, sys
print(json.dumps(ruamel.yaml.YAML(typ='safe').load(open(sys.argv[1]))))";

fn file() -> PathBuf {
    scratch::workspace().join("deploy/container/compose.yaml")
}

fn compose() -> Value {
    let mut python = process_guard::command(venv::containers());
    python.args(["-c", TO_JSON]).arg(file());
    serde_json::from_str(&succeed(python, &Scratch::new("compose"))).expect("JSON")
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The settings of a service, from its environment and its secrets.
#[track_caller]
fn settings(compose: &Value, service: &Value) -> BTreeMap<String, String> {
    let scratch = Scratch::new("compose");
    let secrets = texts(&service["secrets"]);
    let mut app = Service::new(&binaries::app()).arg("config").arg("--json");
    app = app.arg("--config").arg(scratch::workspace().join("deploy/container"));
    // The harness sets these for each service; empty values are as if unset.
    for key in ["APP__SERVER__PORT", "APP__MANAGEMENT__PORT", "APP__DATABASE__URL"] {
        app = app.env(key, "");
    }
    for (key, value) in service["environment"].as_object().expect("an environment") {
        let mut value = value.as_str().expect("values are texts").to_owned();
        if let Some(name) = value.strip_prefix("/run/secrets/") {
            assert!(secrets.contains(&name), "{key} is in the secret {name}, which the service does not have");
            assert!(compose["secrets"][name]["file"].is_string(), "the secret {name} is a file");
            let is_dsn = name == "sentry_dsn";
            let content =
                if is_dsn { "http://key@bugsink:8000/1" } else { "postgres://cyanotype:p@database/cyanotype" };
            scratch::write(&scratch.join(name), content);
            value = scratch.join(name).display().to_string();
        }
        app = app.env(key, value);
    }
    let Stopped { status, stdout, stderr } = app.run();
    assert!(status.success(), "{stderr}");
    let origins: Vec<Value> = serde_json::from_str(&stdout).expect("--json is JSON");
    let text = |origin: &Value, key: &str| origin[key].as_str().unwrap_or_default().to_owned();
    origins.iter().map(|origin| (text(origin, "key"), text(origin, "value"))).collect()
}

#[test]
fn the_compose_file_is_valid() {
    let mut python = process_guard::command(venv::containers());
    python.args(["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]).arg(file());
    succeed(python, &Scratch::new("compose"));
}

#[test]
fn the_compose_file_agrees_with_the_program() {
    let compose = compose();
    let app = &compose["services"]["app"];
    let settings = settings(&compose, app);
    let number = |key: &str| settings.get(key).map_or(0, |it| it.parse::<u32>().expect("a number"));

    let grace = number("server.drain_s") + number("server.shutdown_timeout_s") + 2;
    assert_eq!(app["stop_grace_period"], format!("{grace}s"), "drain + shutdown + 2");
    let port = &settings["server.port"];
    assert_eq!(texts(&app["ports"]), [format!("127.0.0.1:{port}:{port}")]);
    assert_eq!(settings["server.host"], "0.0.0.0", "a published port reaches the listener");
    let state = "/var/lib/cyanotype";
    assert!(settings["sentry.spool_dir"].starts_with(state), "{}", settings["sentry.spool_dir"]);
    assert_eq!(texts(&app["volumes"]), [format!("state:{state}")]);
    assert_eq!(settings["database.migrate_at_start"], "false");
    let migrate = &compose["services"]["migrate"];
    assert_eq!(texts(&migrate["command"]), ["db", "migrate"]);
    assert_eq!((&migrate["environment"], &migrate["secrets"]), (&app["environment"], &app["secrets"]));
    assert_eq!(app["depends_on"]["migrate"]["condition"], "service_completed_successfully");
    for service in [app, migrate] {
        assert_eq!((&service["read_only"], texts(&service["cap_drop"])), (&Value::Bool(true), vec!["ALL"]));
        assert_eq!(texts(&service["security_opt"]), ["no-new-privileges:true"]);
    }
    let limit: u64 = settings["log.max_line_bytes"].parse().expect("a number");
    assert!(limit < 16 * 1024, "Docker's drivers cut longer lines");
}

#[test]
fn the_containerfile_names_the_ports_and_directories_of_the_program() {
    let text = scratch::read(&scratch::workspace().join("deploy/container/Containerfile"));
    let compose = compose();
    let settings = settings(&compose, &compose["services"]["app"]);
    let expose = format!("EXPOSE {} {}", settings["server.port"], settings["management.port"]);
    assert!(text.lines().any(|line| line == expose), "{expose}");
    let rust = fs::read_to_string(scratch::workspace().join("Cargo.toml")).expect("the manifest is text");
    let minimum =
        rust.lines().find_map(|line| line.strip_prefix("rust-version = ")).expect("a minimum").trim_matches('"');
    let image = text.lines().find_map(|line| line.strip_prefix("ARG RUST_IMAGE=docker.io/library/rust:"));
    let version = image.and_then(|it| it.split_once('-')).expect("a version of Rust").0;
    let minor = |version: &str| version.split('.').nth(1).and_then(|it| it.parse::<u32>().ok()).expect("1.x");
    assert!(minor(version) >= minor(minimum), "Rust {version} is older than rust-version, {minimum}");
}
