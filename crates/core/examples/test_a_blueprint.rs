//! Tests a blueprint: serves it alone, in memory, and checks its responses, records and events. In a blueprint crate this is
//! a function with `#[actix_web::test]` in `tests/`.
//!
//! `cargo run -p cyanotype --features test --example test_a_blueprint`

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use cyanotype::extract::Path;
use cyanotype::{Blueprint, Problem, Result, test};
use serde_json::json;

struct Doors;

impl Blueprint for Doors {
    fn name(&self) -> &'static str {
        "doors"
    }

    fn prefix(&self) -> &str {
        "/doors"
    }

    fn routes(&self, scope: &mut ServiceConfig) {
        scope.route("/{name}", web::get().to(read));
    }
}

async fn read(Path(name): Path<String>) -> Result {
    match &*name {
        "back" => Ok(HttpResponse::Ok().json(json!({"door": "back", "pin": "2580"}))),
        "jammed" => Err("twelve".parse::<u32>().expect_err("not a number").into()),
        _ => Err(Problem::not_found("door")),
    }
}

#[actix_web::main]
async fn main() {
    let service = test::serve(Doors).start().await;

    let response = service.get("/doors/back").send().await;
    assert_eq!((response.status, response.json()["pin"].as_str()), (200, Some("2580")));
    assert_eq!(response.response_record()["http.route"], "/doors/{name}");
    response.assert_never_logged("2580");

    let response = service.get("/doors/jammed").send().await;
    assert_eq!((response.status, response.events().len()), (500, 1), "a failure sends one event");

    let response = service.get("/doors/front").send().await;
    assert_eq!((response.status, response.events().len()), (404, 0), "a client error sends none");
}
