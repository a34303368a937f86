//! The database, its migrations and its log; the clock.

use std::fs::{self, File};
use std::time::Duration;

use serde_json::json;
use system_tests::peers::postgres::{PASSWORD, Postgres};
use system_tests::ports;
use system_tests::scratch;
use system_tests::sql::DirectConnection;

use super::{Report, Setup};
use crate::api::member;

fn on(url: &str) -> Setup {
    Setup::new().env("APP__DATABASE__URL", url)
}

/// A URL with options for each session.
fn with(url: &str, options: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{options}")
}

#[test]
fn sqlite_files_that_cannot_be_used_are_failures() {
    let setup = Setup::new();
    let path = |name: &str| setup.scratch().join(name);
    scratch::write(&path("text"), "this is a text, and not a database\n".repeat(100));
    for (url, part) in [
        (format!("sqlite://{}", path("text").display()), "is not a SQLite database"),
        (format!("sqlite://{}?mode=rw", path("missing").display()), "does not exist"),
        (format!("sqlite://{}/app.db", path("text").display()), "is not a directory"),
    ] {
        let report = on(&url).doctor();
        report.has("database", "FAIL", &[part]).has("clock", "OK", &[]);
    }
    on("sqlite::memory:").doctor().has("database", "WARN", &["in memory"]);
}

#[test]
fn migrations_are_pending_changed_or_newer() {
    let setup = Setup::new();
    let service = setup.start();
    let url = setup.get("APP__DATABASE__URL");
    let mut database = DirectConnection::open(&url);
    setup.doctor().has("migrations", "OK", &["all have run"]);

    let last = "(SELECT max(version) FROM _schema_orders)";
    database.run("CREATE TABLE saved AS SELECT * FROM _schema_orders");
    database.run(&format!("DELETE FROM _schema_orders WHERE version = {last}"));
    setup.doctor().has("migrations", "WARN", &["pending: orders V"]);
    service.stop();
    setup.doctor().has("migrations", "OK", &["the start will run 1: orders V"]);

    database.run("DELETE FROM _schema_orders");
    database.run("INSERT INTO _schema_orders SELECT * FROM saved");
    database.run(&format!("UPDATE _schema_orders SET checksum = '1' WHERE version = {last}"));
    setup.doctor().has("migrations", "FAIL", &["changed after they had run: orders V"]);

    database.run("DELETE FROM _schema_orders");
    database.run("INSERT INTO _schema_orders SELECT * FROM saved");
    database
        .run("INSERT INTO _schema_users SELECT 99, 'from_the_future', applied_on, checksum FROM _schema_users LIMIT 1");
    database.run("UPDATE schema_writers SET program = 'app 9.9' WHERE blueprint = 'users'");
    setup.doctor().has("migrations", "FAIL", &["written by app 9.9: users V99__from_the_future"]);
}

#[test]
fn a_large_write_ahead_log_is_a_warning() {
    let setup = Setup::new();
    setup.start().stop();
    setup.doctor().has("wal", "OK", &["journal mode wal"]).has("database", "OK", &["app.db, "]);
    let wal = File::create(setup.scratch().join("app.db-wal")).expect("the test owns the directory");
    wal.set_len(65 << 20).expect("a sparse file");
    setup.doctor().has("wal", "WARN", &["65.0 MiB in the log"]);
}

