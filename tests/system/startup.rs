//! Settings at startup: mistyped and invalid settings are reported.

use std::os::unix::ffi::OsStringExt;

use serde_json::{Value, json};
use system_tests::binaries;
use system_tests::scratch::{self, Scratch};
use system_tests::service::{Service, Stopped};

use crate::support::{of_kind, probe};

fn app() -> Service {
    Service::new(&binaries::app())
}

/// The start record of a service with these variables.
#[track_caller]
fn start_record(variables: &[(&str, &str)]) -> Value {
    let service = variables.iter().fold(probe(), |service, (name, value)| service.env(name, *value));
    let records = service.start().stop().records();
    let started = of_kind(&records, "service").into_iter().find(|record| record.get("sinks").is_some());
    started.expect("there is a start record").clone()
}

#[track_caller]
fn refusal(service: Service) -> String {
    let Stopped { status, stdout, stderr } = service.run();
    assert_eq!((status.code(), &*stdout), (Some(78), ""), "{stderr}");
    stderr.trim_end().to_owned()
}

#[test]
fn mistyped_variables_are_warnings_in_the_start_record() {
    let started = start_record(&[
        ("APP_LOG_MODE", "hunter2"),
        ("app__log__level", "hunter2"),
        ("LOG_LEVEL", "hunter2"),
        ("SENTRY_DNS", "https://hunter2@sentry.example/7"),
        ("DATABSE_URL", "postgres://ada:hunter2@db/x"),
    ]);
    assert_eq!((&started["level"], &started["kind"]), (&json!("warning"), &json!("service")));
    assert_eq!(
        started["warnings"],
        json!([
            "APP_LOG_MODE is ignored; did you mean APP__LOG__MODE?",
            "DATABSE_URL is ignored; did you mean DATABASE_URL?",
            "LOG_LEVEL is ignored; did you mean APP__LOG__LEVEL?",
            "SENTRY_DNS is ignored; did you mean SENTRY_DSN?",
            "app__log__level is ignored; did you mean APP__LOG__LEVEL?",
        ])
    );
    assert!(!started.to_string().contains("hunter2"), "values are never shown: {started}");
}

#[test]
fn variables_of_other_programs_are_ignored() {
    let started = start_record(&[
        ("APP_NAME", "shop"),
        ("APP_PORT", "tcp://10.0.0.1:80"),
        ("APP_PORT_80_TCP_PORT", "80"),
        ("APP_SERVICE_HOST", "10.0.0.1"),
        ("SERVER_PORT", "tcp://10.0.0.2:80"),
        ("LOG_DIR", "/var/log"),
        ("HOSTNAME", "web-1"),
        ("SENTRY_AUTH_TOKEN", "x"),
        ("SENTRY_ORG", "x"),
        ("SENTRY_PROJECT", "x"),
        ("PGHOST", "db"),
        ("SENTRY_DNS", ""),
    ]);
    assert_eq!((&started["level"], started.get("warnings")), (&json!("info"), None), "{started}");
}

#[test]
fn config_check_prints_the_warnings() {
    let checked =
        app().arg("config").arg("--check").env("LOG_LEVEL", "debug").env("RUST_LOG", "[checkout]=debug").run();
    assert_eq!((checked.code(), &*checked.stderr), (Some(0), ""));
    assert_eq!(
        checked.stdout,
        "warning: RUST_LOG: part 1 is ignored: it is neither LEVEL nor MODULE=LEVEL\n\
         warning: LOG_LEVEL is ignored; did you mean APP__LOG__LEVEL?\n\
         configuration OK\n"
    );
}

