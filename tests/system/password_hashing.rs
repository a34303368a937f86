//! Password hashing: memory use and waiting time.

use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use system_tests::http::{Reply, Request};
use system_tests::service::{Running, Service};
use system_tests::{binaries, figures, wait};

use crate::api::{PASSWORD, register, text};

/// The app with this number of hashing threads and this queue length.
fn start(threads: usize, queue: usize) -> Running {
    Service::new(&binaries::app())
        .env("APP__BLUEPRINTS__USERS__HASH_THREADS", threads.to_string())
        .env("APP__BLUEPRINTS__USERS__LOGIN_QUEUE", queue.to_string())
        .start()
}

fn login(app: &Running, password: &str) -> Request {
    app.post("/users/login").json(&json!({"email": "ada@example.org", "password": password}))
}

/// Sends this many logins at once, then waits for all responses.
fn burst(app: &Running, count: usize) -> Vec<Reply> {
    let send = |_| login(app, PASSWORD).dispatch().expect("the request is sent");
    let sent: Vec<_> = (0..count).map(send).collect();
    sent.into_iter().map(|sent| sent.receive().expect("there is a response")).collect()
}

fn resident(app: &Running) -> f64 {
    figures::memory(app.pid).0
}

// In a release build the resident memory is 22 MiB before the burst, 61 MiB at its end, of which 38 MiB are the blocks of two
// hashes, and then 23 MiB. When each hash allocated its own block, it rose to 708 MiB and remained there.
#[test]
fn memory_is_released_after_a_burst_of_logins() {
    let app = start(2, 50);
    let before = resident(&app);
    register(&app, "ada");
    // Twice, since an allocator may reuse freed memory without returning it.
    for _ in 0..2 {
        assert!(burst(&app, 50).iter().all(|reply| reply.status == 200));
        let after = resident(&app);
        assert!(after < before + 60.0, "{before} MiB before, {after} after");
        let released = wait::until("the memory to be released", Duration::from_secs(10), || {
            Some(resident(&app)).filter(|now| *now < before + 15.0)
        });
        figures::print(&format!(
            "resident memory: {before:.0} MiB before, {after:.0} MiB after 50 concurrent logins, then {released:.0} MiB"
        ));
    }
}

#[test]
fn a_full_queue_rejects_immediately() {
    let app = start(1, 1);
    register(&app, "ada");
    let replies = burst(&app, 40);
    let (refused, served): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 503);
    assert!(served.iter().all(|reply| reply.status == 200) && served.len() >= 2, "{} served", served.len());
    assert!(!refused.is_empty(), "all were served");
    for reply in refused {
        assert_eq!(reply.header("retry-after"), Some("1"));
        assert_eq!(text(&reply.json(), "detail"), "too many logins and registrations at once; retry in a second");
    }
    // The queue, which registrations and password changes share, is free again.
    assert_eq!(login(&app, PASSWORD).send().status, 200);
    register(&app, "bob");

    let records = app.stop().records();
    let took = |record: &Value| record["duration_ms"].as_f64().expect("a response has a duration");
    let refusals = records.iter().filter(|record| record["http.response.status_code"] == 503);
    let longest = refusals.map(took).fold(0.0, f64::max);
    figures::print(&format!("the slowest refusal took {longest} ms"));
    assert!(longest < 1000.0, "{longest} ms");
}

#[test]
fn hashes_of_earlier_versions_verify() {
    let app = start(1, 1);
    register(&app, "ada");
    // From the reference implementation, with other parameters, of a password that is not in NFKC form.
    let raw = "cafe\u{301} at the corner";
    let database = Connection::open(app.scratch().join("app.db")).expect("the database opens");
    let stored = "$argon2id$v=19$m=4096,t=3,p=2$YW4gZWFybGllciBzYWx0Lg$qWmf9gVSHbQecQ/hSTi0dG9PnZjgHqE60WaZH0oHYEA";
    database.execute("UPDATE users SET password_hash = ?1", [stored]).expect("the hash is stored");
    assert_eq!(login(&app, raw).send().status, 200);
    assert_eq!(
        login(&app, "caf\u{e9} at the corner").send().status,
        401,
        "the stored hash is of the unnormalised password"
    );
    assert_eq!(login(&app, PASSWORD).send().status, 401);
}
