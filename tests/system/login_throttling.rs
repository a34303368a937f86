//! Login throttling by account and by address, across all processes, without locking out the owner.

use std::io::Write;
use std::net::TcpStream;
use std::thread;

use serde_json::{Value, json};
use system_tests::http::{Reply, Request};
use system_tests::service::{Running, Service};
use system_tests::wait;

use crate::api::{Engine, PASSWORD, on_each_database, problem, register};
use crate::support::of_kind;

/// The app behind a trusted proxy, so that a request can come from any address.
fn proxied(on: Engine) -> Service {
    on.service(&system_tests::binaries::app()).env("APP__SERVER__TRUSTED_PROXIES", "127.0.0.1")
}

fn login(app: &Running, from: &str, email: &str, password: &str) -> Request {
    app.post("/users/login").header("x-forwarded-for", from).json(&json!({"email": email, "password": password}))
}

fn statuses(count: usize, mut send: impl FnMut() -> Reply) -> Vec<u16> {
    (0..count).map(|_| send().status).collect()
}

fn wrong_passwords_throttle_the_account_but_not_its_owner(on: Engine) {
    let app = proxied(on).start();
    register(&app, "ada");
    let ada = "ada@example.org";
    let tried = statuses(7, || login(&app, "192.0.2.1", ada, "wrong").send());
    assert_eq!(tried, [401, 401, 401, 401, 401, 429, 429]);
    let refused = login(&app, "192.0.2.99", ada, PASSWORD).send();
    let wait: u64 = refused.header("retry-after").and_then(|it| it.parse().ok()).expect("whole seconds");
    assert_eq!((refused.status, wait), (429, 1), "the correct password is throttled, too, from a nearby address");
    assert_eq!(login(&app, "198.51.100.1", ada, PASSWORD).send().status, 200, "the owner has another address");
    assert_eq!(login(&app, "192.0.2.1", "bob@example.org", "wrong").send().status, 401, "another account");
    // An unknown e-mail address is throttled in the same way.
    let tried = statuses(6, || login(&app, "203.0.113.1", "nobody@example.org", "wrong").send());
    assert_eq!(tried, [401, 401, 401, 401, 401, 429]);

    // Another process on the same database shares the count.
    let other = app.sibling().env("APP__SERVER__TRUSTED_PROXIES", "127.0.0.1").start();
    assert_eq!(login(&other, "203.0.113.1", "nobody@example.org", "wrong").send().status, 429);
    // After the delay there is one more attempt; a successful one resets the count.
    wait::until("the delay to pass", std::time::Duration::from_secs(10), || {
        (login(&app, "192.0.2.1", ada, PASSWORD).send().status == 200).then_some(())
    });
    assert_eq!(statuses(5, || login(&app, "192.0.2.1", ada, "wrong").send()), [401; 5]);

    let records = app.stop().records();
    assert_eq!(of_kind(&records, "uncaught").len(), 0);
    let refused = |record: &&&Value| record["http.response.status_code"] == 429;
    let responses = of_kind(&records, "response");
    assert!(responses.iter().filter(refused).all(|record| record["level"] == "warning"));
    let warnings = of_kind(&records, "service").into_iter().filter(|it| it["level"] == "warning").count();
    assert!((1..=2).contains(&warnings), "one warning per window, not per rejection");
}

fn an_address_trying_many_accounts_is_throttled(on: Engine) {
    let app = proxied(on).env("APP__BLUEPRINTS__USERS__LOGIN_FAILURES_PER_ADDRESS", "8").start();
    let mut account = 0;
    let tried = statuses(10, || {
        account += 1;
        login(&app, "192.0.2.1", &format!("{account}@example.org"), "wrong").send()
    });
    assert_eq!(tried, [401, 401, 401, 401, 401, 401, 401, 401, 429, 429]);
    problem(login(&app, "192.0.2.2", "1@example.org", "wrong"), 401);
}

fn concurrent_attempts_do_not_bypass_throttling(on: Engine) {
    let app = proxied(on).env("APP__BLUEPRINTS__USERS__HASH_THREADS", "2").start();
    let all = thread::scope(|scope| {
        let tries: Vec<_> = (0..40)
            .map(|_| scope.spawn(|| login(&app, "192.0.2.1", "ada@example.org", "wrong").send().status))
            .collect();
        tries.into_iter().map(|it| it.join().expect("there is a response")).collect::<Vec<_>>()
    });
    let tried = all.iter().filter(|status| **status == 401).count();
    // The five free attempts, plus those that the threads begin before the last one is counted.
    assert!((5..=10).contains(&tried), "{tried} of {} passwords were verified", all.len());
    assert!(all.iter().all(|status| [401, 429, 503].contains(status)), "{all:?}");
}

/// Sends a wrong password and does not wait for the response.
fn attempt_without_waiting(app: &Running, from: &str, nth: usize) {
    let body = json!({"email": "ada@example.org", "password": "wrong"}).to_string();
    let head = format!(
        "POST /users/login HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {from}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let mut connection = TcpStream::connect(("127.0.0.1", app.port)).expect("the service listens");
    connection.write_all((head + &body).as_bytes()).expect("the service reads the request");
    let has_begun = |record: &&Value| record["message"] == "checks a password for an unknown e-mail address";
    wait::until("the attempt to begin", std::time::Duration::from_secs(20), || {
        (app.records().iter().filter(has_begun).count() >= nth).then_some(())
    });
}

fn disconnecting_does_not_bypass_throttling(on: Engine) {
    let app = proxied(on).env("APP__LOG__LEVEL", "info").start();
    // The free attempts: none is rejected before it begins.
    for nth in 1..=5 {
        attempt_without_waiting(&app, "192.0.2.1", nth);
    }
    wait::until("the account to be throttled", std::time::Duration::from_secs(20), || {
        (login(&app, "192.0.2.1", "ada@example.org", "wrong").send().status == 429).then_some(())
    });
    let refused =
        |record: &Value| record["kind"] == "line" && record["message"] == "login refused: unknown e-mail address";
    let answered = app.stop().records().into_iter().filter(refused).count();
    assert!(answered < 5, "{answered} completed attempts alone would have throttled it");
}

on_each_database!(
    wrong_passwords_throttle_the_account_but_not_its_owner,
    an_address_trying_many_accounts_is_throttled,
    concurrent_attempts_do_not_bypass_throttling,
    disconnecting_does_not_bypass_throttling,
);
