//! A user's and an order's life through the API.

use serde_json::{Value, json};
use system_tests::http::Client;

const PASSWORD: &str = "correct horse battery staple";

/// A user who has logged in.
pub struct Member {
    pub id: String,
    pub token: String,
}

/// Registers a user and logs in.
#[track_caller]
pub fn register(client: Client, name: &str) -> Member {
    let email = format!("{name}@example.org");
    let user = json!({"email": email, "password": PASSWORD, "name": name});
    assert_eq!(client.post("/users").json(&user).send().status, 201);
    let session = client.post("/users/login").json(&json!({"email": email, "password": PASSWORD})).send().json();
    let text = |key: &str| session[key].as_str().unwrap_or_else(|| panic!("{key} in {session}")).to_owned();
    Member { id: text("user_id"), token: text("token") }
}

/// From the registration to the deletion.
#[track_caller]
pub fn live(client: Client) {
    let Member { id, token } = register(client, "ada");
    let send = |method: &str, path: &str, body: Option<Value>| {
        let request = client.request(method, path).bearer(&token);
        let reply = body.iter().fold(request, |request, body| request.json(body)).send();
        let json = if reply.text().is_empty() { Value::Null } else { reply.json() };
        (reply.status, json)
    };
    let order = json!({"lines": [{"sku": "A-1", "quantity": 2, "unit_price_cents": 1250}]});
    let (status, placed) = send("POST", "/orders", Some(order));
    assert_eq!((status, &placed["status"], &placed["total_cents"]), (201, &json!("placed"), &json!(2500)));
    let order = format!("/orders/{}", placed["id"].as_str().expect("an order has an id"));
    let (status, paid) = send("POST", &format!("{order}/pay"), None);
    assert_eq!((status, &paid["status"]), (200, &json!("paid")), "{paid}");
    assert_eq!(send("GET", &order, None).1, paid);
    let user = format!("/users/{id}");
    let (status, renamed) = send("PATCH", &user, Some(json!({"name": "Countess"})));
    assert_eq!((status, &renamed["name"]), (200, &json!("Countess")));
    assert_eq!(send("DELETE", &user, None).0, 204);
    assert_eq!(send("GET", &order, None).0, 401, "the session has ended with the user");
}
