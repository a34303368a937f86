//! OPTIONS and 405 responses list a route's methods. `server.trailing_slash` determines how a trailing slash is handled.

use serde_json::json;
use system_tests::service::{Running, Service};

use super::responses_of_every_kind;
use crate::api::problem;
use crate::support::{of_kind, probe};

fn allowed(service: &Running, method: &str, path: &str) -> (u16, String) {
    let reply = service.request(method, path).send();
    let mut methods: Vec<&str> = reply.header("allow").unwrap_or("none").split(", ").collect();
    methods.sort_unstable();
    (reply.status, methods.join(" "))
}

#[test]
fn options_and_405_list_the_allowed_methods() {
    let service = probe().start();
    for (path, methods) in [
        ("/probe/run", "OPTIONS POST"),
        ("/probe/run/brief", "OPTIONS POST PUT"),
        ("/probe/endless", "GET HEAD OPTIONS"),
        ("/users", "GET HEAD OPTIONS POST"),
        ("/openapi.json", "GET HEAD OPTIONS"),
        ("/docs/", "GET HEAD OPTIONS"),
    ] {
        assert_eq!(allowed(&service, "OPTIONS", path), (204, methods.to_owned()), "{path}");
        assert_eq!(allowed(&service, "DELETE", path), (405, methods.to_owned()), "{path}");
    }
    assert_eq!(allowed(&service, "HEAD", "/probe/run").0, 405);
    problem(service.request("OPTIONS", "/nowhere"), 404);
    problem(service.request("OPTIONS", "/probe/nowhere"), 404);
    // Without configured origins a preflight is an ordinary OPTIONS request.
    let preflight = service.request("OPTIONS", "/probe/run").header("origin", "https://shop.example");
    let reply = preflight.header("access-control-request-method", "POST").send();
    assert_eq!((reply.status, reply.header("access-control-allow-origin"), reply.body.len()), (204, None, 0));
    let records = service.stop().records();
    let of_run = of_kind(&records, "response").into_iter().find(|record| record["http.route"] == "/probe/run");
    let of_run = of_run.expect("it is recorded");
    assert_eq!((&of_run["http.response.status_code"], &of_run["level"]), (&json!(204), &json!("info")));
}

#[test]
fn every_error_is_a_problem_with_id_and_record() {
    let service = probe().env("APP__SERVER__CORS__ORIGINS", "https://shop.example").start();
    for reply in responses_of_every_kind(&service, ("x-request-id", "of-every-kind")) {
        if reply.status >= 400 {
            assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{}", reply.text());
            assert_eq!(reply.json()["request_id"], "of-every-kind", "{}", reply.text());
        }
    }
    for (origin, method) in [("https://evil.example", "POST"), ("https://shop.example", "TRACE"), ("\u{fc}", "POST")] {
        let preflight = service.request("OPTIONS", "/probe/run").header("origin", origin);
        problem(preflight.header("access-control-request-method", method), 400);
    }
    problem(service.get("/users/%ff"), 401);
    problem(service.get("/docs/%ff"), 404);
    let records = service.stop().records();
    let statuses: Vec<_> =
        of_kind(&records, "response").iter().map(|record| record["http.response.status_code"].clone()).collect();
    assert_eq!(
        statuses,
        json!([204, 500, 500, 200, 401, 404, 404, 405, 406, 400, 400, 400, 401, 404]).as_array().unwrap()[..]
    );
}

fn slashes(trailing_slash: &str) -> Service {
    probe().env("APP__SERVER__TRAILING_SLASH", trailing_slash)
}

#[test]
fn a_trailing_slash_is_404_by_default() {
    let service = probe().start();
    problem(service.post("/probe/run/").json(&json!({})), 404);
    problem(service.get("/openapi.json/"), 404);
    assert_eq!(service.get("/docs/").send().status, 200);
}

#[test]
fn trailing_slash_redirects_only_to_known_routes() {
    let service = slashes("redirect").start();
    let reply = service.post("/probe/run/?a=%2F&b=/").json(&json!({})).send();
    assert_eq!((reply.status, reply.header("location")), (308, Some("/probe/run?a=%2F&b=/")));
    assert_eq!(service.get("/docs/").send().status, 200, "it has its own route");
    for path in ["/", "//", "/nowhere/", "//evil.example/", "//probe/run/", "/\\evil.example/", "/probe/run//"] {
        let reply = service.get(path).send();
        assert_eq!((reply.status, reply.header("location")), (404, None), "{path}");
    }
}

#[test]
fn trailing_slash_equal_ignores_the_slash() {
    let service = slashes("equal").start();
    assert_eq!(service.post("/probe/run/?a=b").json(&json!({})).send().status, 204);
    assert_eq!(service.request("HEAD", "/openapi.json/").send().status, 200);
    assert_eq!(service.get("/docs/").send().status, 200);
    for path in ["/", "//", "/nowhere/", "/probe/run//"] {
        problem(service.get(path), 404);
    }
    let records = service.stop().records();
    let run = of_kind(&records, "response")[0];
    assert_eq!((&run["url.path"], &run["http.route"]), (&json!("/probe/run/"), &json!("/probe/run")));
    assert_eq!(run["url.query"], "a=b");
}
