//! The blueprint without the users blueprint: somebody stands in for it.

use std::sync::Arc;

use blueprint_orders::Orders;
use blueprint_users::{Exists, UserDirectory};
use cyanotype::Executor;
use cyanotype::auth::{Authenticator, Caller};
use cyanotype::test::{self, TestService, Tokens};
use serde_json::json;
use uuid::Uuid;

const ADA: Uuid = Uuid::from_u128(1);
const GHOST: Uuid = Uuid::from_u128(2);

/// Knows Ada alone.
struct OnlyAda;

impl UserDirectory for OnlyAda {
    fn exists<'a>(&'a self, _: &'a Caller, id: Uuid) -> Exists<'a> {
        Box::pin(async move { Ok(id == ADA) })
    }
}

async fn start() -> TestService {
    let users = |resources: &cyanotype::Resources| {
        resources.provide::<dyn Authenticator>(Arc::new(Tokens::from([("of-ada", ADA), ("of-a-ghost", GHOST)])));
        resources.provide::<dyn UserDirectory>(Arc::new(OnlyAda));
    };
    test::serve(Orders).fake("users", users).start().await
}

fn order() -> serde_json::Value {
    json!({"lines": [{"sku": "A-1", "quantity": 2, "unit_price_cents": 1250}]})
}

#[actix_web::test]
async fn an_order_is_recorded_as_it_is_answered() {
    let service = start().await;
    let placed = service.post("/orders").bearer("of-ada").json(&order()).send().await;
    assert_eq!((placed.status, &placed.json()["total_cents"]), (201, &json!(2500)));
    assert_eq!(placed.recorded_json(), placed.json());
    assert_eq!(placed.response_record()["blueprint"], "orders");
    let said: Vec<_> = placed.records_of("line").iter().map(|line| line["message"].clone()).collect();
    assert_eq!(said, ["order placed"]);
    assert!(placed.events().is_empty());
    placed.assert_never_logged("of-ada");
}

#[actix_web::test]
async fn a_user_who_is_gone_places_none() {
    let service = start().await;
    let refused = service.post("/orders").bearer("of-a-ghost").json(&order()).send().await;
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert_eq!(service.get("/orders").bearer("of-a-ghost").send().await.json()["items"], json!([]));
}

#[actix_web::test]
async fn a_failure_is_one_record_and_one_event() {
    let service = start().await;
    service.database().execute("DROP TABLE order_lines", &[]).await.expect("the table is there");
    let failed = service.post("/orders").bearer("of-ada").json(&order()).send().await;
    assert_eq!((failed.status, failed.records_of("uncaught").len()), (500, 1));
    assert_eq!(failed.events().len(), 1);
    assert_eq!(failed.json()["sentry_event_id"], failed.events()[0]["event_id"]);
}
