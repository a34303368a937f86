//! Debug tokens: a signed token lowers the minimum level of one request, and changes nothing else.

use serde_json::{Value, json};
use system_tests::http::Reply;
use system_tests::peers::bugsink::Bugsink;
use system_tests::service::{Running, Service, Stopped};

use crate::support::{breadcrumbs, of_kind, probe, probe_with};

const KEY: &str = "a debug key of the tests, longer than 32 bytes";
const ROUTE: &str = "POST /probe/run";

fn keyed(service: Service) -> Service {
    service.env("APP__LOG__DEBUG_KEY", KEY)
}

/// Runs `app log token`.
fn command(args: &[&str], key: &str) -> Stopped {
    let command = probe().env("APP__LOG__DEBUG_KEY", key).arg("log").arg("token");
    args.iter().fold(command, |command, arg| command.arg(*arg)).run()
}

fn token(level: &str, route: &str, lasts: &str) -> String {
    let made = command(&["--level", level, "--route", route, "--for", lasts], KEY);
    assert_eq!((made.code(), made.stderr.as_str()), (Some(0), ""));
    let token = made.stdout.strip_suffix('\n').expect("the output ends with a line feed");
    assert!(!token.contains(char::is_whitespace), "the output is only the token: {token:?}");
    token.to_owned()
}

/// Sends a request that logs at debug, info and error.
fn send(service: &Running, id: &str, tokens: &[&str]) -> Reply {
    let lines =
        ["debug", "info"].map(|level| json!({"do": "log", "level": level, "message": format!("{level} of {id}")}));
    let crumb = json!({"do": "breadcrumb", "level": "debug", "message": "left", "data": {"password": "hunter2"}});
    let caught = json!({"do": "capture_exception", "message": format!("caught in {id}")});
    let steps: Vec<Value> = lines.into_iter().chain([crumb, caught]).collect();
    let finish =
        json!({"respond": {"status": 200, "content_type": "application/json", "body": "{\"secret\":\"hunter2\"}"}});
    let request =
        service.post("/probe/run").header("x-request-id", id).json(&json!({"steps": steps, "finish": finish}));
    tokens.iter().fold(request, |request, token| request.header("x-debug-log", token)).send()
}

/// The records of a request: level, message, and whether each has `debug`.
fn shown(records: &[Value], id: &str) -> Vec<(String, String, bool)> {
    let of_request = records.iter().filter(|record| record["request_id"] == id);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    // At debug and trace, libraries log lines, too.
    let of_request = of_request.filter(|record| {
        record["kind"] != "line" || record["target"].as_str().is_some_and(|it| it.starts_with("system_tests"))
    });
    // The order varies: a failure is written when its stack is resolved, possibly after the response.
    let mut shown: Vec<_> =
        of_request.map(|record| (text(&record["level"]), text(&record["message"]), record["debug"] == true)).collect();
    shown.sort();
    shown
}

fn row(level: &str, message: &str, marked: bool) -> (String, String, bool) {
    (level.to_owned(), message.to_owned(), marked)
}

#[test]
fn a_debug_token_lowers_the_level_on_its_route() {
    let service = keyed(probe()).start();
    let token = token("debug", ROUTE, "15m");
    send(&service, "verbose", &[&token]);
    send(&service, "plain", &[]);
    let stopped = service.stop();
    let records = stopped.records();
    assert_eq!(
        shown(&records, "verbose"),
        [
            row("debug", "debug of verbose", true),
            row("debug", "left", true),
            row("error", "caught in verbose", true),
            row("info", "POST /probe/run 200", true),
            row("info", "info of verbose", true),
        ]
    );
    assert_eq!(
        shown(&records, "plain"),
        [
            row("error", "caught in plain", false),
            row("info", "POST /probe/run 200", false),
            row("info", "info of plain", false),
        ]
    );
    assert!(!stopped.stderr.contains("hunter2") && !stopped.stderr.contains(&token), "{}", stopped.stderr);
}

#[test]
fn a_debug_token_adds_no_sink_and_no_body() {
    let token = token("trace", ROUTE, "1h");
    for (mode, lines) in [("off", 0), ("sentry", 0), ("stderr", 5)] {
        let service = keyed(probe()).env("APP__LOG__MODE", mode).env("APP__LOG__RESPONSE__BODY", "metadata").start();
        send(&service, "verbose", &[&token]);
        let records = service.stop().records();
        assert_eq!(shown(&records, "verbose").len(), lines, "{mode}");
        assert!(records.iter().all(|record| record.get("http.response.body.content").is_none()));
    }
}

