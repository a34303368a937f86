//! The HTTP layer of all routes.

mod client_address;
mod conditional_requests;
mod cors;
mod handler_timeout;
mod head;
mod idempotency;
mod load_shedding;
mod options;
mod pagination_links;
mod rate_limit;
mod request_bodies;
mod request_ids;
mod request_smuggling;
mod route_rate_limits;
mod security_headers;

use serde_json::json;
use system_tests::http::Reply;
use system_tests::service::Running;

/// One response of each kind: from a handler, an error, a panic, the router, and the middleware.
#[track_caller]
fn responses_of_every_kind(service: &Running, header: (&str, &str)) -> Vec<Reply> {
    let run = |finish| service.post("/probe/run").json(&json!({"finish": finish}));
    let requests = [
        (204, run(json!(null))),
        (500, run(json!({"error": "broken"}))),
        (500, run(json!({"panic": "broken"}))),
        (200, run(json!({"stream": {"chunks": 2, "chunk": "a"}}))),
        (401, service.get("/users")),
        (404, service.get("/nowhere")),
        (404, service.get("/probe/nowhere")),
        (405, service.get("/probe/run")),
        (406, run(json!({"respond": {"body": "a"}})).header("accept-encoding", "identity;q=0")),
    ];
    requests
        .into_iter()
        .map(|(status, request)| {
            let reply = request.header(header.0, header.1).send();
            assert_eq!(reply.status, status, "{}", reply.text());
            reply
        })
        .collect()
}
