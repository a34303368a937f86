//! The command-line interface: its output and its errors.

use serde_json::{Value, json};
use system_tests::binaries;
use system_tests::peers::bugsink::Bugsink;
use system_tests::scratch::{self, Scratch};
use system_tests::service::{Service, Stopped};

use crate::support::event_message;

fn app(arguments: &[&str]) -> Service {
    arguments.iter().fold(Service::new(&binaries::app()), |service, argument| service.arg(*argument))
}

#[track_caller]
fn stdout(arguments: &[&str]) -> String {
    let stopped = app(arguments).run();
    assert_eq!((stopped.code(), &*stopped.stderr), (Some(0), ""), "{arguments:?}");
    stopped.stdout
}

#[track_caller]
fn json_stdout(arguments: &[&str]) -> Value {
    serde_json::from_str(&stdout(arguments)).expect("--json is JSON")
}

#[track_caller]
fn startup_error(stopped: &Stopped) -> &str {
    assert_eq!(stopped.code(), Some(78), "{}", stopped.stderr);
    assert_eq!(stopped.stdout, "");
    stopped.stderr.trim_end()
}

#[test]
fn help_lists_every_command_and_flag() {
    let help = stdout(&["--help"]);
    for word in ["routes", "config", "log", "redact", "doctor", "sentry", "--mode", "--level", "--env"] {
        assert!(help.contains(word), "{word} is not in:\n{help}");
    }
}

#[test]
fn routes_lists_each_route_with_its_blueprint() {
    let routes = json_stdout(&["routes", "--json"]);
    for (method, path, blueprint) in [
        ("POST", "/users", "users"),
        ("POST", "/users/login", "users"),
        ("PATCH", "/users/{id}", "users"),
        ("GET", "/orders", "orders"),
        ("POST", "/orders/{id}/pay", "orders"),
    ] {
        let route = json!({"method": method, "path": path, "blueprint": blueprint, "response_log": "body"});
        assert!(routes.as_array().is_some_and(|routes| routes.contains(&route)), "{route} is not in {routes}");
    }
    let row = ["POST", "/orders/{id}/pay", "orders", "body"];
    assert!(stdout(&["routes"]).lines().any(|line| line.split_whitespace().eq(row)));
}

#[test]
fn disabled_blueprints_have_no_routes() {
    let routes = stdout(&["routes", "--set", "blueprints.enabled=users"]);
    assert!(routes.contains("/users") && !routes.contains("/orders"), "{routes}");
    let unknown = app(&["routes", "--set", "blueprints.enabled=no-such"]).run();
    let error = startup_error(&unknown);
    assert!(
        error.starts_with("blueprints.enabled: unknown blueprint `no-such`; compiled-in blueprints are users, orders"),
        "{error}"
    );
}

#[test]
fn config_shows_sources_and_masks_secrets() {
    let scratch = Scratch::new("config");
    scratch::make_dir(&scratch.join("config"));
    scratch::write(
        &scratch.join("config/default.toml"),
        "env = \"dev\"\n[log]\nlevel = \"debug\"\n[log.levels]\nhyper_util = \"error\"\n",
    );
    scratch::write(&scratch.join("config/dev.toml"), "[server]\nworkers = 3\n[sentry]\nrelease = \"1.10\"\n");
    let stopped = app(&["config", "--mode", "stderr"])
        .dir(scratch.path())
        .env("SENTRY_DSN", "https://s3cret@sentry.example/7")
        .env("APP__LOG__RESPONSE__REDACT", "email,phone")
        .env("SENTRY_ENVIRONMENT", "")
        .run();
    let shown = stopped.stdout;
    for (key, value, set_by) in [
        ("env", "dev", "config/default.toml"),
        ("log.level", "debug", "config/default.toml"),
        ("log.levels.hyper_util", "error", "config/default.toml"),
        ("server.workers", "3", "config/dev.toml"),
        ("sentry.release", "1.10", "config/dev.toml"),
        ("sentry.dsn", "https://[redacted]@sentry.example/7", "SENTRY_DSN"),
        ("log.response.redact", "email, phone", "APP__LOG__RESPONSE__REDACT"),
        ("log.mode", "stderr", "--mode"),
        ("server.shutdown_timeout_s", "8", "default"),
        ("sentry.environment", "-", "unset"),
    ] {
        let line = shown.lines().find(|line| line.split_whitespace().next() == Some(key));
        let line = line.unwrap_or_else(|| panic!("{key} is not in:\n{shown}"));
        assert!(line.contains(value) && line.trim_end().ends_with(set_by), "{line}");
    }
    assert!(!shown.contains("s3cret"));
}