#[test]
fn a_debug_token_adds_sentry_breadcrumbs() {
    let project = Bugsink::shared().project();
    let service = keyed(probe_with(&project)).env("APP__SENTRY__BREADCRUMB_LEVEL", "warning").start();
    send(&service, "verbose", &[&token("debug", ROUTE, "15m")]);
    send(&service, "plain", &[]);
    service.stop();
    let events = project.events();
    let of = |id: &str| {
        let event = events.iter().find(|event| event["tags"]["request_id"] == id).expect("the request has an event");
        assert!(!event.to_string().contains("x-debug-log"), "{event}");
        breadcrumbs(event).into_iter().filter(|crumb| crumb.ends_with(id)).collect::<Vec<_>>()
    };
    assert_eq!(of("verbose"), ["debug of verbose", "info of verbose"]);
    assert!(of("plain").is_empty());
}

#[test]
fn forged_tokens_are_ignored_and_counted_in_one_warning() {
    let service = keyed(probe()).env("APP__LOG__FLOOD__WINDOW_S", "3600").start();
    let valid = token("debug", ROUTE, "15m");
    let foreign = token("debug", "GET /orders", "15m");
    let other_key =
        command(&["--level", "debug", "--route", ROUTE], "another key of the tests, longer than 32 bytes").stdout;
    let (head, mac) = valid.rsplit_once('.').expect("a token has parts");
    let forged: Vec<String> = (0..1000)
        .map(|n| match n % 5 {
            0 => format!("{head}.{}", mac.chars().rev().collect::<String>()),
            1 => format!("{valid}{n}"),
            2 => valid[..valid.len() - 1 - n % 7].to_owned(),
            3 => other_key.trim_end().to_owned(),
            _ => foreign.clone(),
        })
        .collect();
    let script = json!({"steps": [{"do": "log", "level": "debug", "message": "hidden"}]});
    for token in &forged {
        assert_eq!(service.post("/probe/run").header("x-debug-log", token).json(&script).send().status, 204);
    }
    // Two tokens are rejected even if both are valid.
    send(&service, "twice", &[&valid, &valid]);
    send(&service, "valid", &[&valid]);
    let records = service.stop().records();
    assert!(records.iter().all(|record| record["message"] != "hidden"));
    assert!(shown(&records, "twice").iter().all(|(level, _, marked)| level != "debug" && !marked));
    assert_eq!(shown(&records, "valid")[0], row("debug", "debug of valid", true));
    let warnings: Vec<_> =
        of_kind(&records, "service").into_iter().filter(|record| record.get("refused").is_some()).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let counted: u64 =
        warnings[0]["refused"].as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum();
    assert_eq!((counted, &warnings[0]["level"]), (1001, &json!("warning")));
    assert_eq!(warnings[0]["refused"]["foreign"], 200);
}

#[test]
fn an_expired_token_is_ignored() {
    let service = keyed(probe()).start();
    let token = token("debug", ROUTE, "1s");
    let mut sent = 0;
    system_tests::wait::until("the token to expire", std::time::Duration::from_secs(10), || {
        sent += 1;
        let id = format!("request-{sent}");
        send(&service, &id, &[&token]);
        service.wait_record("the response record", |record| {
            record["kind"] == "response" && record["request_id"] == id.as_str()
        });
        shown(&service.records(), &id).iter().all(|(.., marked)| !marked).then_some(())
    });
}

#[test]
fn the_command_reports_invalid_arguments() {
    for (args, key, code, reason) in [
        (["--level", "debug", "--route", ROUTE], "", 78, "log.debug_key"),
        (["--level", "loud", "--route", ROUTE], KEY, 2, "loud"),
        (["--level", "debug", "--route", "POST /nowhere"], KEY, 1, "POST /nowhere"),
        (["--level", "debug", "--route", "/probe/run"], KEY, 1, "METHOD"),
    ] {
        let output = command(&args, key);
        assert_eq!((output.code(), output.stdout.as_str()), (Some(code), ""), "{args:?} {}", output.stderr);
        assert!(output.stderr.contains(reason), "{args:?}: {}", output.stderr);
    }
    let too_long = command(&["--level", "debug", "--route", ROUTE, "--for", "48h"], KEY);
    assert_eq!(too_long.code(), Some(1), "{}", too_long.stderr);
    assert!(too_long.stderr.contains("log.override_max_s"), "{}", too_long.stderr);
}
