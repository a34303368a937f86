//! A PostgreSQL that a running service cannot use for a while: each request is told so at once, the cause is said once, and
//! the service goes on when it is over.

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

/// Asks for one of several things that need the database.
fn ask(app: &Running, by: &Member, n: usize) -> Reply {
    let lines = json!({"lines": [{"sku": "A-1", "quantity": 1, "unit_price_cents": 100}]});
    let request = match n % 3 {
        0 => app.get("/users/me/sessions"),
        1 => app.get("/orders"),
        _ => app.post("/orders").header("idempotency-key", format!("key-{n}")).json(&lines),
    };
    request.bearer(&by.token).send()
}

/// What is asked for in an outage is refused for a while, and recorded. Gives the request's id.
#[track_caller]
pub fn is_refused(app: &Running, reply: &Reply) -> String {
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

/// Of so many requests that an outage refused, one has told why: in one of these ways, as messages differ.
#[track_caller]
pub fn is_told_once(records: &[Value], refused: usize, ways: &[&str]) {
    let uncaught = of_kind(records, "uncaught");
    assert_eq!(uncaught.len(), 1, "{uncaught:#?}");
    let said = format!("{} {}", uncaught[0]["exception.message"], uncaught[0]["exception.chain"]).to_lowercase();
    assert!(ways.iter().any(|way| said.contains(way)), "none of {ways:?} is in {said}");
    assert_eq!(dropped(records, "uncaught"), refused as u64 - 1, "the others are counted");
}

/// One request after the other while the database cannot be used, and then again when it can.
#[track_caller]
fn is_survived(app: Running, ada: &Member, ways: &[&str], end: impl FnOnce()) {
    let answers = (0..REQUESTS).map(|n| {
        let began = Instant::now();
        (ask(&app, ada, n), began.elapsed())
    });
    let (replies, took): (Vec<Reply>, Vec<Duration>) = answers.unzip();
    let (first, last) = (took[0], took[REQUESTS - 1]);
    figures::print(&format!("{}: the first of {REQUESTS} requests took {first:.2?}, the last {last:.2?}", ways[0]));
    for reply in &replies {
        is_refused(&app, reply);
    }
    assert!(last < ACQUIRE_TIMEOUT / 3, "nobody waits for what is known to be away: {took:?}");
    assert_eq!(app.management().get("/health/ready").send().status, 503);

    end();
    let mut refused = REQUESTS;
    wait::until("the service to go on", RECOVERY, || {
        let reply = ask(&app, ada, 0);
        if reply.status == 200 {
            return Some(());
        }
        is_refused(&app, &reply);
        refused += 1;
        None
    });
    thread::scope(|scope| {
        for n in 0..4 {
            let app = &app;
            scope.spawn(move || assert!(ask(app, ada, n).status < 300, "it is over"));
        }
    });
    assert_eq!(app.management().get("/health/ready").send().status, 200);
    let stopped = app.stop();
    is_told_once(&stopped.records(), refused, ways);
    assert!(!stopped.stderr.contains("pass-of"), "a password is in what it wrote");
}

/// A role of its own that owns a database of its own.
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

    /// Changes the role, and ends its connections: new ones are needed.
    fn change(&self, to: &str) {
        self.sql(&format!("ALTER ROLE {} {to}", self.name));
        self.sql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{}'", self.name));
    }
}

#[test]
fn a_role_without_connections_left_is_told_and_survived() {
    let role = Role::new();
    let (app, ada) = start(&role.url);
    role.change("CONNECTION LIMIT 0");
    is_survived(app, &ada, &["no connection left", "too many connections"], || role.change("CONNECTION LIMIT -1"));
}

#[test]
fn a_password_that_changes_is_told_and_survived() {
    let role = Role::new();
    let (app, ada) = start(&role.url);
    role.change("PASSWORD 'pass-of-another'");
    let back = format!("PASSWORD '{ROLE_PASSWORD}'");
    is_survived(app, &ada, &["rejected the login", "password authentication failed"], || role.change(&back));
}

#[test]
fn a_network_that_passes_nothing_on_is_told_and_survived() {
    let postgres = Postgres::shared();
    let proxy = SlowProxy::start(postgres.port(), Duration::ZERO);
    let (app, ada) = start(&postgres.url_by(proxy.port(), &postgres.database()));
    proxy.stall(true);
    is_survived(app, &ada, &["does not respond", "timed out"], || proxy.stall(false));
}

#[test]
fn a_server_that_does_not_run_is_told_and_survived() {
    let mut postgres = Postgres::start_own();
    let (app, ada) = start(&postgres.database());
    postgres.stop();
    is_survived(app, &ada, &["refuses connections", "connection refused"], || postgres.restart());
}
