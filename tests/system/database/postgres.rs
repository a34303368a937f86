//! PostgreSQL: concurrent starts (of SQLite, too), startup errors, a restart of the server, collation, and row locks.

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::peers::postgres::{PASSWORD, Postgres};
use system_tests::scratch::Scratch;
use system_tests::service::Service;
use system_tests::{binaries, ports, wait};

use crate::api::{self, Engine, admin, login, member, register, start, text};
use crate::faults::database_outages;
use crate::lifecycle::refusal;

fn app_on(url: &str) -> Service {
    Service::new(&binaries::app()).env("APP__DATABASE__URL", url)
}

fn four_processes_start_concurrently_on_an_empty_database(on: Engine) {
    let scratch = Scratch::new("shared");
    let url = match on {
        Engine::Sqlite => format!("sqlite://{}", scratch.join("shared.db").display()),
        Engine::Postgres => Postgres::shared().database(),
    };
    let starts = [(); 4].map(|()| {
        let app = app_on(&url);
        thread::spawn(|| app.start())
    });
    let apps = starts.map(|start| start.join().expect("it starts"));
    register(&apps[0], "ada");
    for app in &apps {
        assert_eq!(login(app, "ada@example.org", api::PASSWORD).status, 200);
        assert_eq!(app.management().get("/health/ready").send().status, 200);
    }
    for app in apps {
        let records = app.stop().records();
        assert!(records.iter().all(|record| record["level"] == "info"), "{records:?}");
    }
}

#[test]
fn four_processes_start_concurrently_on_sqlite() {
    four_processes_start_concurrently_on_an_empty_database(Engine::Sqlite);
}

#[test]
fn four_processes_start_concurrently_on_postgres() {
    four_processes_start_concurrently_on_an_empty_database(Engine::Postgres);
}

#[test]
fn start_record_and_health_name_postgres() {
    let app = start(Engine::Postgres.single_process());
    assert_eq!(app.records()[0]["database"], "postgres");
    let ready = app.management().get("/health/ready").send();
    let health = ready.json();
    assert_eq!((ready.status, &health["status"], &health["database"]), (200, &json!("ready"), &json!("postgres")));
    assert!(["users", "orders"].iter().all(|name| health["blueprints"][name] == "ready"), "{health}");
}

#[test]
fn an_unusable_postgres_is_reported_in_one_line() {
    let postgres = Postgres::shared();
    let database = postgres.database();
    postgres.sql(&database, "CREATE ROLE guest LOGIN PASSWORD 'pass-of-guest'");
    let name = database.rsplit('/').next().expect("it has a name");
    let silent = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let silent = silent.local_addr().expect("it listens").port();
    let at = |port: u16| format!("postgres://ada:pass-of-ada@127.0.0.1:{port}/shop");
    for (url, expected) in [
        (at(ports::free()), "refuses connections: check that the server is running, and check host and port"),
        (at(silent), "did not respond within 1 s"),
        ("postgres://ada:pass-of-ada@nowhere.invalid/shop".into(), "is unreachable: check the host"),
        (
            postgres.url_as("postgres", "pass-of-nobody", name),
            "rejected the login: check user and password (password authentication failed for user \"postgres\")",
        ),
        (postgres.url_as("nobody", PASSWORD, name), "rejected the login: check user and password"),
        (postgres.url("nowhere"), "does not exist: create it with CREATE DATABASE"),
        (
            postgres.url_as("guest", "pass-of-guest", name),
            "denied permission: the user needs the rights to connect and to create tables",
        ),
        (database.clone() + "?sslmode=require", "is unreachable over TLS: check sslmode and sslrootcert in the URL"),
        (database.clone() + "?options[default_transaction_read_only]=on", "is read-only"),
    ] {
        let stopped = app_on(&url).env("APP__DATABASE__ACQUIRE_TIMEOUT_S", "1").run();
        let refused = refusal(&stopped);
        assert!(refused.starts_with("the database postgres://") && refused.contains(expected), "{url}: {refused}");
        assert!(!stopped.stderr.contains("pass-of"), "{refused}");
    }
}

