//! The stack of a handler shows the frames of the service on top, and none of the framework.
//!
//! Valid with and without optimization: inlined calls are shown as well.

use std::num::ParseIntError;

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use cyanotype::test::{self, TestResponse};
use cyanotype::{Blueprint, Result};
use serde_json::Value;

struct Shop;

impl Blueprint for Shop {
    fn name(&self) -> &'static str {
        "shop"
    }

    fn prefix(&self) -> &str {
        "/shop"
    }

    fn routes(&self, scope: &mut ServiceConfig) {
        scope.route("/converted/{quantity}", web::get().to(converted));
        scope.route("/captured/{quantity}", web::get().to(captured));
        scope.route("/panicked/{quantity}", web::get().to(panicked));
    }
}

async fn converted(quantity: web::Path<String>) -> Result {
    checked(&quantity)?;
    Ok(HttpResponse::Ok().finish())
}

/// Converts the error to a problem.
fn checked(quantity: &str) -> Result<u32> {
    let quantity = parsed(quantity)?;
    Ok(quantity)
}

fn parsed(quantity: &str) -> std::result::Result<u32, ParseIntError> {
    quantity.parse()
}

async fn captured(quantity: web::Path<String>) -> Result {
    capture(&quantity);
    Ok(HttpResponse::Ok().finish())
}

fn capture(quantity: &str) {
    if let Err(error) = parsed(quantity) {
        cyanotype::capture_exception(&error);
    }
}

async fn panicked(quantity: web::Path<String>) -> Result {
    expect(&quantity);
    Ok(HttpResponse::Ok().finish())
}

fn expect(quantity: &str) -> u32 {
    parsed(quantity).expect("a quantity")
}

/// The reply at this path, and the frames of its only event: the function, and whether it belongs to the service.
async fn frames(path: &str) -> (TestResponse, Vec<(String, bool)>) {
    let service = test::serve(Shop).start().await;
    let reply = service.get(&format!("/shop/{path}/x")).send().await;
    let [event] = reply.events() else { panic!("one event: {:?}", reply.events()) };
    let frames = event["failure"]["stack"].as_array().expect("a stack");
    let frame = |frame: &Value| (frame["function"].to_string(), frame["own"] == true);
    let frames = frames.iter().map(frame).collect();
    (reply, frames)
}

/// Asserts that the stack begins with these frames of the service, and that no other frame is of the service or framework.
async fn assert_own_frames(path: &str, own: &[&str]) -> TestResponse {
    let (reply, frames) = frames(path).await;
    for (at, name) in own.iter().enumerate() {
        let (function, is_own) = &frames[at];
        assert!(function.contains(&format!("handler_stack::{name}")) && *is_own, "{name} at {at}: {frames:#?}");
    }
    assert!(frames[own.len()..].iter().all(|(_, is_own)| !is_own), "{frames:#?}");
    let framework =
        ["cyanotype::", "cyanotype_", "backtrace::", "core::panicking", "rust_begin_unwind", "tokio::runtime"];
    let is_framework = |function: &str| framework.iter().any(|part| function.contains(part));
    assert!(frames.iter().all(|(function, _)| !is_framework(function)), "{frames:#?}");
    assert!(frames.len() < 20, "frames of the server: {frames:#?}");
    reply
}

/// Asserts that the stack in the record of this kind begins with this function, in this file.
fn assert_stack_begins(reply: &TestResponse, kind: &str, function: &str) {
    let records = reply.records_of(kind);
    let [record] = records[..] else { panic!("one record: {records:?}") };
    let stack = record["exception.stacktrace"].as_str().expect("a stack");
    let mut lines = stack.lines();
    assert_eq!(lines.next(), Some(&*format!("   0: handler_stack::{function}")), "{stack}");
    assert!(lines.next().is_some_and(|line| line.contains("tests/handler_stack.rs:")), "{stack}");
}

#[actix_web::test]
async fn a_converted_error_shows_the_line_that_returned_it() {
    let reply = assert_own_frames("converted", &["checked", "converted"]).await;
    assert_eq!(reply.status, 500);
    assert_stack_begins(&reply, "uncaught", "checked");
}

#[actix_web::test]
async fn a_captured_error_shows_the_line_that_captured_it() {
    let reply = assert_own_frames("captured", &["capture", "captured"]).await;
    assert_eq!(reply.status, 200);
    assert!(reply.records_of("exception")[0].get("exception.stacktrace").is_none(), "only Sentry receives the stack");
}

#[actix_web::test]
async fn a_panic_shows_the_line_that_panicked() {
    let reply = assert_own_frames("panicked", &["expect", "panicked"]).await;
    assert_eq!(reply.status, 500);
    assert_stack_begins(&reply, "uncaught", "expect");
}
