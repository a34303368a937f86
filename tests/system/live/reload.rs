//! Settings reload: on SIGHUP, or when the content of a settings file changes.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::load::Load;
use system_tests::scratch::{self, Scratch};
use system_tests::service::Running;

use super::{changes, service, state};
use crate::support::run;

fn start(config: &Path, variables: &[(&str, &str)]) -> Running {
    let service = service().arg("--config").arg(config);
    variables.iter().fold(service, |service, (key, value)| service.env(key, *value)).start()
}

fn write(config: &Path, text: &str) {
    scratch::write(&config.join("default.toml"), text);
}

/// Reloads the settings, and waits for the audit record.
fn reload(service: &Running, count: usize) -> Value {
    service.signal("HUP");
    wait_change(service, count)
}

fn wait_change(service: &Running, count: usize) -> Value {
    system_tests::wait::until("the record of the reload", Duration::from_secs(15), || {
        let records = service.records();
        let changes = changes(&records);
        (changes.len() >= count).then(|| changes[count - 1].clone())
    })
}

#[test]
fn sighup_applies_changes_and_lists_settings_needing_restart() {
    let config = Scratch::new("reload");
    write(config.path(), "log.level = \"warning\"\n");
    let service = start(config.path(), &[]);
    let version = state(&service)["version"].clone();
    write(config.path(), "log.level = \"debug\"\nlog.levels.hyper = \"error\"\nserver.max_body_bytes = 1000\n");
    let change = reload(&service, 1);
    assert_eq!(
        (&change["action"], &change["source"], &change["by"]),
        (&json!("reloaded"), &json!("signal"), &json!("SIGHUP"))
    );
    assert_eq!(change["before"], json!({"log.level": "warning"}));
    assert_eq!(change["after"], json!({"log.level": "debug", "log.levels.hyper": "error"}));
    assert_eq!(change["needs_restart"], json!(["server.max_body_bytes"]));
    let now = state(&service);
    assert_eq!((&now["configured"]["log.level"], &now["effective"]["log.level"]), (&json!("debug"), &json!("debug")));
    assert_ne!(now["version"], version);
    run(service.client(), json!([{"do": "log", "level": "debug", "message": "now shown"}]), Value::Null);
    service.wait_record("the line", |record| record["message"] == "now shown");
    // A reload without changes is recorded, too, and still lists the settings that need a restart.
    let change = reload(&service, 2);
    assert_eq!((&change["before"], &change["after"]), (&json!({}), &json!({})));
    assert_eq!(change["needs_restart"], json!(["server.max_body_bytes"]));
}

#[test]
fn settings_hidden_by_the_environment_are_reported() {
    let config = Scratch::new("reload");
    write(config.path(), "");
    let service = start(config.path(), &[("APP__LOG__LEVEL", "info")]);
    write(config.path(), "log.level = \"debug\"\n");
    let change = reload(&service, 1);
    assert_eq!(change["after"], json!({}));
    assert_eq!(change["hidden"], json!([{"key": "log.level", "set_by": "APP__LOG__LEVEL"}]));
    assert_eq!(state(&service)["effective"]["log.level"], "info");
}

#[test]
fn an_invalid_file_is_rejected_with_a_reason() {
    let config = Scratch::new("reload");
    write(config.path(), "log.level = \"warning\"\n");
    let service = start(config.path(), &[]);
    let file = config.path().join("default.toml").display().to_string();
    for (count, (text, key)) in
        [("log.level = \"loud\"\nlog.mode = \"off\"", json!("log.level")), ("log.level = ", Value::Null)]
            .iter()
            .enumerate()
    {
        write(config.path(), text);
        let change = reload(&service, count + 1);
        assert_eq!((&change["action"], &change["key"], &change["file"]), (&json!("refused"), key, &json!(file)));
        assert!(change["reason"].as_str().is_some_and(|reason| reason.contains("default.toml")), "{change}");
        assert_eq!(state(&service)["effective"]["log.level"], "warning");
    }
    let records = service.records();
    let refused = records.iter().find(|record| record["change"]["action"] == "refused").expect("there is one");
    assert_eq!((&refused["level"], &refused["kind"]), (&json!("error"), &json!("service")));
    write(config.path(), "log.level = \"error\"\n");
    assert_eq!(reload(&service, 3)["after"], json!({"log.level": "error"}));
}

#[test]
fn file_watching_follows_symlinks() {
    let scratch = Scratch::new("reload");
    for (name, text) in [
        ("one", "log.level = \"warning\"\n"),
        ("same", "log.level = \"warning\"\n"),
        ("two", "log.level = \"debug\"\n"),
    ] {
        let directory = scratch.join(name);
        std::fs::create_dir(&directory).expect("the scratch directory is writable");
        write(&directory, text);
    }
    // Like a Kubernetes ConfigMap mount: a symbolic link that is replaced atomically.
    let config = scratch.join("config");
    let swap = |name: &str| {
        let new = scratch.join("new");
        symlink(scratch.join(name), &new).expect("the scratch directory is writable");
        std::fs::rename(&new, &config).expect("the link can be replaced");
    };
    swap("one");
    let service = start(&config, &[("APP__CONFIG__WATCH_S", "1")]);
    swap("same");
    swap("two");
    let began = Instant::now();
    let change = wait_change(&service, 1);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!((&change["source"], &change["after"]), (&json!("file"), &json!({"log.level": "debug"})));
    assert_eq!(changes(&service.stop().records()).len(), 1);
}

#[test]
fn a_reload_under_load_loses_no_request() {
    let config = Scratch::new("reload");
    write(config.path(), "");
    let service = start(config.path(), &[]);
    let load = Load::start(service.port, 4, Duration::ZERO, &json!({"steps": []}));
    for n in 0..20 {
        write(config.path(), if n % 2 == 0 { "log.level = \"warning\"\n" } else { "log.level = \"info\"\n" });
        reload(&service, n + 1);
    }
    let stats = load.stop();
    assert!(stats.completed() > 100, "{stats:?}");
    assert_eq!(stats.failed, 0);
}