#[test]
fn a_given_settings_directory_must_exist() {
    let scratch = Scratch::new("directories");
    scratch::write(&scratch.join("file"), "");
    for given in ["no-such", "file"] {
        for command in [&["config", "--check"][..], &[]] {
            let service = command.iter().fold(app(), |service, argument| service.arg(*argument));
            let error = refusal(service.dir(scratch.path()).arg("--config").arg(given));
            assert_eq!(error, format!("--config {given}: no such directory"));
        }
    }
    // The default directory may be missing, and a directory may be empty.
    scratch::make_dir(&scratch.join("empty"));
    for arguments in [&["config", "--check"][..], &["config", "--check", "--config", "empty"]] {
        let service = arguments.iter().fold(app().dir(scratch.path()), |service, argument| service.arg(*argument));
        assert_eq!(service.run().code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn an_unknown_app_variable_stops_the_start() {
    for (name, value, expected) in [
        ("APP__FOO", "x", "foo (set by APP__FOO): unknown setting"),
        ("APP__FOO", "", "foo (set by APP__FOO): unknown setting"),
        ("APP__", "x", " (set by APP__): unknown setting"),
        ("APP__LOG", "x", "log (set by APP__LOG): unknown setting"),
        ("APP__LOG__MODE__X", "x", "log.mode.x (set by APP__LOG__MODE__X): unknown setting"),
        ("APP__LOG_MODE", "off", "log_mode (set by APP__LOG_MODE): unknown setting; did you mean log.mode?"),
        ("APP__LOG__LEVELS", "debug", "log.levels (set by APP__LOG__LEVELS): unknown setting"),
        ("APP__log__modus", "off", "log.modus (set by APP__log__modus): unknown setting; did you mean log.mode?"),
        ("APP__BLUEPRINTS__STOCK__LOW", "", "blueprints.stock.low (set by APP__BLUEPRINTS__STOCK__LOW): no blueprint"),
        ("APP__BLUEPRINTS__ORDERS__X", "", "blueprints.orders.x (set by APP__BLUEPRINTS__ORDERS__X): there is no such"),
        (
            "APP__BLUEPRINTS__ORDERS__USERS_URL__X",
            "x",
            "blueprints.orders.users_url.x (set by APP__BLUEPRINTS__ORDERS__USERS_URL__X): there is no such",
        ),
    ] {
        // A valid variable in addition does not hide it.
        for other in [
            None,
            Some(("APP__LOG__MODE", "stderr")),
            Some(("APP__LOG__LEVELS__HYPER", "debug")),
            Some(("APP__BLUEPRINTS__ORDERS__USERS_URL", "http://127.0.0.1:1")),
        ] {
            let service = app().arg("config").arg("--check").env(name, value);
            let error = refusal(other.into_iter().fold(service, |service, (name, value)| service.env(name, value)));
            assert!(error.starts_with(expected), "{name}={value}: {error}");
        }
    }
}

#[test]
fn non_utf8_and_duplicate_variables_are_rejected() {
    let name = std::ffi::OsString::from_vec(b"APP__LOG__MODE\xff".to_vec());
    let mut shell = std::process::Command::new(binaries::app());
    let refused = shell.args(["config", "--check"]).env_clear().env(name, "off").output().expect("it runs");
    assert_eq!(refused.status.code(), Some(78), "{}", String::from_utf8_lossy(&refused.stderr));

    let twice = app().arg("config").arg("--check").env("APP__LOG__MODE", "stderr").env("APP__log__Mode", "both");
    assert_eq!(refusal(twice), "log.mode is set by APP__LOG__MODE and by APP__log__Mode: remove one of them");
}

#[test]
fn rust_log_has_lower_precedence_than_settings() {
    let scratch = Scratch::new("rust-log");
    scratch::make_dir(&scratch.join("config"));
    scratch::write(&scratch.join("config/default.toml"), "[log.levels]\nhyper-util = \"error\"\n");
    let shown = |variables: &[(&str, &str)], key: &str| {
        let service =
            app().arg("config").dir(scratch.path()).env("RUST_LOG", "debug,hyper_util=trace,a::b=info,c=off,d");
        let stdout = variables.iter().fold(service, |service, (name, value)| service.env(name, *value)).run().stdout;
        let line = stdout.lines().find(|line| line.split_whitespace().next() == Some(key));
        line.map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" "))
    };
    for (key, expected) in [
        ("log.level", "debug RUST_LOG"),
        ("log.levels.a::b", "info RUST_LOG"),
        ("log.levels.c", "critical RUST_LOG"),
        ("log.levels.d", "trace RUST_LOG"),
        ("log.levels.hyper_util", "error config/default.toml"),
    ] {
        assert_eq!(shown(&[], key).as_deref(), Some(expected), "{key}");
    }
    assert_eq!(shown(&[("APP__LOG__LEVEL", "info")], "log.level").as_deref(), Some("info APP__LOG__LEVEL"));
    let of_blueprint = [("RUST_LOG", "blueprint_orders=trace"), ("APP__BLUEPRINTS__ORDERS__LOG__LEVEL", "error")];
    assert_eq!(shown(&of_blueprint, "log.levels.blueprint_orders"), None);
}

#[test]
fn rust_log_filters_lines() {
    let lines = |rust_log: &str| {
        let service = probe().env("RUST_LOG", rust_log).start();
        let steps = json!([{"do": "log", "level": "debug", "message": "filtered"}]);
        crate::support::run(service.client(), steps, Value::Null);
        let records = service.stop().records();
        of_kind(&records, "line").iter().filter(|record| record["message"] == "filtered").count()
    };
    assert_eq!(
        [lines("debug"), lines("info"), lines("system_tests=debug"), lines("DEBUG,system_tests=warn")],
        [1, 0, 1, 0]
    );
}

#[test]
fn invalid_cors_origins_are_rejected() {
    for origin in ["https://*.example.com", "https://*", "*.example.com", "https://shop.example:*"] {
        let error = refusal(app().arg("config").arg("--check").env("APP__SERVER__CORS__ORIGINS", origin));
        let expected = format!("server.cors.origins (set by APP__SERVER__CORS__ORIGINS): `{origin}` matches no origin");
        assert!(error.starts_with(&expected), "{error}");
    }
}
