//! Idempotency keys: a repeated request with the same key is executed once.

use std::sync::Barrier;
use std::thread;

use rusqlite::Connection;
use serde_json::{Value, json};
use system_tests::binaries;
use system_tests::http::{Reply, Request};
use system_tests::service::{Running, Service};

use crate::api::{Engine, Member, admin, member, problem, start, text};

/// Recognisable if it is ever logged.
const KEY: &str = "t0psecret-8e03978e-40d5";

fn place(app: &Running, by: &Member, key: &str, sku: &str) -> Request {
    let lines = json!({"lines": [{"sku": sku, "quantity": 1, "unit_price_cents": 100}]});
    app.post("/orders").bearer(&by.token).header("idempotency-key", key).json(&lines)
}

#[track_caller]
fn count(app: &Running, by: &Member) -> usize {
    let page = app.get("/orders?limit=100").bearer(&by.token).send().json();
    page["items"].as_array().expect("a page has items").len()
}

#[track_caller]
fn assert_replayed(first: &Reply, again: &Reply) {
    assert_eq!((again.status, again.text()), (first.status, first.text()));
    for name in ["location", "etag", "content-type"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), (None, Some("true")));
    assert_ne!(first.header("x-request-id"), again.header("x-request-id"), "the request ids differ");
}

#[test]
fn an_order_is_placed_once() {
    let app = start(Engine::Sqlite.single_process());
    let (ada, bob) = (member(&app, "ada"), member(&app, "bob"));
    let first = place(&app, &ada, KEY, "A-1").send();
    assert_eq!(first.status, 201, "{}", first.text());
    assert_replayed(&first, &place(&app, &ada, KEY, "A-1").send());
    assert_replayed(&first, &place(&app, &ada, KEY, "A-1").send());
    assert_eq!(count(&app, &ada), 1);

    let refused = problem(place(&app, &ada, KEY, "A-2"), 422);
    assert!(text(&refused, "detail").contains("different request"), "{refused}");
    problem(
        app.post("/orders/01890a5d-ac96-774b-bcce-b302099a8057/pay").bearer(&ada.token).header("idempotency-key", KEY),
        422,
    );
    problem(place(&app, &ada, "two words", "A-1"), 400);
    assert_eq!(count(&app, &ada), 1);

    // Keys are separate for each caller.
    let others = place(&app, &bob, KEY, "A-1").send();
    assert_eq!((others.status, others.header("idempotency-replayed")), (201, None));
    assert_eq!((count(&app, &ada), count(&app, &bob)), (1, 1));
    // Without a key each request places an order.
    let lines = json!({"lines": [{"sku": "A-1", "quantity": 1, "unit_price_cents": 100}]});
    for _ in 0..2 {
        assert_eq!(app.post("/orders").bearer(&ada.token).json(&lines).send().status, 201);
    }
    assert_eq!(count(&app, &ada), 3);

    let stopped = app.stop();
    assert!(!stopped.stderr.contains(KEY), "stderr contains the key");
    let placed = stopped.records().iter().filter(|record| record["message"] == "order placed").count();
    assert_eq!(placed, 4, "replays are not logged as placed");
}

#[test]
fn a_key_replays_successes_and_rejections() {
    let app = start(Engine::Sqlite.single_process());
    let ada = admin(&app, "ada");
    let path =
        place(&app, &ada, "place", "A-1").send().header("location").expect("the order has a location").to_owned();
    let transition =
        |to: &str, key: &str| app.post(&format!("{path}/{to}")).bearer(&ada.token).header("idempotency-key", key);
    let first = transition("pay", "pay").send();
    assert_eq!(first.json()["status"], "paid", "{}", first.text());
    assert_replayed(&first, &transition("pay", "pay").send());
    // Without the key, or with another one, it is a new request.
    problem(app.post(&format!("{path}/pay")).bearer(&ada.token), 409);
    let refused = transition("pay", "pay-again").send();
    assert_eq!(refused.status, 409);
    assert_replayed(&refused, &transition("pay", "pay-again").send());
    assert_eq!(transition("ship", "ship").send().json()["status"], "shipped");
    // The stored response is replayed although the order has changed.
    assert_eq!(transition("pay", "pay").send().json()["status"], "paid");
    assert_eq!(app.get(&path).bearer(&ada.token).send().json()["status"], "shipped");
}

