//! An order that is asked for again with the same key is placed, and paid, once.

use std::sync::Barrier;
use std::thread;

use rusqlite::Connection;
use serde_json::{Value, json};
use system_tests::binaries;
use system_tests::http::{Reply, Request};
use system_tests::service::{Running, Service};

use crate::api::{Engine, Member, admin, member, problem, start, text};

/// Visible in what is written, if it ever is.
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
fn same_again(first: &Reply, again: &Reply) {
    assert_eq!((again.status, again.text()), (first.status, first.text()));
    for name in ["location", "etag", "content-type"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), (None, Some("true")));
    assert_ne!(first.header("x-request-id"), again.header("x-request-id"), "it is another request");
}

#[test]
fn an_order_is_placed_once() {
    let app = start(Engine::Sqlite.together());
    let (ada, bob) = (member(&app, "ada"), member(&app, "bob"));
    let first = place(&app, &ada, KEY, "A-1").send();
    assert_eq!(first.status, 201, "{}", first.text());
    same_again(&first, &place(&app, &ada, KEY, "A-1").send());
    same_again(&first, &place(&app, &ada, KEY, "A-1").send());
    assert_eq!(count(&app, &ada), 1);

    let refused = problem(place(&app, &ada, KEY, "A-2"), 422);
    assert!(text(&refused, "detail").contains("another request"), "{refused}");
    problem(
        app.post("/orders/01890a5d-ac96-774b-bcce-b302099a8057/pay").bearer(&ada.token).header("idempotency-key", KEY),
        422,
    );
    problem(place(&app, &ada, "two words", "A-1"), 400);
    assert_eq!(count(&app, &ada), 1);

    // A key is its caller's: another's is another.
    let others = place(&app, &bob, KEY, "A-1").send();
    assert_eq!((others.status, others.header("idempotency-replayed")), (201, None));
    assert_eq!((count(&app, &ada), count(&app, &bob)), (1, 1));
    // And without one there is a new order each time.
    let lines = json!({"lines": [{"sku": "A-1", "quantity": 1, "unit_price_cents": 100}]});
    for _ in 0..2 {
        assert_eq!(app.post("/orders").bearer(&ada.token).json(&lines).send().status, 201);
    }
    assert_eq!(count(&app, &ada), 3);

    let stopped = app.stop();
    assert!(!stopped.stderr.contains(KEY), "the key is in what it wrote");
    let placed = stopped.records().iter().filter(|record| record["message"] == "order placed").count();
    assert_eq!(placed, 4, "what was not done is not told");
}

#[test]
fn an_order_is_paid_once_and_a_refusal_stays_one() {
    let app = start(Engine::Sqlite.together());
    let ada = admin(&app, "ada");
    let path = place(&app, &ada, "place", "A-1").send().header("location").expect("it has a place").to_owned();
    let go = |to: &str, key: &str| app.post(&format!("{path}/{to}")).bearer(&ada.token).header("idempotency-key", key);
    let first = go("pay", "pay").send();
    assert_eq!(first.json()["status"], "paid", "{}", first.text());
    same_again(&first, &go("pay", "pay").send());
    // Without the key, or with another, it is another attempt.
    problem(app.post(&format!("{path}/pay")).bearer(&ada.token), 409);
    let refused = go("pay", "pay-again").send();
    assert_eq!(refused.status, 409);
    same_again(&refused, &go("pay", "pay-again").send());
    assert_eq!(go("ship", "ship").send().json()["status"], "shipped");
    // What was answered then is answered still.
    assert_eq!(go("pay", "pay").send().json()["status"], "paid");
    assert_eq!(app.get(&path).bearer(&ada.token).send().json()["status"], "shipped");
}

#[test]
fn of_many_that_come_at_once_with_one_key_one_is_done() {
    let app = start(Engine::Sqlite.together());
    let ada = member(&app, "ada");
    for round in 1..=5 {
        let key = format!("key-{round}");
        let all = Barrier::new(8);
        let ask = || {
            all.wait();
            place(&app, &ada, &key, "A-1").send()
        };
        let replies: Vec<Reply> = thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            all.into_iter().map(|one| one.join().expect("it has an answer")).collect()
        });
        let new: Vec<&Reply> =
            replies.iter().filter(|it| it.status == 201 && it.header("idempotency-replayed").is_none()).collect();
        assert_eq!(new.len(), 1, "{:?}", replies.iter().map(|it| it.status).collect::<Vec<_>>());
        for reply in replies.iter().filter(|reply| reply.header("idempotency-replayed").is_some()) {
            same_again(new[0], reply);
        }
        for reply in replies.iter().filter(|reply| reply.status != 201) {
            assert_eq!((reply.status, reply.header("retry-after")), (409, Some("1")), "{}", reply.text());
        }
        same_again(new[0], &place(&app, &ada, &key, "A-1").send());
        assert_eq!(count(&app, &ada), round);
    }
}

/// Holds the database's lock for writing, so that whoever writes waits.
struct Held(Connection);

impl Held {
    fn new(app: &Running) -> Self {
        let connection = Connection::open(app.scratch().join("app.db")).expect("the database opens");
        connection.execute_batch("BEGIN IMMEDIATE").expect("the database can be locked");
        Self(connection)
    }

    fn release(self) {
        self.0.execute_batch("ROLLBACK").expect("it can be undone");
    }
}

/// Waits until one of two that came at once was told that the other is in hand.
#[track_caller]
fn wait_told(app: &Running) -> Value {
    app.wait_record("one of two to be told", |record| record["http.response.status_code"] == 409)
}

#[test]
fn while_the_first_is_in_hand_the_next_is_told_so() {
    let app = start(Engine::Sqlite.together());
    let ada = member(&app, "ada");
    let held = Held::new(&app);
    let replies = thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| place(&app, &ada, KEY, "A-1").send()));
        assert_eq!(wait_told(&app)["level"], "warning");
        held.release();
        both.map(|one| one.join().expect("it has an answer"))
    });
    let told = replies.iter().find(|reply| reply.status == 409).expect("one was told");
    assert_eq!(told.header("retry-after"), Some("1"));
    assert!(text(&told.json(), "detail").contains("is in progress"), "{}", told.text());
    assert!(replies.iter().any(|reply| reply.status == 201), "the other one placed it");
    assert_eq!(count(&app, &ada), 1);
    assert!(!app.stop().stderr.contains(KEY), "the key is in what it wrote");
}

#[test]
fn a_process_that_dies_in_the_middle_leaves_no_key_locked() {
    let app = start(Engine::Sqlite.together());
    let ada = member(&app, "ada");
    let held = Held::new(&app);
    let answered = thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| place(&app, &ada, KEY, "A-1").try_send()));
        wait_told(&app);
        app.signal("KILL");
        both.map(|one| one.join().expect("it ended").map(|reply| reply.status))
    });
    assert!(answered.iter().any(Result::is_err), "the one that was in hand has no answer: {answered:?}");
    held.release();
    let database = format!("sqlite://{}", app.scratch().join("app.db").display());
    let again = Service::new(&binaries::app()).env("APP__DATABASE__URL", database).start();
    let first = place(&again, &ada, KEY, "A-1").send();
    assert_eq!(first.status, 201, "{}", first.text());
    same_again(&first, &place(&again, &ada, KEY, "A-1").send());
    assert_eq!(count(&again, &ada), 1);
}
