//! The orders blueprint through the real binary, on both databases, in one process and in two.

use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};
use system_tests::http::Reply;
use system_tests::service::Running;

use crate::api::{
    Member, PASSWORD, Setup, UNKNOWN_ID, admin, assert_allowed_methods, in_each_setup, invalid_fields, member, problem,
    responses, start, text,
};

/// Places an order with one line and returns its path.
#[track_caller]
fn place(app: &Running, by: &Member) -> String {
    let lines = json!({"lines": [{"sku": "A-1", "quantity": 1, "unit_price_cents": 100}]});
    let reply = app.post("/orders").bearer(&by.token).json(&lines).send();
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.header("location").expect("a new order has a location").to_owned()
}

fn transition(app: &Running, by: &Member, path: &str, to: &str) -> Reply {
    app.post(&format!("{path}/{to}")).bearer(&by.token).send()
}

#[track_caller]
fn transitioned(app: &Running, by: &Member, path: &str, to: &str) -> Value {
    let reply = transition(app, by, path, to);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

fn paths(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("a page has items");
    items.iter().map(|item| format!("/orders/{}", text(item, "id"))).collect()
}

fn the_order_lifecycle_works(on: Setup) {
    let app = start(on);
    let ada = member(&app, "ada");
    let lines = json!([
        {"sku": "tea.green_1", "quantity": 3, "unit_price_cents": 450},
        {"sku": "A-1", "quantity": 1, "unit_price_cents": 0},
        {"sku": "A-1", "quantity": 10_000, "unit_price_cents": 100_000_000},
    ]);
    let reply = app.post("/orders").bearer(&ada.token).json(&json!({"lines": lines})).send();
    assert_eq!(reply.status, 201, "{}", reply.text());
    let order = reply.json();
    let path = format!("/orders/{}", text(&order, "id"));
    assert_eq!(reply.header("location"), Some(path.as_str()));
    assert_eq!(order.as_object().map(serde_json::Map::len), Some(7), "{order}");
    assert_eq!(order["user_id"], json!(ada.id));
    assert_eq!((&order["status"], &order["lines"]), (&json!("placed"), &lines));
    assert_eq!(order["total_cents"], 1_000_000_001_350_u64);
    assert_eq!(order["created_at"], order["updated_at"]);
    assert_eq!(app.get(&path).bearer(&ada.token).send().json(), order);
    assert_eq!(app.get("/orders").bearer(&ada.token).send().json(), json!({"items": [order], "next": null}));

    let paid = transitioned(&app, &ada, &path, "pay");
    assert_eq!((&paid["status"], &paid["lines"]), (&json!("paid"), &lines));
    assert_eq!(paid["created_at"], order["created_at"]);
    assert!(text(&paid, "updated_at") > text(&order, "updated_at"));
    let root = admin(&app, "root");
    assert_eq!(transition(&app, &ada, &path, "ship").status, 403);
    let shipped = transitioned(&app, &root, &path, "ship");
    assert_eq!(shipped["status"], "shipped");
    assert_eq!(transition(&app, &ada, &path, "cancel").status, 409);
    assert_eq!(app.get(&path).bearer(&ada.token).send().json(), shipped);

    let stopped = app.stop();
    let expected = [
        "POST /orders 201",
        "GET /orders/{id} 200",
        "GET /orders 200",
        "POST /orders/{id}/pay 200",
        "POST /orders/{id}/ship 403",
        "POST /orders/{id}/ship 200",
        "POST /orders/{id}/cancel 409",
        "GET /orders/{id} 200",
    ];
    assert_eq!(responses(&stopped, "orders"), expected);
    for secret in [PASSWORD, &ada.token] {
        assert!(!stopped.stderr.contains(secret), "stderr contains {secret}");
    }
}

fn an_invalid_transition_reports_the_valid_ones(on: Setup) {
    let app = start(on);
    // An admin may make every transition of their own orders.
    let ada = admin(&app, "ada");
    // The previous transitions, the status, the invalid transitions, and the valid ones in the message.
    let table: [(&[&str], &str, &[&str], &str); 5] = [
        (&[], "placed", &["ship"], "pay or cancel"),
        (&["pay"], "paid", &["pay"], "ship or cancel"),
        (&["pay", "ship"], "shipped", &["pay", "ship", "cancel"], "nothing"),
        (&["cancel"], "cancelled", &["pay", "ship", "cancel"], "nothing"),
        (&["pay", "cancel"], "cancelled", &["pay", "ship", "cancel"], "nothing"),
    ];
    for (steps, status, invalid, valid) in table {
        let path = place(&app, &ada);
        for step in steps {
            transitioned(&app, &ada, &path, step);
        }
        for step in invalid {
            let refused = problem(app.post(&format!("{path}/{step}")).bearer(&ada.token), 409);
            let detail = text(&refused, "detail");
            assert!(detail.contains(&format!("is {status}")) && detail.contains(valid), "{detail}");
        }
        assert_eq!(app.get(&path).bearer(&ada.token).send().json()["status"], status);
    }
}

fn only_one_of_two_concurrent_payments_succeeds(on: Setup) {
    let app = start(on);
    let ada = member(&app, "ada");
    for _ in 0..20 {
        let path = place(&app, &ada);
        let both = Barrier::new(2);
        let pay = || {
            both.wait();
            transition(&app, &ada, &path, "pay").status
        };
        let mut statuses = thread::scope(|scope| {
            let one = scope.spawn(pay);
            [pay(), one.join().expect("there is a response")]
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
    }
}

fn another_users_order_is_404(on: Setup) {
    let app = start(on);
    let (ada, bob) = (member(&app, "ada"), member(&app, "bob"));
    let path = place(&app, &ada);
    let refusals = |path: &str| {
        let moves = ["pay", "cancel"].map(|to| app.post(&format!("{path}/{to}")));
        let all = moves.into_iter().chain([app.get(path)]);
        all.map(|request| text(&problem(request.bearer(&bob.token), 404), "detail")).collect::<Vec<_>>()
    };
    // The same message as for an order that does not exist.
    assert_eq!(refusals(&path), refusals(&format!("/orders/{UNKNOWN_ID}")));
    assert_eq!(app.get("/orders").bearer(&bob.token).send().json(), json!({"items": [], "next": null}));
    assert_eq!(app.get(&path).bearer(&ada.token).send().json()["status"], "placed");
}

fn orders_are_listed_newest_first_and_by_status(on: Setup) {
    let app = start(on);
    let (ada, bob) = (member(&app, "ada"), admin(&app, "bob"));
    let mut all: Vec<String> = (0..5).map(|_| place(&app, &ada)).collect();
    let bobs = place(&app, &bob);
    all.reverse();
    transitioned(&app, &ada, &all[1], "pay");
    transitioned(&app, &ada, &all[3], "pay");

    let page = |query: &str| app.get(&format!("/orders{query}")).bearer(&ada.token).send().json();
    let first = page("?limit=3");
    assert_eq!(paths(&first), all[..3]);
    let second = page(&format!("?limit=3&after={}", text(&first, "next")));
    assert_eq!((paths(&second), &second["next"]), (all[3..].to_vec(), &Value::Null));
    assert_eq!(page("?limit=5")["next"], Value::Null);

    let paid = page("?status=paid&limit=1&total=true");
    assert_eq!((paths(&paid), &paid["total"]), (all[1..2].to_vec(), &json!(2)));
    let paid = page(&format!("?status=paid&limit=1&after={}", text(&paid, "next")));
    assert_eq!((paths(&paid), &paid["next"], paid.get("total")), (all[3..4].to_vec(), &Value::Null, None));
    assert_eq!(paths(&page("?status=cancelled")), [""; 0]);

    let middle = text(&app.get(&all[2]).bearer(&ada.token).send().json(), "created_at");
    assert_eq!(paths(&page(&format!("?created_from={middle}"))), all[..3]);
    assert_eq!(paths(&page(&format!("?created_before={middle}"))), all[3..]);
    assert_eq!(paths(&page(&format!("?created_from={middle}&created_before={middle}"))), [""; 0]);
    assert_eq!(paths(&page("?created_from=-000001-01-01T00:00:00Z&created_before=9999-12-30T00:00:00Z")), all);

    let everyone = app.get("/orders?everyone=true&limit=2&total=true").bearer(&bob.token).send().json();
    assert_eq!((paths(&everyone), &everyone["total"]), (vec![bobs, all[0].clone()], &json!(6)));
    problem(app.get("/orders?everyone=true").bearer(&ada.token), 403);

    let wrong = |query: &str| invalid_fields(app.get(&format!("/orders?{query}")).bearer(&ada.token));
    assert_eq!(wrong("status=lost"), ["status"]);
    assert_eq!(wrong("limit=0"), ["limit"]);
    assert_eq!(wrong("limit=101"), ["limit"]);
    assert_eq!(wrong("after=first"), ["after"]);
    assert_eq!(wrong("created_from=yesterday"), ["created_from"]);
    assert_eq!(wrong("total=maybe"), ["total"]);
}

fn transitions_honour_if_match(on: Setup) {
    let app = start(on);
    let root = admin(&app, "root");
    let path = place(&app, &root);
    let tag = || app.get(&path).bearer(&root.token).send().header("etag").expect("an order has a tag").to_owned();
    let placed = tag();
    let transition =
        |to: &str, tag: &str| app.post(&format!("{path}/{to}")).bearer(&root.token).header("if-match", tag);
    assert_eq!(transition("pay", &placed).send().status, 200);
    for to in ["pay", "ship", "cancel"] {
        problem(transition(to, &placed), 412);
        problem(transition(to, "\"1\""), 412);
    }
    assert_eq!(transition("ship", &tag()).send().status, 200);
    let cancelled = place(&app, &root);
    assert_eq!(app.post(&format!("{cancelled}/cancel")).bearer(&root.token).header("if-match", "*").send().status, 200);
}

fn an_order_survives_its_users_deletion(on: Setup) {
    let app = start(on);
    let (ada, root) = (member(&app, "ada"), admin(&app, "root"));
    let path = place(&app, &ada);
    let order = app.get(&path).bearer(&ada.token).send().json();
    assert_eq!(app.delete(&format!("/users/{}", ada.id)).bearer(&ada.token).send().status, 204);
    problem(app.get(&path).bearer(&ada.token), 401);
    assert_eq!(app.get(&path).bearer(&root.token).send().json(), order);
    assert_eq!(transitioned(&app, &root, &path, "cancel")["status"], "cancelled");
    // A new registration of the same address is another user.
    let again = member(&app, "ada");
    problem(app.get(&path).bearer(&again.token), 404);
}

fn invalid_orders_are_rejected_by_field(on: Setup) {
    let app = start(on);
    let ada = member(&app, "ada");
    let post = |body: Value| app.post("/orders").bearer(&ada.token).json(&body);
    let line =
        |sku: &str, quantity: Value, price: Value| json!({"sku": sku, "quantity": quantity, "unit_price_cents": price});
    let good = || line("A-1", json!(1), json!(1));
    let second = |line: Value| invalid_fields(post(json!({"lines": [good(), line]})));

    assert_eq!(invalid_fields(post(json!({"lines": []}))), ["lines"]);
    assert_eq!(invalid_fields(post(json!({"lines": vec![good(); 101]}))), ["lines"]);
    for sku in ["", "A 1", "ä", "A/1", &"x".repeat(65)] {
        let fields = second(line(sku, json!(1), json!(1)));
        assert!(!fields.is_empty() && fields.iter().all(|field| field == "lines[1].sku"), "{sku:?}: {fields:?}");
    }
    for quantity in [json!(0), json!(10_001), json!(-1), json!(1.5), json!("1"), json!(null)] {
        assert_eq!(second(line("A-1", quantity, json!(1))), ["lines[1].quantity"]);
    }
    for price in [json!(-1), json!(100_000_001), json!(1e30), json!(true)] {
        assert_eq!(second(line("A-1", json!(1), price)), ["lines[1].unit_price_cents"]);
    }
    let mut more = good();
    more["discount"] = json!(1);
    assert_eq!(second(more).len(), 1);
    assert_eq!(invalid_fields(post(json!({"lines": [], "status": "paid"}))).len(), 1);
    assert_eq!(post(json!({"lines": vec![good(); 100]})).send().status, 201);

    let malformed = app.post("/orders").bearer(&ada.token).body("application/json", r#"{"lines": [}"#);
    let malformed = problem(malformed, 400);
    assert!(text(&malformed, "detail").contains("line 1 column 12"), "{malformed}");
}

fn missing_resources_and_methods_are_distinguished(on: Setup) {
    let app = start(on);
    let ada = member(&app, "ada");
    let (one, pay) = (format!("/orders/{UNKNOWN_ID}"), format!("/orders/{UNKNOWN_ID}/pay"));
    for request in [app.get("/orders"), app.post("/orders"), app.get(&one), app.post(&pay)] {
        problem(request.clone(), 401);
        let body = json!({"lines": [{"sku": "A-1", "quantity": 1, "unit_price_cents": 100}]});
        problem(request.bearer("no-such-token").json(&body), 401);
    }
    let unreadable = problem(app.post("/orders/first/pay").bearer(&ada.token), 400);
    assert_eq!(unreadable["errors"][0]["field"], "id");

    assert_allowed_methods(app.delete("/orders"), &["GET", "POST"]);
    assert_allowed_methods(app.patch(&one), &["GET"]);
    assert_allowed_methods(app.get(&pay), &["POST"]);

    problem(app.post(&format!("{one}/lose")).bearer(&ada.token), 404);
    problem(app.get("/orders/").bearer(&ada.token), 404);
}

in_each_setup!(
    the_order_lifecycle_works,
    an_invalid_transition_reports_the_valid_ones,
    only_one_of_two_concurrent_payments_succeeds,
    another_users_order_is_404,
    orders_are_listed_newest_first_and_by_status,
    transitions_honour_if_match,
    an_order_survives_its_users_deletion,
    invalid_orders_are_rejected_by_field,
    missing_resources_and_methods_are_distinguished,
);