#[test]
fn config_check_prints_only_the_result() {
    assert_eq!(stdout(&["config", "--check"]), "configuration OK\n");
    let bad = app(&["config", "--check"]).env("APP__LOG__LEVEL", "loud").run();
    assert!(startup_error(&bad).starts_with("log.level (set by APP__LOG__LEVEL): `loud` is not allowed"));
}

#[test]
fn invalid_settings_are_reported_with_source_and_fix() {
    let scratch = Scratch::new("wrong");
    scratch::make_dir(&scratch.join("config"));
    scratch::write(&scratch.join("config/default.toml"), "[log]\nmodus = \"off\"\n[sentry]\nrelease = 1.10\n");
    let stopped = app(&["--port", "99999"]).dir(scratch.path()).env("SENTRY_DSN", "https://sentry.example/7").run();
    assert_eq!(
        startup_error(&stopped).lines().collect::<Vec<_>>(),
        [
            "log.modus (set by config/default.toml): unknown setting; did you mean log.mode?",
            "sentry.dsn (set by SENTRY_DSN): invalid DSN: it has no key; expected https://KEY@HOST/PROJECT",
            "sentry.release (set by config/default.toml): `1.1` is not a string; write it in quotes",
            "server.port (set by --port): `99999` is not allowed; expected a whole number from 0 to 65535",
        ]
    );
}

#[test]
fn an_empty_value_falls_back_to_the_lower_layer() {
    let scratch = Scratch::new("empty");
    scratch::make_dir(&scratch.join("config"));
    scratch::write(&scratch.join("config/default.toml"), "[log]\nmode = \"stderr\"\n");
    scratch::write(&scratch.join("config/prod.toml"), "[log]\nmode = \"\"\n");
    let shown =
        app(&["config"]).dir(scratch.path()).env("APP__LOG__MODE", "").env("APP__BLUEPRINTS__ENABLED", ",").run();
    let line = shown.stdout.lines().find(|line| line.starts_with("log.mode")).expect("it is listed").to_owned();
    assert!(line.contains("stderr") && line.ends_with("config/default.toml"), "{line}");
}

#[test]
fn an_unreadable_settings_file_is_reported() {
    let scratch = Scratch::new("unreadable");
    scratch::make_dir(&scratch.join("config/default.toml"));
    let stopped = app(&["config", "--check"]).dir(scratch.path()).run();
    assert!(startup_error(&stopped).contains("config/default.toml cannot be read"), "{}", stopped.stderr);
}

#[test]
fn an_invalid_dsn_is_rejected() {
    for dsn in ["http://k@256.1.1.1/1", "http://k@ho<st/1", "http://:@host/1", "nonsense"] {
        let stopped = app(&["config", "--check"]).env("SENTRY_DSN", dsn).run();
        assert!(
            startup_error(&stopped).starts_with("sentry.dsn (set by SENTRY_DSN): invalid DSN"),
            "{dsn}: {}",
            stopped.stderr
        );
    }
}

#[test]
fn an_invalid_toml_file_is_reported() {
    let scratch = Scratch::new("no-toml");
    scratch::make_dir(&scratch.join("config"));
    scratch::write(&scratch.join("config/default.toml"), "[log\nlevel = 1");
    let stopped = app(&[]).dir(scratch.path()).run();
    assert!(startup_error(&stopped).contains("config/default.toml"), "{}", stopped.stderr);
}

