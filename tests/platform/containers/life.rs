//! A user's and an order's life through the API.

use serde_json::{Value, json};
use system_tests::http::Client;
use system_tests::member::Member;

/// From the registration to the deletion.
#[track_caller]
pub fn live(client: Client) {
    let Member { id, token } = Member::register(client, "ada");
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
