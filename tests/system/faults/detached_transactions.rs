//! Transactions whose client has disconnected: they complete, and failures are reported.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::http::{Disconnect, Request};
use system_tests::peers::bugsink::{Bugsink, Project};
use system_tests::peers::postgres::Postgres;
use system_tests::scratch::Scratch;
use system_tests::service::{Running, Service};
use system_tests::sql::DirectConnection;
use system_tests::{binaries, wait};

use crate::api::{Engine, Member, member, text};
use crate::support::of_kind;

const LIMIT: Duration = Duration::from_secs(15);
const KEY: &str = "detached";

/// A service with a transaction that waits for a lock and whose client has disconnected.
struct Detached {
    app: Running,
    ada: Member,
    project: Project,
    url: String,
    /// Holds the lock until its transaction ends.
    holder: DirectConnection,
    /// The id of the client's request.
    request_id: String,
    _scratch: Scratch,
}

fn place(app: &Running, by: &Member) -> Request {
    let lines = json!({"lines": [{"sku": "A-1", "quantity": 1, "unit_price_cents": 100}]});
    app.post("/orders").bearer(&by.token).header("idempotency-key", KEY).json(&lines)
}

impl Detached {
    /// `prepare` is SQL to run before the lock is taken.
    fn start(on: Engine, shutdown_timeout_s: u32, prepare: &str) -> Self {
        let scratch = Scratch::new("detached");
        let (url, lock) = match on {
            Engine::Sqlite => (format!("sqlite://{}", scratch.join("app.db").display()), "BEGIN IMMEDIATE"),
            // Writers of order lines wait.
            Engine::Postgres => (Postgres::shared().database(), "BEGIN; LOCK TABLE order_lines IN EXCLUSIVE MODE"),
        };
        let project = Bugsink::shared().project();
        let app = Service::new(&binaries::app())
            .env("APP__DATABASE__URL", &url)
            .env("APP__SERVER__SHUTDOWN_TIMEOUT_S", shutdown_timeout_s.to_string())
            .env("SENTRY_DSN", &project.dsn)
            .start();
        let ada = member(&app, "ada");
        let mut holder = DirectConnection::open(&url);
        holder.run(prepare);
        holder.run(lock);

        let sent = place(&app, &ada).dispatch().expect("a request can be sent");
        let mut observer = DirectConnection::open(&url);
        wait::until("the transaction to wait", LIMIT, || match on {
            Engine::Postgres => (observer.texts(WAITING).len() == 1).then_some(()),
            // SQLite does not show who waits.
            Engine::Sqlite => {
                sleep(Duration::from_millis(300));
                Some(())
            }
        });
        sent.disconnect(Disconnect::Close);
        let response = app.wait_record("the aborted response", |record| record["outcome"] == "aborted");
        Self { app, ada, project, url, holder, request_id: text(&response, "request_id"), _scratch: scratch }
    }
}

const WAITING: &str = "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database()
                       AND wait_event_type = 'Lock'";

/// The order lines, and the stored statuses of idempotency keys.
fn stored(url: &str) -> (Vec<String>, Vec<String>) {
    let mut database = DirectConnection::open(url);
    let orders = "SELECT sku FROM orders JOIN order_lines ON order_id = id";
    (database.texts(orders), database.texts("SELECT CAST(status AS TEXT) FROM idempotency_keys"))
}

/// The client disconnects; after `release` the transaction continues and fails.
#[track_caller]
fn assert_reported_once(prepare: &str, release: &str, expected: &str) {
    let mut detached = Detached::start(Engine::Postgres, 8, prepare);
    detached.holder.run(release);
    let id = detached.request_id.clone();
    let is_uncaught = |record: &Value| record["kind"] == "uncaught" && record["request_id"] == *id;
    detached.app.wait_record("the failure of the detached transaction", is_uncaught);
    drop(detached.holder);
    let records = detached.app.stop().records();
    let uncaught = of_kind(&records, "uncaught");
    assert_eq!(uncaught.len(), 1, "{uncaught:#?}");
    assert!(uncaught[0].to_string().contains(expected), "{}", uncaught[0]);
    let at = |kind: &str| records.iter().position(|record| record["kind"] == kind && record["request_id"] == *id);
    assert!(at("response") < at("uncaught"), "the response record is first: {records:#?}");
    let events = detached.project.events();
    let ids: Vec<&Value> = events.iter().map(|event| &event["tags"]["request_id"]).collect();
    assert_eq!(ids, [&json!(id)], "one event");
    assert_eq!(stored(&detached.url), (vec![], vec![]));
}