#[test]
fn the_service_recovers_from_a_postgres_restart() {
    let mut postgres = Postgres::start_own();
    let url = postgres.database();
    let app = app_on(&url).env("APP__DATABASE__ACQUIRE_TIMEOUT_S", "3").env("APP__LOG__FLOOD__WINDOW_S", "600").start();
    let ada = member(&app, "ada");
    let ready = app.management().get("/health/ready");
    assert_eq!(ready.clone().send().status, 200);
    // Opens several connections. The pool replaces broken idle ones, without a record of a request.
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(app.get("/orders").bearer(&ada.token).send().status, 200));
        }
    });

    postgres.stop();
    assert_eq!(ready.clone().send().status, 503);
    for _ in 0..3 {
        database_outages::assert_rejected(&app, &app.get("/orders").bearer(&ada.token).send());
    }

    postgres.restart();
    wait::until("readiness", Duration::from_secs(10), || (ready.clone().send().status == 200).then_some(()));
    for _ in 0..20 {
        let reply = app.get(&format!("/users/{}", ada.id)).bearer(&ada.token).send();
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let stopped = app.stop();
    database_outages::assert_reported_once(&stopped.records(), 3, &["refuses connections", "connection refused"]);
    assert!(!stopped.stderr.contains(PASSWORD), "stderr contains the password");
}

#[test]
fn ids_sort_as_bytes_in_any_collation() {
    check_id_order(Postgres::shared());
}

/// Possibly another version, and with the C library's collations instead of ICU's.
#[test]
fn ids_sort_as_bytes_on_pypi_postgres() {
    check_id_order(&Postgres::start_from_pypi());
}

fn check_id_order(postgres: &Postgres) {
    let url = postgres.database();
    assert_eq!(postgres.sql(&url, "SELECT 'aa' > 'b'"), "t", "the collation is Danish");
    let app = app_on(&url).start();
    let last = admin(&app, "last");
    let at = |n: &str| format!("00000000-0000-7000-8000-{n:0>12}");
    for n in ["b0", "aa", "1b", "1a"] {
        register(&app, n);
        postgres.sql(&url, &format!("UPDATE users SET id = '{}' WHERE name = '{n}'", at(n)));
    }
    let mut names = vec![];
    let mut query = "?limit=2".to_owned();
    loop {
        let page = app.get(&format!("/users{query}")).bearer(&last.token).send().json();
        names.extend(page["items"].as_array().expect("a page has items").iter().map(|item| text(item, "name")));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=2&after={next}");
    }
    assert_eq!(names, ["last", "b0", "aa", "1b", "1a"]);

    for id in [at("b0"), at("aa")] {
        let order = "'placed', 0, '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z'";
        postgres.sql(&url, &format!("INSERT INTO orders VALUES ('{id}', '{}', {order})", last.id));
    }
    let page = app.get("/orders?limit=1").bearer(&last.token).send().json();
    assert_eq!(page["next"], at("b0"));
    let page = app.get(&format!("/orders?limit=1&after={}", at("b0"))).bearer(&last.token).send().json();
    assert_eq!((&page["items"][0]["id"], &page["next"]), (&json!(at("aa")), &Value::Null));
}

#[test]
fn a_login_during_a_password_change_is_rejected() {
    let postgres = Postgres::shared();
    let url = postgres.database();
    let app = app_on(&url).start();
    register(&app, "ada");
    thread::scope(|scope| {
        // A transaction that ends once the login waits for its lock.
        let change = scope.spawn(|| {
            let change = "DO $$ BEGIN
                    UPDATE users SET password_hash = 'another';
                    FOR i IN 1..1000 LOOP
                        EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid)));
                        PERFORM pg_sleep(0.01);
                    END LOOP;
                END $$";
            postgres.sql(&url, change)
        });
        let changing = "SELECT count(*) FROM pg_locks WHERE relation = 'users'::regclass AND mode = 'RowExclusiveLock'";
        wait::until("the password change", Duration::from_secs(10), || {
            (postgres.sql(&url, changing) == "1").then_some(())
        });
        assert_eq!(login(&app, "ada@example.org", api::PASSWORD).status, 401);
        change.join().expect("the password was changed");
    });
    assert_eq!(postgres.sql(&url, "SELECT count(*) FROM sessions"), "0");
}