#[test]
fn explain_prints_the_effective_table() {
    let dsn = "--set=sentry.dsn=https://key@sentry.example/7";
    let explained = stdout(&["log", "explain", dsn]);
    let row = |what: &str, level: &str| {
        let mut lines = explained.lines().filter(|line| line.starts_with(what));
        let found = lines.find(|line| line[what.len()..].trim_start().starts_with(level));
        found
            .unwrap_or_else(|| panic!("{what} {level} is not in:\n{explained}"))
            .split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .collect::<Vec<_>>()
    };
    assert_eq!(row("a log line", "info..warning"), ["a log line", "info..warning", "a line", "-", "a breadcrumb"]);
    assert_eq!(row("a log line", "error..critical")[4], "an event");
    assert_eq!(row("capture_exception", "error")[2..], ["a line", "only if not sent to Sentry", "an event"]);

    let what_if =
        json_stdout(&["log", "explain", "--json", "--mode", "sentry", "--level", "critical", "--env", "dev", dsn]);
    assert_eq!(what_if["settings"]["mode"], "sentry");
    let exception =
        what_if["rows"].as_array().and_then(|rows| rows.iter().find(|row| row["kind"] == "exception")).expect("a row");
    let expected =
        json!({"kind": "exception", "levels": ["error"], "stderr": true, "stack": "with_line", "sentry": "event"});
    assert_eq!(*exception, expected);
}

#[test]
fn explain_has_a_column_of_sentrys_logs_when_they_are_on() {
    let arguments = |more: &[&'static str]| {
        let common = ["log", "explain", "--set=sentry.dsn=https://key@sentry.example/7", "--set=log.level=warning"];
        stdout(&[&common[..], more].concat())
    };
    let on = arguments(&["--set=sentry.logs=true"]);
    let row = |start: &str| on.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}: {on}"));
    assert!(row("RECORD").ends_with("SENTRY LOGS") && row("a log line  ").ends_with('-'), "{on}");
    assert!(on.lines().any(|line| line.starts_with("a log line") && line.ends_with("a log")), "{on}");
    assert!(row("capture_exception").ends_with('-') && on.contains("sentry.logs true"), "{on}");
    let json = |more: &[&'static str]| arguments(&[&["--json"], more].concat());
    assert_eq!(json(&["--set=sentry.logs=true"]).matches(r#""logs": true"#).count(), 3, "the setting and two rows");
    assert!(!json(&[]).contains("logs") && !arguments(&[]).contains("LOGS"));
}

#[test]
fn sentry_test_reports_delivery() {
    let project = Bugsink::shared().project();
    let sent = app(&["sentry", "test"]).env("SENTRY_DSN", &project.dsn).run();
    assert_eq!(sent.code(), Some(0), "{}", sent.stderr);
    let id = sent.stdout.trim_end().rsplit(' ').next().expect("the output ends with the id");
    assert!(event_message(&project.event(id).expect("Bugsink has it")).starts_with("Test event"));

    let settings = [("SENTRY_ENVIRONMENT", "stage"), ("SENTRY_RELEASE", "shop@1.2.3"), ("SENTRY_DSN", &project.dsn)];
    let service =
        settings.iter().fold(app(&["sentry", "test", "--json"]), |service, (key, value)| service.env(key, *value));
    let printed: Value = serde_json::from_str(&service.run().stdout).expect("the event is JSON");
    let id = printed["event_id"].as_str().expect("an event has an id");
    let stored = project.event(id).expect("Bugsink has it");
    for key in ["level", "environment", "release", "exception", "tags", "server_name"] {
        assert_eq!(printed[key], stored[key], "{key}");
    }
    assert_eq!((&printed["environment"], &printed["release"]), (&json!("stage"), &json!("shop@1.2.3")));
    for line in
        ["title        TestEvent: Test event: ", "level        info\n", "environment  prod\n", "frames in the app"]
    {
        assert!(sent.stdout.contains(line), "{line} in {}", sent.stdout);
    }

    let wrong_key = project.dsn.replace(&project.key, "0123456789abcdef0123456789abcdef");
    let refused = app(&["sentry", "test"]).env("SENTRY_DSN", wrong_key).run();
    assert_eq!((refused.code(), &*refused.stdout), (Some(1), ""));
    assert!(refused.stderr.starts_with("test event not delivered: Sentry returned 40"), "{}", refused.stderr);

    let none = app(&["sentry", "test"]).run();
    assert_eq!(none.stderr, "test event not delivered: no DSN is set; set SENTRY_DSN\n");
}
