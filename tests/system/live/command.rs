//! `app log show | set | clear | explain --live | watch`.

use std::fs::File;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::process_guard::{self, ProcessGuard};
use system_tests::service::{Running, Stopped};
use system_tests::{scratch, wait};

use super::{TOKEN, app_log, level, put, service, state};
use crate::support::{probe, probe_app};

#[track_caller]
fn stdout(service: &Running, arguments: &[&str]) -> String {
    let Stopped { status, stdout, stderr } = app_log(service, arguments);
    assert_eq!((status.code(), &*stderr), (Some(0), ""), "{arguments:?}: {stdout}");
    stdout
}

#[track_caller]
fn json_stdout(service: &Running, arguments: &[&str]) -> Value {
    serde_json::from_str(&stdout(service, arguments)).expect("--json is JSON")
}

#[test]
fn set_shows_changes_and_expiry() {
    let service = service().start();
    let arguments = ["set", "--level", "debug", "--blueprint", "orders", "--for", "15m", "--reason", "INC-421"];
    let shown = stdout(&service, &arguments);
    let words: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(words.contains(&vec!["SETTING", "NOW", "THEN"]), "{shown}");
    assert!(words.contains(&vec!["log.level", "info", "debug"]), "{shown}");
    assert!(words.contains(&vec!["a", "log", "line", "debug", "stderr", "-", "a", "line"]), "{shown}");
    assert!(shown.contains("INC-421:orders: log.level debug (blueprint orders) until "), "{shown}");
    assert!(shown.contains("(15m)") && shown.contains("app log clear INC-421:orders"), "{shown}");
    let state = state(&service);
    assert_eq!(state["overrides"][0]["source"], "command");
    assert_eq!(state["configured"]["log.level"], "info");

    let again = json_stdout(&service, &[&arguments[..], &["--json", "--by", "ada"]].concat());
    assert_eq!((&again["id"], &again["by"], &again["version"]), (&json!("INC-421:orders"), &json!("ada"), &json!(3)));
}

#[test]
fn a_dry_run_changes_nothing() {
    let service = service().start();
    let arguments = ["set", "--mode", "off", "--set", "sentry.sample_rate=0.5", "--reason", "x", "--dry-run"];
    let shown = stdout(&service, &arguments);
    assert!(shown.contains("log.mode") && shown.contains("sentry.sample_rate"), "{shown}");
    let json = json_stdout(&service, &[&arguments[..], &["--json"]].concat());
    assert_eq!((json["settings"].as_array().map(Vec::len), &json["version"]), (Some(2), &json!(1)));
    assert_eq!(state(&service)["version"], 1);
}

#[test]
fn override_flags_do_not_change_service_settings() {
    let service = service().start();
    let arguments = ["set", "--level", "critical", "--mode", "stderr", "--reason", "x", "--id", "a"];
    stdout(&service, &arguments);
    assert_eq!(state(&service)["overrides"][0]["set"], json!({"log.level": "critical", "log.mode": "stderr"}));
    // Settings that locate the service apply to the command.
    let wrong_port = ["set", "--level", "debug", "--reason", "x", "--set", "management.port=1"];
    assert_eq!(app_log(&service, &wrong_port).code(), Some(69));
}

#[test]
fn show_lists_overrides_and_changed_settings() {
    let service = service().start();
    assert!(stdout(&service, &["show"]).contains("no overrides"));
    put(&service, "INC-421", &level("debug", "15m"));
    let shown = stdout(&service, &["show"]);
    assert!(shown.contains("INC-421  log.level debug  everywhere"), "{shown}");
    assert!(shown.lines().any(|line| line.split_whitespace().eq(["log.level", "info", "debug"])), "{shown}");
    assert_eq!(json_stdout(&service, &["show", "--json"]), state(&service));
}

#[test]
fn clear_removes_one_or_all() {
    let service = service().start();
    for id in ["a", "b", "c"] {
        put(&service, id, &level("debug", "15m"));
    }
    assert_eq!(stdout(&service, &["clear", "b"]), "cleared: b\n");
    let missing = app_log(&service, &["clear", "b"]);
    assert_eq!((missing.code(), &*missing.stdout), (Some(1), ""));
    assert!(missing.stderr.contains("there is no such override"), "{}", missing.stderr);
    assert_eq!(json_stdout(&service, &["clear", "--all", "--json"]), json!({"cleared": ["a", "c"]}));
    assert_eq!(stdout(&service, &["clear", "--all"]), "there are no overrides\n");
    assert_eq!(app_log(&service, &["clear"]).code(), Some(2));
    assert_eq!(app_log(&service, &["clear", "../health"]).code(), Some(2));
}

