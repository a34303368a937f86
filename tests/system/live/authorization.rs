//! Authorization of log control.

use system_tests::http::Reply;

use super::{TOKEN, changes, level, operator_request, put, service, state};
use crate::support::probe;

#[track_caller]
fn detail(reply: &Reply) -> String {
    reply.json()["detail"].as_str().expect("a problem has a detail").to_owned()
}

#[test]
fn without_a_token_log_control_is_read_only() {
    let service = probe().start();
    let management = service.management();
    for path in ["/log", "/log/explain", "/log/fleet", "/health/live", "/openapi.json"] {
        assert_eq!(management.get(path).send().status, 200, "{path}");
    }
    let put = management.request("PUT", "/log/overrides/a").json(&level("debug", "1m")).send();
    let delete = management.delete("/log/overrides/a").send();
    for refused in [put, delete] {
        assert_eq!(refused.status, 403);
        let detail = detail(&refused);
        assert!(detail.contains("management.token") && detail.contains("management.socket"), "{detail}");
    }
    assert_eq!(management.get("/log").send().json()["version"], 1);
}

#[test]
fn a_configured_token_is_required_for_everything() {
    let service = service().start();
    let management = service.management();
    for wrong in [None, Some("s3cret-token-of-the-managemenT"), Some("s3cret"), Some("")] {
        for (method, path) in [
            ("GET", "/log"),
            ("GET", "/log/explain"),
            ("GET", "/log/fleet"),
            ("GET", "/log/none"),
            ("PUT", "/log/overrides/a"),
            ("DELETE", "/log/overrides/a"),
        ] {
            let request = management.request(method, path).json(&level("debug", "1m"));
            let reply = wrong.map_or(request.clone(), |wrong| request.bearer(wrong)).send();
            assert_eq!(reply.status, 401, "{method} {path} {wrong:?}");
            assert!(reply.header("www-authenticate").is_some_and(|scheme| scheme.starts_with("Bearer")));
        }
    }
    for path in ["/health/live", "/health/ready", "/openapi.json"] {
        assert_eq!(management.get(path).send().status, 200, "{path}");
    }
    assert_eq!(state(&service)["version"], 1);
    assert_eq!(put(&service, "a", &level("debug", "1m")).status, 201);
}

#[test]
fn changes_from_web_pages_are_rejected() {
    let service = service().start();
    let request = operator_request(&service, "PUT", "/log/overrides/a").json(&level("debug", "1m"));
    let reply = request.header("origin", "http://127.0.0.1:8081").send();
    assert_eq!((reply.status, &state(&service)["version"]), (403, &1.into()));
    assert_eq!(operator_request(&service, "GET", "/log").header("origin", "null").send().status, 200);
}

#[test]
fn the_api_listener_has_no_log_routes() {
    let service = service().start();
    for path in ["/log", "/log/explain", "/log/overrides/a"] {
        assert_eq!(service.get(path).bearer(TOKEN).send().status, 404, "{path}");
    }
}

#[test]
fn the_token_is_never_shown() {
    let service = service().start();
    let management = service.management();
    let mut shown = String::new();
    for request in [
        operator_request(&service, "GET", "/log"),
        operator_request(&service, "GET", "/log/explain"),
        operator_request(&service, "PUT", "/log/overrides/a").json(&level("debug", "1m")),
        operator_request(&service, "PUT", "/log/overrides/a b").json(&level("debug", "1m")),
        operator_request(&service, "DELETE", "/log/overrides/b"),
        management.request("PUT", "/log/overrides/a").bearer(&TOKEN[1..]).json(&level("debug", "1m")),
        management.request("PUT", "/log/overrides/a").header("authorization", TOKEN).json(&level("debug", "1m")),
    ] {
        shown.push_str(&request.send().body.iter().map(|byte| char::from(*byte)).collect::<String>());
    }
    let config = service.sibling().env("APP__MANAGEMENT__TOKEN", TOKEN).arg("config").run();
    let short = service.sibling().env("APP__MANAGEMENT__TOKEN", &TOKEN[..7]).arg("config").run();
    let stopped = service.stop();
    assert!(!changes(&stopped.records()).is_empty());
    for text in [&shown, &config.stdout, &config.stderr, &short.stderr, &stopped.stderr] {
        assert!(!text.contains(&TOKEN[..7]), "{text}");
    }
    assert_eq!(short.code(), Some(78));
}
