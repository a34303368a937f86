//! A downgrade: an older program on the schema of a newer one.

use system_tests::binaries;
use system_tests::peers::postgres::Postgres;
use system_tests::scratch::Scratch;
use system_tests::service::Service;
use system_tests::sql::DirectConnection;

use crate::api::Engine;

fn a_downgrade_reports_the_version_that_wrote_the_schema(on: Engine) {
    let scratch = Scratch::new("downgrade");
    let url = match on {
        Engine::Sqlite => format!("sqlite://{}", scratch.join("app.db").display()),
        Engine::Postgres => Postgres::shared().database(),
    };
    let app = || Service::new(&binaries::app()).env("APP__DATABASE__URL", &url);
    app().start().stop();
    // The state that the next version leaves.
    let mut database = DirectConnection::open(&url);
    database.run(
        "INSERT INTO _schema_orders (version, name, applied_on, checksum)
         VALUES (1000, 'next', '2030-01-01T00:00:00Z', '1');
         UPDATE schema_writers SET program = 'app 9.9.9', version = 1000 WHERE blueprint = 'orders'",
    );
    drop(database);
    let stopped = app().run();
    assert_eq!(stopped.code(), Some(78), "a restart does not help");
    let records = stopped.records();
    let message = records[0]["message"].as_str().expect("a message");
    for expected in ["the schema of orders was written by app 9.9.9", "start that version or a newer one", "backup"] {
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_downgrade_reports_the_schemas_version_on_sqlite() {
    a_downgrade_reports_the_version_that_wrote_the_schema(Engine::Sqlite);
}

#[test]
fn a_downgrade_reports_the_schemas_version_on_postgres() {
    a_downgrade_reports_the_version_that_wrote_the_schema(Engine::Postgres);
}
