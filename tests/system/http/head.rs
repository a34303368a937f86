//! HEAD has the response of GET without the body, on every route, and is recorded as HEAD.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use system_tests::http::Reply;
use system_tests::service::Running;

use crate::api::{Engine, member, start, text};
use crate::support::{of_kind, probe, probe_with};

/// Headers that differ between any two responses.
const VARYING: [&str; 2] = ["date", "x-request-id"];

fn headers(reply: &Reply) -> Vec<&(String, String)> {
    let mut headers: Vec<_> = reply.headers.iter().filter(|(name, _)| !VARYING.contains(&name.as_str())).collect();
    headers.sort_unstable();
    headers
}

/// The raw response to a HEAD request.
fn raw(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the service listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket accepts a timeout");
    let head = format!("HEAD {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("the service reads the request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the connection ends");
    answer
}

#[test]
fn head_matches_get_without_a_body() {
    let app = start(Engine::Sqlite.single_process());
    let ada = member(&app, "ada");
    let order = json!({"lines": [{"sku": "A-1", "quantity": 2, "unit_price_cents": 1250}]});
    let order = text(&app.post("/orders").bearer(&ada.token).json(&order).send().json(), "id");
    let paths = [
        "/users/me".to_owned(),
        format!("/users/{}", ada.id),
        "/orders".to_owned(),
        format!("/orders/{order}"),
        "/orders/nonsense".to_owned(),
        "/openapi.json".to_owned(),
        "/docs".to_owned(),
        "/docs/".to_owned(),
        "/docs/swagger-ui.css".to_owned(),
        "/nowhere".to_owned(),
        "/users/login".to_owned(),
    ];
    for path in &paths {
        for (name, value) in [("accept", "*/*"), ("accept-encoding", "gzip")] {
            let send = |method| app.request(method, path).bearer(&ada.token).header(name, value).send();
            let (get, head) = (send("GET"), send("HEAD"));
            assert_eq!(get.status, head.status, "{path}");
            assert_eq!(headers(&get), headers(&head), "{path}");
            assert!(head.header("content-length").is_some() || head.header("transfer-encoding").is_some(), "{path}");
            assert!(head.body.is_empty() && !get.body.is_empty(), "{path}");
        }
    }
    let read = app.request("HEAD", &format!("/orders/{order}")).bearer(&ada.token);
    let tag = read.clone().send().header("etag").expect("it has a tag").to_owned();
    let known = read.header("if-none-match", &tag).send();
    assert_eq!((known.status, known.header("etag")), (304, Some(tag.as_str())));
    assert_eq!(app.request("HEAD", "/users/me").send().status, 401);
    for path in ["/openapi.json", "/nowhere", "/users/login", "/users/me"] {
        let answer = raw(app.port, path);
        assert!(answer.ends_with("\r\n\r\n") && answer.matches("\r\n\r\n").count() == 1, "{answer}");
    }

    let records = app.stop().records();
    let record = |path: &str| {
        let mut of_path = of_kind(&records, "response").into_iter().filter(|record| record["url.path"] == path);
        of_path.find(|record| record["http.request.method"] == "HEAD").expect("it is recorded").clone()
    };
    let recorded = record(&format!("/orders/{order}"));
    assert_eq!((&recorded["http.response.status_code"], &recorded["outcome"]), (&json!(200), &json!("complete")));
    assert_eq!((&recorded["http.route"], &recorded["http.response.body.size"]), (&json!("/orders/{id}"), &json!(0)));
    assert_eq!(record("/users/login")["http.response.status_code"], 405);
}

#[test]
fn health_endpoints_support_head() {
    let service = probe().start();
    for path in ["/health/live", "/health/ready"] {
        let send = |method| service.management().request(method, path).send();
        let (get, head) = (send("GET"), send("HEAD"));
        assert_eq!((head.status, head.body.len(), headers(&head)), (200, 0, headers(&get)));
    }
}

#[test]
fn head_events_name_the_route() {
    let project = system_tests::peers::bugsink::Bugsink::shared().project();
    for transactions in ["0", "0.000001"] {
        let service = probe_with(&project).env("APP__SENTRY__TRACES_SAMPLE_RATE", transactions).start();
        let reply = service.request("HEAD", "/probe/endless?fail=true").send();
        assert_eq!((reply.status, reply.body.len()), (500, 0));
        assert!(service.stop().records().iter().any(|record| record["kind"] == "uncaught"));
    }
    let named: Vec<_> = project.events().iter().map(|event| text(event, "transaction")).collect();
    assert_eq!(named, ["HEAD /probe/endless"; 2]);
}

fn head_ends(service: &Running) -> bool {
    let answer = raw(service.port, "/probe/endless");
    answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("\r\n\r\n")
}

#[test]
fn head_does_not_read_an_endless_stream() {
    let service = probe().start();
    assert!(head_ends(&service));
    let records = service.stop().records();
    assert_eq!(of_kind(&records, "response")[0]["outcome"], "complete");
}
