//! Feature flags from a file control what is logged for a request.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use cyanotype::auth::{Authenticator, Caller};
use cyanotype::test::{self, TestResponse, TestService, Tokens};
use cyanotype::{Blueprint, Result};
use serde_json::{Value, json};
use test_harness::scratch::Scratch;
use uuid::Uuid;

const ADA: Uuid = Uuid::from_u128(1);
const BOB: Uuid = Uuid::from_u128(2);

struct Doors;

impl Blueprint for Doors {
    fn name(&self) -> &'static str {
        "doors"
    }

    fn prefix(&self) -> &str {
        "/doors"
    }

    fn routes(&self, scope: &mut ServiceConfig) {
        scope.route("/mine", web::get().to(mine));
        scope.route("/{name}", web::get().to(door));
        scope.route("/{name}/secret", web::get().to(door));
    }
}

async fn mine(_: Caller) -> Result {
    tracing::debug!("looked");
    Ok(HttpResponse::Ok().finish())
}

async fn door() -> Result {
    tracing::debug!("looked");
    tracing::info!("opened");
    Ok(HttpResponse::Ok().finish())
}

/// A flag with the second value where the rule matches, and otherwise the first.
fn flag(first: &Value, second: &Value, rule: &Value) -> Value {
    json!({
        "state": "ENABLED", "defaultVariant": "first", "variants": {"first": first, "second": second},
        "targeting": {"if": [rule, "second", "first"]},
    })
}

/// Debug for the caller ada and for one route; mode `off` for another route.
fn flags() -> Value {
    let is = |name: &str, value: &str| json!({"==": [{"var": name}, value]});
    let is_debug = json!({"or": [is("targetingKey", &ADA.to_string()), is("route", "GET /doors/{name}")]});
    json!({"flags": {
        "log-debug-request": flag(&json!(false), &json!(true), &is_debug),
        "log-mode": flag(&json!("both"), &json!("off"), &json!({"and": [
            is("route", "GET /doors/{name}/secret"), is("blueprint", "doors"), is("service", "test"),
        ]})),
    }})
}

/// A service, and the directory of its flags.
async fn serve() -> (TestService, Scratch) {
    let directory = Scratch::new("core-flags");
    let file = directory.join("flags.json");
    fs::write(&file, flags().to_string()).expect("the file is written");
    let tokens = || Arc::new(Tokens::from([("ada", ADA), ("bob", BOB)]));
    let service = test::serve(Doors)
        .fake("users", move |resources| resources.provide::<dyn Authenticator>(tokens()))
        .set("flags.provider", "flagd")
        .set("flags.file", &file.display().to_string());
    (service.start().await, directory)
}

fn messages(reply: &TestResponse) -> Vec<&str> {
    reply.records_of("line").iter().filter_map(|line| line["message"].as_str()).collect()
}

/// Sends requests until the records are as expected: on a busy machine an evaluation may be late and have no effect.
async fn eventually(send: impl AsyncFn() -> TestResponse, is: impl Fn(&TestResponse) -> bool) -> TestResponse {
    let began = Instant::now();
    loop {
        let reply = send().await;
        assert_eq!(reply.status, 200);
        if is(&reply) {
            return reply;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{:#?}", reply.records());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[actix_web::test]
async fn flags_apply_to_a_route_and_to_a_caller() {
    let (service, _directory) = serve().await;
    // Evaluated when the route is known.
    eventually(async || service.get("/doors/back").send().await, |reply| messages(reply) == ["looked", "opened"]).await;
    // Evaluated when the caller is known.
    eventually(async || service.get("/doors/mine").bearer("ada").send().await, |reply| messages(reply) == ["looked"])
        .await;
    let reply = service.get("/doors/mine").bearer("bob").send().await;
    assert_eq!((reply.status, messages(&reply)), (200, vec![]));
    assert_eq!(reply.response_record()["http.route"], "/doors/mine");
    // The mode can be set as well.
    eventually(async || service.get("/doors/back/secret").send().await, |reply| reply.records().is_empty()).await;
}