#[test]
fn concurrent_requests_with_one_key_run_once() {
    let app = start(Engine::Sqlite.single_process());
    let ada = member(&app, "ada");
    for round in 1..=5 {
        let key = format!("key-{round}");
        let all = Barrier::new(8);
        let send = || {
            all.wait();
            place(&app, &ada, &key, "A-1").send()
        };
        let replies: Vec<Reply> = thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(send)).collect();
            all.into_iter().map(|one| one.join().expect("there is a response")).collect()
        });
        let new: Vec<&Reply> =
            replies.iter().filter(|it| it.status == 201 && it.header("idempotency-replayed").is_none()).collect();
        assert_eq!(new.len(), 1, "{:?}", replies.iter().map(|it| it.status).collect::<Vec<_>>());
        for reply in replies.iter().filter(|reply| reply.header("idempotency-replayed").is_some()) {
            assert_replayed(new[0], reply);
        }
        for reply in replies.iter().filter(|reply| reply.status != 201) {
            assert_eq!((reply.status, reply.header("retry-after")), (409, Some("1")), "{}", reply.text());
        }
        assert_replayed(new[0], &place(&app, &ada, &key, "A-1").send());
        assert_eq!(count(&app, &ada), round);
    }
}

/// Holds the database's write lock, so that writers wait.
struct WriteLock(Connection);

impl WriteLock {
    fn new(app: &Running) -> Self {
        let connection = Connection::open(app.scratch().join("app.db")).expect("the database opens");
        connection.execute_batch("BEGIN IMMEDIATE").expect("the database can be locked");
        Self(connection)
    }

    fn release(self) {
        self.0.execute_batch("ROLLBACK").expect("the transaction can be rolled back");
    }
}

/// Waits until one of two concurrent requests was rejected because the other is in flight.
#[track_caller]
fn wait_conflict(app: &Running) -> Value {
    app.wait_record("a 409 response", |record| record["http.response.status_code"] == 409)
}

#[test]
fn a_key_in_flight_gets_409() {
    let app = start(Engine::Sqlite.single_process());
    let ada = member(&app, "ada");
    let lock = WriteLock::new(&app);
    let replies = thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| place(&app, &ada, KEY, "A-1").send()));
        assert_eq!(wait_conflict(&app)["level"], "warning");
        lock.release();
        both.map(|one| one.join().expect("there is a response"))
    });
    let conflict = replies.iter().find(|reply| reply.status == 409).expect("one was rejected");
    assert_eq!(conflict.header("retry-after"), Some("1"));
    assert!(text(&conflict.json(), "detail").contains("is in progress"), "{}", conflict.text());
    assert!(replies.iter().any(|reply| reply.status == 201), "the other request placed the order");
    assert_eq!(count(&app, &ada), 1);
    assert!(!app.stop().stderr.contains(KEY), "stderr contains the key");
}

#[test]
fn a_killed_process_leaves_no_key_locked() {
    let app = start(Engine::Sqlite.single_process());
    let ada = member(&app, "ada");
    let lock = WriteLock::new(&app);
    let answered = thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| place(&app, &ada, KEY, "A-1").try_send()));
        wait_conflict(&app);
        app.signal("KILL");
        both.map(|one| one.join().expect("the client does not panic").map(|reply| reply.status))
    });
    assert!(answered.iter().any(Result::is_err), "the request in flight has no response: {answered:?}");
    lock.release();
    let database = format!("sqlite://{}", app.scratch().join("app.db").display());
    let again = Service::new(&binaries::app()).env("APP__DATABASE__URL", database).start();
    let first = place(&again, &ada, KEY, "A-1").send();
    assert_eq!(first.status, 201, "{}", first.text());
    assert_replayed(&first, &place(&again, &ada, KEY, "A-1").send());
    assert_eq!(count(&again, &ada), 1);
}