#[test]
fn a_lost_connection_after_disconnect_is_reported_once() {
    let terminate = format!("SELECT pg_terminate_backend(pid::int) FROM ({WAITING}) AS waiting");
    assert_reported_once("", &terminate, "terminating connection");
}

#[test]
fn a_failed_commit_after_disconnect_is_reported_once() {
    let trigger = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
                       AS $$ BEGIN RAISE EXCEPTION 'refused at the end'; END $$;
                   CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON order_lines DEFERRABLE INITIALLY DEFERRED
                       FOR EACH ROW EXECUTE FUNCTION refuse()";
    assert_reported_once(trigger, "ROLLBACK", "refused at the end");
}

/// On SQLite a transaction waits only before it begins.
#[test]
fn a_queued_sqlite_transaction_is_cancelled_on_disconnect() {
    let mut detached = Detached::start(Engine::Sqlite, 8, "");
    detached.holder.run("ROLLBACK");
    // Its key is free again: the transaction had not begun.
    let reply = place(&detached.app, &detached.ada).send();
    assert_eq!((reply.status, reply.header("idempotency-replayed")), (201, None), "{}", reply.text());
    let records = detached.app.stop().records();
    assert_eq!(stored(&detached.url), (vec!["A-1".to_owned()], vec!["201".to_owned()]), "one order");
    assert!(of_kind(&records, "uncaught").is_empty(), "{records:#?}");
}

#[test]
fn shutdown_waits_for_a_detached_postgres_transaction() {
    let mut detached = Detached::start(Engine::Postgres, 8, "");
    detached.app.signal("TERM");
    detached.app.wait_record("the stop", |record| record["message"] == "stopping on SIGTERM");
    sleep(Duration::from_secs(1));
    detached.holder.run("ROLLBACK");
    assert_eq!(detached.app.wait_exit(Duration::from_secs(10)).code(), Some(0));
    let records = detached.app.stop().records();
    assert_eq!(
        stored(&detached.url),
        (vec!["A-1".to_owned()], vec!["201".to_owned()]),
        "the transaction was committed"
    );
    let warnings: Vec<_> = of_kind(&records, "service").into_iter().filter(|it| it["level"] != "info").collect();
    assert!(warnings.is_empty(), "nothing was rolled back: {warnings:?}");
}

#[test]
fn shutdown_rolls_back_and_counts_unfinished_transactions() {
    let mut detached = Detached::start(Engine::Postgres, 3, "");
    let began = Instant::now();
    detached.app.signal("TERM");
    assert_eq!(detached.app.wait_exit(Duration::from_secs(10)).code(), Some(0));
    assert!(began.elapsed() < Duration::from_millis(3500), "it took {:?}", began.elapsed());
    let records = detached.app.stop().records();
    let is_it = |record: &&&Value| record["message"].as_str().is_some_and(|message| message.contains("transaction"));
    let service = of_kind(&records, "service");
    let reports: Vec<_> = service.iter().filter(is_it).collect();
    assert_eq!(reports.len(), 1, "{service:#?}");
    assert_eq!((&reports[0]["level"], &reports[0]["rolled_back"]), (&json!("warning"), &json!(1)), "{}", reports[0]);

    // The lock is released only now.
    detached.holder.run("ROLLBACK");
    let others = "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database()
                  AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    wait::until("the service's connections to end", LIMIT, || detached.holder.texts(others).is_empty().then_some(()));
    assert_eq!(stored(&detached.url), (vec![], vec![]));
}
