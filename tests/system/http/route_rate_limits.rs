//! Rate limits of blueprints and routes, in addition to the server's; settings take precedence.

use system_tests::http::Reply;
use system_tests::service::{Running, Service};

use crate::support::probe;

const LIMITED: &str = "/probe/run/limited";

fn set(settings: &[(&str, &str)]) -> Service {
    settings
        .iter()
        .fold(probe(), |service, (name, value)| service.env(&format!("APP__BLUEPRINTS__PROBE__{name}"), *value))
}

fn post(service: &Running, path: &str) -> Reply {
    service.post(path).json(&serde_json::json!({})).send()
}

fn statuses(service: &Running, requests: &[(&str, &str)]) -> Vec<u16> {
    let send =
        |(method, path): &(&str, &str)| service.request(method, path).body("application/json", "{}").send().status;
    requests.iter().map(send).collect()
}

#[test]
fn a_route_limit_applies_to_that_route_only() {
    let service = probe().start();
    let two: Vec<_> = [post(&service, LIMITED), post(&service, LIMITED)].iter().map(remaining).collect();
    assert_eq!(two, ["2 1", "2 0"]);
    let refused = post(&service, LIMITED);
    assert_eq!((refused.status, remaining(&refused)), (429, "2 0".to_owned()));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    assert_eq!(statuses(&service, &[("PUT", LIMITED), ("POST", "/probe/run")]), [204, 204]);
    assert_eq!(post(&service, "/probe/run").header("ratelimit-limit"), None);
}

#[test]
fn percent_encoded_paths_share_the_route_limit() {
    let service = probe().start();
    let spelt = [LIMITED, "/probe/run/%6Cimited", "/%70robe/run/limited"].map(|path| post(&service, path));
    assert_eq!(spelt.each_ref().map(|reply| reply.status), [204, 204, 429]);
    let records = service.stop().records();
    let routes: Vec<_> = records.iter().filter(|it| it["kind"] == "response").map(|it| &it["http.route"]).collect();
    assert_eq!(routes, [LIMITED; 3]);
}

fn remaining(reply: &Reply) -> String {
    let header = |name| reply.header(name).unwrap_or("none");
    format!("{} {}", header("ratelimit-limit"), header("ratelimit-remaining"))
}

#[test]
fn all_limits_count_and_the_tightest_is_reported() {
    let service = set(&[("RATE_LIMIT__REQUESTS", "4"), ("RATE_LIMIT__WINDOW_S", "3600")]);
    let service = service.env("APP__SERVER__RATE_LIMIT__REQUESTS", "6");
    let service = service.env("APP__SERVER__RATE_LIMIT__WINDOW_S", "3600").start();
    assert_eq!(remaining(&post(&service, LIMITED)), "2 1");
    assert_eq!(remaining(&post(&service, "/probe/run")), "4 2");
    // Paths without a route count, too.
    assert_eq!(remaining(&service.get("/probe/nowhere").send()), "4 1");
    assert_eq!(remaining(&service.get("/nowhere").send()), "6 2");
    assert_eq!(remaining(&post(&service, "/probe/run")), "4 0");
    assert_eq!(post(&service, "/probe/run").status, 429);
    assert_eq!(service.get("/nowhere").send().status, 429, "requests that the blueprint rejects count for the server");
}

#[test]
fn settings_override_route_limits() {
    let service = set(&[("RATE_LIMIT__ROUTES", "POST /probe/run/limited 0/1, /probe/run/brief 1/3600")]).start();
    assert_eq!(statuses(&service, &[("POST", LIMITED); 4]), [204; 4]);
    let brief = "/probe/run/brief";
    assert_eq!(statuses(&service, &[("POST", brief), ("PUT", brief)]), [204, 429], "all methods together");
}

#[test]
fn a_limit_for_an_unknown_route_stops_the_start() {
    for (value, expected) in [
        ("GET /probe/run 1/60", "the blueprint probe has a rate limit for the unknown route `GET /probe/run`"),
        ("/users 1/60", "the blueprint probe has a rate limit for the unknown route `/users`"),
        (
            "POST /probe/run",
            "blueprints.probe.rate_limit.routes (set by APP__BLUEPRINTS__PROBE__RATE_LIMIT__ROUTES): `POST /probe/run` is not a \
             route limit",
        ),
    ] {
        let refused = set(&[("RATE_LIMIT__ROUTES", value)]).run();
        assert_eq!(refused.code(), Some(78));
        assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    }
}