#[test]
fn postgres_is_examined_by_its_own_clock_and_rights() {
    let postgres = Postgres::shared();
    let url = postgres.database();
    let setup = on(&url);
    setup
        .doctor()
        .has("database", "OK", &["PostgreSQL 1", &format!("{}", postgres.port())])
        .has("migrations", "OK", &["the start will run"])
        .has("clock", "OK", &["the database server is 0."]);
    let service = setup.start();
    let report = setup.doctor();
    report.has("migrations", "OK", &["all have run"]);
    assert_eq!(report.json["pid"], json!(service.pid));
    assert!(!report.names().contains(&"wal"));
    service.stop();

    postgres.sql(
        &url,
        "CREATE SCHEMA fake; CREATE TABLE fake.away (away interval); INSERT INTO fake.away VALUES ('20 s');
         CREATE FUNCTION fake.clock_timestamp() RETURNS timestamptz LANGUAGE sql
         AS 'SELECT pg_catalog.clock_timestamp() + away FROM fake.away'",
    );
    let elsewhere = with(&url, "options[search_path]=fake,pg_catalog,public");
    let examined = || on(&elsewhere).doctor();
    examined().has("clock", "WARN", &["the database server is ", " s ahead"]);
    postgres.sql(&url, "UPDATE fake.away SET away = '-1 hour'");
    examined().has("clock", "FAIL", &["s behind"]);

    on(&with(&url, "options[default_transaction_read_only]=on")).doctor().has("database", "FAIL", &["is read-only"]);
    let many = on(&url).env("APP__DATABASE__MAX_CONNECTIONS", "5000").doctor();
    many.has("database", "WARN", &["this process may open 5001"]);
}

#[test]
fn an_unreachable_postgres_is_a_failure_without_its_password() {
    let postgres = Postgres::shared();
    let url = postgres.database();
    let failed = |url: &str| -> Report {
        let report = on(url).doctor();
        report.has("database", "FAIL", &["postgres://"]).has("clock", "OK", &[]).has("sentry", "OK", &[]);
        report
    };
    let report = failed(&url.replace(PASSWORD, "hunter2"));
    assert!(!report.json.to_string().contains("hunter2"), "{:#}", report.json);
    let refused = failed(&format!("postgres://ada:hunter2@127.0.0.1:{}/shop", ports::free()));
    assert!(!refused.json.to_string().contains("hunter2"), "{:#}", refused.json);
    failed("postgres://ada:hunter2@no-such-host.invalid/shop");

    // Cause and remedy are apart, whatever the cause contains.
    let of_database = |url: &str| on(url).doctor().json["checks"][2].clone();
    let certificate = of_database("postgres://db:5432/shop?sslmode=verify-full&sslrootcert=/no/such.pem");
    let found = certificate["found"].as_str().unwrap_or_default();
    assert!(found.starts_with("the database postgres://db:5432/shop: sslrootcert /no/such.pem: "), "{certificate}");
    assert_eq!(certificate["remedy"], "check database.url, and that the server runs");
    let closed = of_database(&format!("postgres://ada@127.0.0.1:{}/shop", ports::free()));
    let found = closed["found"].as_str().unwrap_or_default();
    assert!(found.contains(" refuses connections (") && !found.contains("check that"), "{closed}");
    assert_eq!(closed["remedy"], "check that the server is running, and check host and port");
}

/// The files of a SQLite database with their contents, without the index of the log, which is rebuilt from it.
fn files(setup: &Setup) -> Vec<(String, Vec<u8>)> {
    let names = setup.scratch().names().into_iter().filter(|name| name.starts_with("app.db"));
    let content = |name: &str| match name.ends_with("-shm") {
        true => Vec::new(),
        false => fs::read(setup.scratch().join(name)).expect("the test owns the file"),
    };
    names.map(|name| (name.clone(), content(&name))).collect()
}

#[test]
fn the_files_of_sqlite_are_as_before() {
    let setup = Setup::new();
    let look = |what: &str| {
        let before = files(&setup);
        setup.doctor().has("migrations", "OK", &["all have run"]);
        assert!(files(&setup) == before, "doctor, {what}");
        assert_eq!(setup.service().arg("db").arg("status").run().code(), Some(0));
        assert!(files(&setup) == before, "db status, {what}");
        before.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    setup.start().stop();
    assert_eq!(look("after a stop"), ["app.db", "app.db.lock"]);
    for writes in [false, true] {
        let mut killed = setup.start();
        if writes {
            member(&killed, "ada");
        }
        look("while the service runs");
        killed.signal("KILL");
        killed.wait_exit(Duration::from_secs(60));
        assert_eq!(look("after the end of a killed service"), ["app.db", "app.db-shm", "app.db-wal", "app.db.lock"]);
    }
}