#[test]
fn explain_shows_three_layers() {
    let service = service().start();
    let mut body = level("debug", "15m");
    body["blueprint"] = "orders".into();
    put(&service, "INC-421", &body);
    let live = stdout(&service, &["explain", "--live", "--blueprint", "orders"]);
    let layer = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("{name} is not in:\n{text}")).to_owned()
    };
    assert!(layer(&live, "built").contains("Sentry"));
    assert!(layer(&live, "at start").contains("log.level info"), "{live}");
    assert!(layer(&live, "now").contains("INC-421: log.level debug (blueprint orders)"), "{live}");
    assert!(live.lines().any(|line| line.split_whitespace().take(4).eq(["a", "log", "line", "debug..critical"])));

    let own = stdout(&service, &["explain"]);
    assert!(layer(&own, "now").contains("--live"), "{own}");
    let as_json = json_stdout(&service, &["explain", "--live", "--json"]);
    assert_eq!(
        as_json,
        json_stdout(&service, &["explain", "--json"]),
        "both have the same form, and here the same table"
    );
}

#[test]
fn watch_prints_one_line_per_change() {
    let service = service().start();
    let file = |name: &str| File::create(service.scratch().join(name)).expect("the scratch directory is writable");
    let mut command = process_guard::command(probe_app());
    command
        .args(["log", "watch"])
        .env("APP__MANAGEMENT__PORT", service.management_port.to_string())
        .env("APP__MANAGEMENT__TOKEN", TOKEN)
        .current_dir(service.scratch())
        .stdout(file("watched"))
        .stderr(file("watch-errors"));
    let _watching = ProcessGuard::spawn(command);
    let wait_line = |n: usize| {
        wait::until("a line of the watch", Duration::from_secs(20), || {
            scratch::read(&service.scratch().join("watched")).lines().nth(n).map(str::to_owned)
        })
    };
    assert!(wait_line(0).ends_with("version 1, 0 overrides"));
    put(&service, "a", &level("debug", "15m"));
    let set = wait_line(1);
    assert!(set.contains("version 2: set: a: log.level debug (everywhere) until "), "{set}");
    super::operator_request(&service, "DELETE", "/log/overrides/a").send();
    let cleared = wait_line(2);
    assert!(cleared.contains("version 3: a ended"), "{cleared}");
}

#[test]
fn exit_codes_distinguish_failures() {
    let service = service().start();
    let refused = app_log(&service, &["set", "--level", "loud", "--for", "25h", "--reason", "x"]);
    assert_eq!((refused.code(), &*refused.stdout), (Some(1), ""));
    assert!(refused.stderr.contains("set.log.level: ") && refused.stderr.contains("for: "), "{}", refused.stderr);
    for usage in [&["set", "--reason", "x"][..], &["set", "--level", "debug"], &["set", "--set", "x", "--reason", "x"]]
    {
        assert_eq!(app_log(&service, usage).code(), Some(2), "{usage:?}");
    }

    let command = |port: u16, token: &str| {
        let command = probe().env("APP__MANAGEMENT__PORT", port.to_string()).env("APP__MANAGEMENT__TOKEN", token);
        command.arg("log").arg("show").run()
    };
    let wrong_token = command(service.management_port, "another-token-of-16");
    assert_eq!(wrong_token.code(), Some(1));
    assert!(wrong_token.stderr.contains("management.token"), "{}", wrong_token.stderr);
    let not_management = command(service.port, TOKEN);
    assert_eq!(not_management.code(), Some(1), "{}", not_management.stderr);
    assert_eq!(command(0, TOKEN).code(), Some(78));
    let port = service.management_port;
    let stopped = service.stop();
    assert_eq!(stopped.code(), Some(0));
    let unreachable = command(port, TOKEN);
    assert_eq!((unreachable.code(), &*unreachable.stdout), (Some(69), ""));
    let address = format!("http://127.0.0.1:{port}");
    assert!(
        unreachable.stderr.contains(&address) && unreachable.stderr.contains("management.port"),
        "{}",
        unreachable.stderr
    );
    for text in [&wrong_token.stderr, &not_management.stderr, &unreachable.stderr, &stopped.stderr] {
        assert!(!text.contains(TOKEN) && !text.contains("another-token"), "{text}");
    }
}

#[test]
fn set_fleet_waits_for_all_processes() {
    let service = service().start();
    let set = app_log(&service, &["set", "--level", "debug", "--reason", "x", "--fleet"]);
    assert_eq!(set.code(), Some(0), "{}", set.stderr);
    assert!(set.stdout.ends_with("1 of 1 processes at version 1\n"), "{}", set.stdout);
    assert_eq!(state(&service)["overrides"][0]["fleet"], true);
    stdout(&service, &["clear", "--all"]);
    assert_eq!(state(&service)["overrides"], json!([]));
}
