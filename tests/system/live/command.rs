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
fn answer(service: &Running, arguments: &[&str]) -> String {
    let Stopped { status, stdout, stderr } = app_log(service, arguments);
    assert_eq!((status.code(), &*stderr), (Some(0), ""), "{arguments:?}: {stdout}");
    stdout
}

#[track_caller]
fn json_answer(service: &Running, arguments: &[&str]) -> Value {
    serde_json::from_str(&answer(service, arguments)).expect("--json is JSON")
}

#[test]
fn set_shows_what_changes_and_until_when() {
    let service = service().start();
    let arguments = ["set", "--level", "debug", "--blueprint", "orders", "--for", "15m", "--reason", "INC-421"];
    let shown = answer(&service, &arguments);
    let words: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(words.contains(&vec!["SETTING", "NOW", "THEN"]), "{shown}");
    assert!(words.contains(&vec!["log.level", "info", "debug"]), "{shown}");
    assert!(words.contains(&vec!["a", "logger", "line", "debug", "stderr", "-", "a", "line"]), "{shown}");
    assert!(shown.contains("INC-421:orders: log.level debug (blueprint orders) until "), "{shown}");
    assert!(shown.contains("(15m)") && shown.contains("app log clear INC-421:orders"), "{shown}");
    let state = state(&service);
    assert_eq!(state["overrides"][0]["source"], "command");
    assert_eq!(state["configured"]["log.level"], "info");

    let again = json_answer(&service, &[&arguments[..], &["--json", "--by", "ada"]].concat());
    assert_eq!((&again["id"], &again["by"], &again["version"]), (&json!("INC-421:orders"), &json!("ada"), &json!(3)));
}

#[test]
fn a_dry_run_changes_nothing() {
    let service = service().start();
    let arguments = ["set", "--mode", "off", "--set", "sentry.sample_rate=0.5", "--reason", "x", "--dry-run"];
    let shown = answer(&service, &arguments);
    assert!(shown.contains("log.mode") && shown.contains("sentry.sample_rate"), "{shown}");
    let json = json_answer(&service, &[&arguments[..], &["--json"]].concat());
    assert_eq!((json["settings"].as_array().map(Vec::len), &json["version"]), (Some(2), &json!(1)));
    assert_eq!(state(&service)["version"], 1);
}

#[test]
fn the_settings_of_the_service_are_not_changed_by_the_flags_of_an_override() {
    let service = service().start();
    let arguments = ["set", "--level", "critical", "--mode", "stderr", "--reason", "x", "--id", "a"];
    answer(&service, &arguments);
    assert_eq!(state(&service)["overrides"][0]["set"], json!({"log.level": "critical", "log.mode": "stderr"}));
    // Those that find the service are its own.
    let elsewhere = ["set", "--level", "debug", "--reason", "x", "--set", "management.port=1"];
    assert_eq!(app_log(&service, &elsewhere).code(), Some(69));
}

#[test]
fn show_lists_overrides_and_what_differs() {
    let service = service().start();
    assert!(answer(&service, &["show"]).contains("no overrides"));
    put(&service, "INC-421", &level("debug", "15m"));
    let shown = answer(&service, &["show"]);
    assert!(shown.contains("INC-421  log.level debug  everywhere"), "{shown}");
    assert!(shown.lines().any(|line| line.split_whitespace().eq(["log.level", "info", "debug"])), "{shown}");
    assert_eq!(json_answer(&service, &["show", "--json"]), state(&service));
}

#[test]
fn clear_ends_one_or_all() {
    let service = service().start();
    for id in ["a", "b", "c"] {
        put(&service, id, &level("debug", "15m"));
    }
    assert_eq!(answer(&service, &["clear", "b"]), "cleared: b\n");
    let missing = app_log(&service, &["clear", "b"]);
    assert_eq!((missing.code(), &*missing.stdout), (Some(1), ""));
    assert!(missing.stderr.contains("there is no such override"), "{}", missing.stderr);
    assert_eq!(json_answer(&service, &["clear", "--all", "--json"]), json!({"cleared": ["a", "c"]}));
    assert_eq!(answer(&service, &["clear", "--all"]), "there are no overrides\n");
    assert_eq!(app_log(&service, &["clear"]).code(), Some(2));
    assert_eq!(app_log(&service, &["clear", "../health"]).code(), Some(2));
}

#[test]
fn explain_shows_three_layers() {
    let service = service().start();
    let mut body = level("debug", "15m");
    body["blueprint"] = "orders".into();
    put(&service, "INC-421", &body);
    let live = answer(&service, &["explain", "--live", "--blueprint", "orders"]);
    let layer = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("{name} is not in:\n{text}")).to_owned()
    };
    assert!(layer(&live, "built").contains("Sentry"));
    assert!(layer(&live, "at start").contains("log.level info"), "{live}");
    assert!(layer(&live, "now").contains("INC-421: log.level debug (blueprint orders)"), "{live}");
    assert!(live.lines().any(|line| line.split_whitespace().take(4).eq(["a", "logger", "line", "debug..critical"])));

    let own = answer(&service, &["explain"]);
    assert!(layer(&own, "now").contains("--live"), "{own}");
    let as_json = json_answer(&service, &["explain", "--live", "--json"]);
    assert_eq!(as_json, json_answer(&service, &["explain", "--json"]), "one shape, and here one table");
}

#[test]
fn watch_prints_a_line_a_change() {
    let service = service().start();
    let file = |name: &str| File::create(service.scratch().join(name)).expect("it can be made");
    let mut command = process_guard::command(probe_app());
    command
        .args(["log", "watch"])
        .env("APP__MANAGEMENT__PORT", service.management_port.to_string())
        .env("APP__MANAGEMENT__TOKEN", TOKEN)
        .current_dir(service.scratch())
        .stdout(file("watched"))
        .stderr(file("complaints"));
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
    let gone = wait_line(2);
    assert!(gone.contains("version 3: a ended"), "{gone}");
}

#[test]
fn the_exit_status_says_what_to_do() {
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
    let not_it = command(service.port, TOKEN);
    assert_eq!(not_it.code(), Some(1), "{}", not_it.stderr);
    assert_eq!(command(0, TOKEN).code(), Some(78));
    let port = service.management_port;
    let stopped = service.stop();
    assert_eq!(stopped.code(), Some(0));
    let away = command(port, TOKEN);
    assert_eq!((away.code(), &*away.stdout), (Some(69), ""));
    let place = format!("http://127.0.0.1:{port}");
    assert!(away.stderr.contains(&place) && away.stderr.contains("management.port"), "{}", away.stderr);
    for text in [&wrong_token.stderr, &not_it.stderr, &away.stderr, &stopped.stderr] {
        assert!(!text.contains(TOKEN) && !text.contains("another-token"), "{text}");
    }
}

#[test]
fn a_fleet_is_waited_for() {
    let service = service().start();
    let set = app_log(&service, &["set", "--level", "debug", "--reason", "x", "--fleet"]);
    assert_eq!(set.code(), Some(0), "{}", set.stderr);
    assert!(set.stdout.ends_with("1 of 1 processes at version 1\n"), "{}", set.stdout);
    assert_eq!(state(&service)["overrides"][0]["fleet"], true);
    answer(&service, &["clear", "--all"]);
    assert_eq!(state(&service)["overrides"], json!([]));
}
