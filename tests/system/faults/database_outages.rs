//! PostgreSQL is temporarily unavailable: requests are rejected immediately, the cause is reported once, and the service
//! recovers by itself.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::http::Reply;
use system_tests::peers::postgres::Postgres;
use system_tests::peers::slow_proxy::SlowProxy;
use system_tests::service::{Running, Service};
use system_tests::{binaries, figures, wait};

use super::dropped;
use crate::api::{Member, member, text};
use crate::support::of_kind;

const ROLE_PASSWORD: &str = "pass-of-role";
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
const RECOVERY: Duration = Duration::from_secs(10);
const REQUESTS: usize = 10;

fn start(url: &str) -> (Running, Member) {
    let app = Service::new(&binaries::app())
        .env("APP__DATABASE__URL", url)
        .env("APP__DATABASE__ACQUIRE_TIMEOUT_S", ACQUIRE_TIMEOUT.as_secs().to_string())
        .env("APP__DATABASE__STATEMENT_TIMEOUT_S", ACQUIRE_TIMEOUT.as_secs().to_string())
        // Longer than the outage.
        .env("APP__LOG__FLOOD__WINDOW_S", "600")
        .start();
    let ada = member(&app, "ada");
    (app, ada)
}

/// Sends one of several requests that need the database.
fn send_request(app: &Running, by: &Member, n: usize) -> Reply {
    let lines = json!({"lines": [{"sku": "A-1", "quantity": 1, "unit_price_cents": 100}]});
    let request = match n % 3 {
        0 => app.get("/users/me/sessions"),
        1 => app.get("/orders"),
        _ => app.post("/orders").header("idempotency-key", format!("key-{n}")).json(&lines),
    };
    request.bearer(&by.token).send()
}

/// Asserts that a request was rejected with 503 and recorded; returns its id.
#[track_caller]
pub fn assert_rejected(app: &Running, reply: &Reply) -> String {
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    let after = reply.header("retry-after").unwrap_or_else(|| panic!("no retry-after in {:?}", reply.headers));
    assert!(after.parse::<u32>().is_ok_and(|seconds| (1..=60).contains(&seconds)), "retry-after: {after}");
    let id = text(&reply.json(), "request_id");
    let response =
        app.wait_record("the response", |record| record["kind"] == "response" && record["request_id"] == *id);
    assert_eq!((&response["level"], &response["http.response.status_code"]), (&json!("error"), &json!(503)));
    id
}

/// Asserts that one of the rejected requests reported the cause, in one of these wordings, and that the others are counted.
#[track_caller]
pub fn assert_reported_once(records: &[Value], refused: usize, messages: &[&str]) {
    let uncaught = of_kind(records, "uncaught");
    assert_eq!(uncaught.len(), 1, "{uncaught:#?}");
    let reported = format!("{} {}", uncaught[0]["exception.message"], uncaught[0]["exception.chain"]).to_lowercase();
    assert!(messages.iter().any(|message| reported.contains(message)), "none of {messages:?} is in {reported}");
    assert_eq!(dropped(records, "uncaught"), refused as u64 - 1, "the others are counted");
}

/// Sends sequential requests during the outage, ends it, and sends requests again.
#[track_caller]
fn assert_recovery(app: Running, ada: &Member, messages: &[&str], end: impl FnOnce()) {
    let answers = (0..REQUESTS).map(|n| {
        let began = Instant::now();
        (send_request(&app, ada, n), began.elapsed())
    });
    let (replies, took): (Vec<Reply>, Vec<Duration>) = answers.unzip();
    let (first, last) = (took[0], took[REQUESTS - 1]);
    figures::print(&format!("{}: of {REQUESTS} requests the first took {first:.2?}, the last {last:.2?}", messages[0]));
    for reply in &replies {
        assert_rejected(&app, reply);
    }
    assert!(last < ACQUIRE_TIMEOUT / 3, "requests do not wait during a known outage: {took:?}");
    assert_eq!(app.management().get("/health/ready").send().status, 503);

    end();
    let mut refused = REQUESTS;
    wait::until("the service to recover", RECOVERY, || {
        let reply = send_request(&app, ada, 0);
        if reply.status == 200 {
            return Some(());
        }
        assert_rejected(&app, &reply);
        refused += 1;
        None
    });
    thread::scope(|scope| {
        for n in 0..4 {
            let app = &app;
            scope.spawn(move || assert!(send_request(app, ada, n).status < 300, "the outage is over"));
        }
    });
    assert_eq!(app.management().get("/health/ready").send().status, 200);
    let stopped = app.stop();
    assert_reported_once(&stopped.records(), refused, messages);
    assert!(!stopped.stderr.contains("pass-of"), "stderr contains a password");
}

/// A dedicated role that owns a dedicated database.
struct Role {
    postgres: &'static Postgres,
    name: String,
    url: String,
}

impl Role {
    fn new() -> Self {
        let postgres = Postgres::shared();
        let database = postgres.database();
        let database = database.rsplit('/').next().expect("it has a name");
        let name = format!("role_of_{database}");
        let role = Self { postgres, url: postgres.url_as(&name, ROLE_PASSWORD, database), name };
        role.sql(&format!("CREATE ROLE {} LOGIN PASSWORD '{ROLE_PASSWORD}'", role.name));
        role.sql(&format!("ALTER DATABASE {database} OWNER TO {}", role.name));
        role
    }

    fn sql(&self, sql: &str) {
        self.postgres.sql(&self.postgres.url("postgres"), sql);
    }

    /// Alters the role, and terminates its connections, so that new ones are opened.
    fn change(&self, to: &str) {
        self.sql(&format!("ALTER ROLE {} {to}", self.name));
        self.sql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{}'", self.name));
    }
}

#[test]
fn the_service_recovers_from_an_exhausted_connection_limit() {
    let role = Role::new();
    let (app, ada) = start(&role.url);
    role.change("CONNECTION LIMIT 0");
    assert_recovery(app, &ada, &["no connection left", "too many connections"], || role.change("CONNECTION LIMIT -1"));
}

#[test]
fn the_service_recovers_from_a_changed_password() {
    let role = Role::new();
    let (app, ada) = start(&role.url);
    role.change("PASSWORD 'pass-of-another'");
    let back = format!("PASSWORD '{ROLE_PASSWORD}'");
    assert_recovery(app, &ada, &["rejected the login", "password authentication failed"], || role.change(&back));
}

#[test]
fn the_service_recovers_from_a_stalled_network() {
    let postgres = Postgres::shared();
    let proxy = SlowProxy::start(postgres.port(), Duration::ZERO);
    let (app, ada) = start(&postgres.url_via(proxy.port(), &postgres.database()));
    proxy.stall(true);
    assert_recovery(app, &ada, &["does not respond", "timed out"], || proxy.stall(false));
}

#[test]
fn the_service_recovers_from_a_stopped_server() {
    let mut postgres = Postgres::start_own();
    let (app, ada) = start(&postgres.database());
    postgres.stop();
    assert_recovery(app, &ada, &["refuses connections", "connection refused"], || postgres.restart());
}
