//! An upgrade from version 0.1, which stored only texts and numbers: the data is migrated to typed columns.

use serde_json::json;
use system_tests::binaries;
use system_tests::peers::postgres::Postgres;
use system_tests::scratch::Scratch;
use system_tests::service::Service;
use system_tests::sql::DirectConnection;

use crate::api::Engine;

const USER: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const ORDERS: [&str; 2] = ["01890a5d-ac96-774b-bcce-b302099a8058", "01890a5d-ac96-774b-bcce-b302099a8059"];
/// The SHA-256 of 64 zeros, as stored in the table.
const TOKEN_HASH: &str = "60e05bd1b195af2f94112fa7197a5c88289058840ce7c6df9693756bc6250f55";
const KEY: &str = "key-of-0-1";
const KEY_HASH: &str = "04cbd4c080281bcae781e5c10a23c8d0ea2a0701938b1d7d4296ac2f6d86fd9e";
const BODY: &str = r#"{"lines":[{"sku":"A-1","quantity":1,"unit_price_cents":100}]}"#;
const BODY_HASH: &str = "8c81ec5594d0723d10ad6598fdfe32db1e8fa16e93790e43fb542511d49a1b85";

const MIGRATIONS: [(&str, &[&str]); 3] = [
    ("cyanotype", &[include_str!("../../../crates/core/migrations/sqlite/V1__idempotency_keys.sql")]),
    (
        "users",
        &[
            include_str!("../../../crates/blueprint-users/migrations/sqlite/V1__users.sql"),
            include_str!("../../../crates/blueprint-users/migrations/sqlite/V2__order.sql"),
            include_str!("../../../crates/blueprint-users/migrations/sqlite/V3__version.sql"),
        ],
    ),
    (
        "orders",
        &[
            include_str!("../../../crates/blueprint-orders/migrations/sqlite/V1__orders.sql"),
            include_str!("../../../crates/blueprint-orders/migrations/sqlite/V2__order.sql"),
            include_str!("../../../crates/blueprint-orders/migrations/sqlite/V3__version.sql"),
        ],
    ),
];

/// Creates a database of version 0.1: its schema, its migration history, and rows.
fn version_0_1(database: &mut DirectConnection, on: Engine) {
    let (bytes, no_bytes) = match on {
        Engine::Sqlite => ("BLOB", "x''"),
        Engine::Postgres => ("BYTEA", "''"),
    };
    if let Engine::Postgres = on {
        database.run(r#"CREATE COLLATION "binary" FROM "C""#);
    }
    for (blueprint, files) in MIGRATIONS {
        let table = format!("_migrations_{blueprint}");
        database.run(&format!(
            "CREATE TABLE {table} (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
                 installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL,
                 checksum {bytes} NOT NULL, execution_time BIGINT NOT NULL)"
        ));
        for (n, file) in files.iter().enumerate() {
            database.run(file);
            database.run(&format!(
                "INSERT INTO {table} (version, description, success, checksum, execution_time)
                 VALUES ({}, 'old', TRUE, {no_bytes}, 1)",
                n + 1
            ));
        }
    }
    let times = "'2026-01-02T03:04:05.678901Z', '2026-01-03T00:00:00.000000Z'";
    database.run(&format!(
        "INSERT INTO users VALUES ('{USER}', 'ada@example.org', 'Ada', 'hash', {times}, 7);
         INSERT INTO sessions VALUES ('{TOKEN_HASH}', '{USER}', '2026-01-01T00:00:00.000000Z', '2999-01-01T00:00:00.000000Z');
         INSERT INTO orders VALUES ('{0}', '{USER}', 'paid', 250, {times}, 3), ('{1}', '{USER}', 'placed', 5, {times}, 1);
         INSERT INTO order_lines VALUES ('{0}', 0, 'B-1', 1, 50), ('{0}', 1, 'A-1', 2, 100), ('{1}', 0, 'C-1', 1, 5);
         INSERT INTO idempotency_keys VALUES ('{USER}', '{KEY_HASH}', 'POST', '/orders', '{BODY_HASH}', 201,
             '[[\"location\",\"/orders/{1}\"]]', 'as it was answered', 32472144000)",
        ORDERS[0], ORDERS[1]
    ));
}

fn data_of_version_0_1_is_migrated_to_typed_columns(on: Engine) {
    let scratch = Scratch::new("upgrade");
    let url = match on {
        Engine::Sqlite => format!("sqlite://{}", scratch.join("app.db").display()),
        Engine::Postgres => Postgres::shared().database(),
    };
    version_0_1(&mut DirectConnection::open(&url), on);
    let token = "0".repeat(64);
    // Twice: the second start has nothing to migrate.
    for _ in 0..2 {
        let app = Service::new(&binaries::app()).env("APP__DATABASE__URL", &url).start();
        let get = |path: &str| app.get(path).bearer(&token).send();
        let me = get("/users/me");
        let tag = me.header("etag").expect("a user has a tag");
        let same = app.get("/users/me").bearer(&token).header("if-none-match", tag).send();
        assert_eq!((same.status, tag.len()), (304, 34));
        assert_eq!(
            me.json(),
            json!({"id": USER, "email": "ada@example.org", "name": "Ada", "role": "member",
                   "created_at": "2026-01-02T03:04:05.678901Z", "updated_at": "2026-01-03T00:00:00.000000Z"})
        );
        let paid = json!({
            "id": ORDERS[0], "user_id": USER, "status": "paid", "total_cents": 250,
            "lines": [{"sku": "B-1", "quantity": 1, "unit_price_cents": 50},
                      {"sku": "A-1", "quantity": 2, "unit_price_cents": 100}],
            "created_at": "2026-01-02T03:04:05.678901Z", "updated_at": "2026-01-03T00:00:00.000000Z",
        });
        assert_eq!(get(&format!("/orders/{}", ORDERS[0])).json(), paid);
        let list = get("/orders").json();
        assert_eq!((&list["items"][1], &list["items"][0]["id"]), (&paid, &json!(ORDERS[1])));
        let again = app.post("/orders").bearer(&token).header("idempotency-key", KEY);
        let again = again.body("application/json", BODY).send();
        assert_eq!((again.status, again.text()), (201, "as it was answered"));
        assert_eq!(again.header("location"), Some(&*format!("/orders/{}", ORDERS[1])));
        app.stop();
    }
    let mut database = DirectConnection::open(&url);
    let (types, expected) = match on {
        Engine::Sqlite => (
            "SELECT typeof(id) || ' ' || typeof(total_cents) || ' ' || typeof(created_at) FROM orders",
            "blob integer text",
        ),
        Engine::Postgres => (
            "SELECT pg_typeof(id) || ' ' || pg_typeof(total_cents) || ' ' || pg_typeof(created_at) FROM orders",
            "uuid bigint timestamp with time zone",
        ),
    };
    assert_eq!(database.texts(types)[0], expected);
    // Rows that belong to a user or an order are still deleted with them.
    if let Engine::Sqlite = on {
        database.run("PRAGMA foreign_keys = ON");
    }
    database.run("DELETE FROM orders; DELETE FROM users");
    assert_eq!(database.texts("SELECT sku FROM order_lines"), [""; 0]);
    assert_eq!(database.texts("SELECT token_hash FROM sessions"), [""; 0]);
}

#[test]
fn data_of_version_0_1_is_migrated_on_sqlite() {
    data_of_version_0_1_is_migrated_to_typed_columns(Engine::Sqlite);
}

#[test]
fn data_of_version_0_1_is_migrated_on_postgres() {
    data_of_version_0_1_is_migrated_to_typed_columns(Engine::Postgres);
}
