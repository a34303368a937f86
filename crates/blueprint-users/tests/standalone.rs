//! Serves the blueprint alone.

#![cfg(feature = "blueprint")]

use blueprint_users::Users;
use cyanotype::{Executor, test};
use serde_json::json;

const PASSWORD: &str = "a long horse, a battery";

#[actix_web::test]
async fn sensitive_fields_are_never_logged() {
    let service = test::serve(Users).start().await;
    let ada = json!({"email": "ada@example.org", "password": PASSWORD, "name": "Ada Lovelace"});
    let registered = service.post("/users").json(&ada).send().await;
    assert_eq!(registered.status, 201, "{}", registered.text());
    let login = json!({"email": "ada@example.org", "password": PASSWORD});
    let login = service.post("/users/login").json(&login).send().await;
    login.assert_never_logged(PASSWORD);
    let (login, registered) = (login.json(), registered.json());
    let token = login["token"].as_str().expect("a login returns a token");
    let id = registered["id"].as_str().expect("a user has an id");
    let canaries = service.plant_canaries(Some(token), id).await;
    assert!(canaries.fields().contains(&("password", true)), "{:?}", canaries.fields());
    canaries.assert_never_logged();
    // A failure has more records, and an event.
    service.database().execute("DROP TABLE users", &[]).await.expect("the table exists");
    let failed = service.plant_canaries(Some(token), id).await;
    assert!(failed.responses().any(|response| !response.events().is_empty()));
    failed.assert_never_logged();
}
