//! Serves the blueprint with a fake of the users blueprint.

use std::sync::Arc;

use blueprint_orders::Orders;
use blueprint_users::{Exists, UserDirectory};
use cyanotype::Executor;
use cyanotype::auth::{Authenticator, Caller};
use cyanotype::test::{self, TestService, Tokens};
use serde_json::json;
use uuid::Uuid;

const ADA: Uuid = Uuid::from_u128(1);
const DELETED_USER: Uuid = Uuid::from_u128(2);

/// A directory that contains only Ada.
struct OnlyAda;

impl UserDirectory for OnlyAda {
    fn exists<'a>(&'a self, _: &'a Caller, id: Uuid) -> Exists<'a> {
        Box::pin(async move { Ok(id == ADA) })
    }
}

async fn start() -> TestService {
    let users = |resources: &cyanotype::Resources| {
        resources.provide::<dyn Authenticator>(Arc::new(Tokens::from([
            ("token-of-ada", ADA),
            ("token-of-deleted-user", DELETED_USER),
        ])));
        resources.provide::<dyn UserDirectory>(Arc::new(OnlyAda));
    };
    test::serve(Orders).fake("users", users).start().await
}

fn order() -> serde_json::Value {
    json!({"lines": [{"sku": "A-1", "quantity": 2, "unit_price_cents": 1250}]})
}

#[actix_web::test]
async fn the_logged_response_is_the_order() {
    let service = start().await;
    let placed = service.post("/orders").bearer("token-of-ada").json(&order()).send().await;
    assert_eq!((placed.status, &placed.json()["total_cents"]), (201, &json!(2500)));
    assert_eq!(placed.recorded_json(), placed.json());
    assert_eq!(placed.response_record()["blueprint"], "orders");
    let messages: Vec<_> = placed.records_of("line").iter().map(|line| line["message"].clone()).collect();
    assert_eq!(messages, ["order placed"]);
    assert!(placed.events().is_empty());
    placed.assert_never_logged("token-of-ada");
}

#[actix_web::test]
async fn a_deleted_user_cannot_place_an_order() {
    let service = start().await;
    let rejected = service.post("/orders").bearer("token-of-deleted-user").json(&order()).send().await;
    assert_eq!(rejected.status, 409, "{}", rejected.text());
    assert_eq!(service.get("/orders").bearer("token-of-deleted-user").send().await.json()["items"], json!([]));
}

#[actix_web::test]
async fn sensitive_fields_are_never_logged() {
    let service = start().await;
    let placed = service.post("/orders").bearer("token-of-ada").json(&order()).send().await.json();
    let id = placed["id"].as_str().expect("an order has an id");
    service.plant_canaries(Some("token-of-ada"), id).await.assert_never_logged();
    // A failure has more records, and an event.
    service.database().execute("DROP TABLE order_lines", &[]).await.expect("the table exists");
    service.plant_canaries(Some("token-of-ada"), id).await.assert_never_logged();
}

#[actix_web::test]
async fn a_failure_produces_one_record_and_one_event() {
    let service = start().await;
    service.database().execute("DROP TABLE order_lines", &[]).await.expect("the table exists");
    let failed = service.post("/orders").bearer("token-of-ada").json(&order()).send().await;
    assert_eq!((failed.status, failed.records_of("uncaught").len()), (500, 1));
    assert_eq!(failed.events().len(), 1);
    assert_eq!(failed.json()["sentry_event_id"], failed.events()[0]["event_id"]);
}
