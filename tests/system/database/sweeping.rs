//! Expired sessions and idempotency keys are deleted in the background, not by requests.

use std::time::Duration;

use serde_json::json;
use system_tests::binaries;
use system_tests::peers::postgres::Postgres;
use system_tests::scratch::Scratch;
use system_tests::service::Service;
use system_tests::sql::DirectConnection;
use system_tests::wait;

use crate::api::{Engine, member, token};

const LIMIT: Duration = Duration::from_secs(15);

fn expired_rows_are_deleted_in_the_background(on: Engine) {
    let scratch = Scratch::new("sweeping");
    let url = match on {
        Engine::Sqlite => format!("sqlite://{}", scratch.join("app.db").display()),
        Engine::Postgres => Postgres::shared().database(),
    };
    let app = |interval: &str| {
        Service::new(&binaries::app())
            .env("APP__DATABASE__URL", &url)
            .env("APP__DATABASE__SWEEP_INTERVAL_S", interval)
            .start()
    };
    // Its sweeper has just run and does not run again during this test.
    let writer = app("3600");
    let ada = member(&writer, "ada");
    let order = json!({"lines": [{"sku": "A-1", "quantity": 1, "unit_price_cents": 100}]});
    let placed = writer.post("/orders").bearer(&ada.token).header("idempotency-key", "k").json(&order).send();
    assert_eq!(placed.status, 201);
    token(&writer, "ada@example.org", crate::api::PASSWORD);
    let mut database = DirectConnection::open(&url);
    let mut rows = || {
        let count = |table: &str| format!("SELECT CAST(count(*) AS TEXT) FROM {table}");
        [database.texts(&count("sessions")).remove(0), database.texts(&count("idempotency_keys")).remove(0)]
    };
    assert_eq!(rows(), ["2", "1"]);
    let mut expiring = DirectConnection::open(&url);
    expiring.run(
        "UPDATE sessions SET expires_at = '2020-01-01T00:00:00.000000Z';
         UPDATE idempotency_keys SET expires_at = '2020-01-01T00:00:00.000000Z';
         DELETE FROM leases",
    );
    // A login and a keyed request do not delete expired rows.
    let again = token(&writer, "ada@example.org", crate::api::PASSWORD);
    let placed = writer.post("/orders").bearer(&again).header("idempotency-key", "l").json(&order).send();
    assert_eq!(placed.status, 201);
    assert_eq!(rows(), ["3", "2"], "requests do not sweep");
    let sweeper = app("1");
    wait::until("expired rows to be deleted", LIMIT, || (rows() == ["1", "1"]).then_some(()));
    assert_eq!(writer.get("/users/me").bearer(&again).send().status, 200, "valid sessions remain");
    sweeper.stop();
    writer.stop();
}

#[test]
fn expired_rows_are_deleted_in_the_background_on_sqlite() {
    expired_rows_are_deleted_in_the_background(Engine::Sqlite);
}

#[test]
fn expired_rows_are_deleted_in_the_background_on_postgres() {
    expired_rows_are_deleted_in_the_background(Engine::Postgres);
}
