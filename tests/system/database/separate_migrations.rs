//! Migrations apart from the start: `database.migrate_at_start=false` and `app db migrate | status`.

use std::thread;

use serde_json::{Value, json};
use system_tests::binaries;
use system_tests::peers::postgres::Postgres;
use system_tests::scratch::Scratch;
use system_tests::service::{Service, Stopped};
use system_tests::sql::DirectConnection;

use crate::api::{Engine, member, on_each_database, text};

/// A blueprint, and the numbers of its migrations that are applied, pending and newer.
type Counts = (String, usize, usize, usize);

/// An empty database, or for SQLite the name of one that does not exist.
struct Empty {
    scratch: Scratch,
    url: String,
}

impl Empty {
    fn new(on: Engine) -> Self {
        let scratch = Scratch::new("migrations");
        let url = match on {
            Engine::Sqlite => format!("sqlite://{}", scratch.join("app.db").display()),
            Engine::Postgres => Postgres::shared().database(),
        };
        Self { scratch, url }
    }

    fn app(&self) -> Service {
        Service::new(&binaries::app())
            .env("APP__DATABASE__URL", &self.url)
            .env("APP__DATABASE__MIGRATE_AT_START", "false")
    }

    fn db(&self, arguments: &[&str]) -> Service {
        arguments.iter().fold(self.app().arg("db"), |app, argument| app.arg(*argument))
    }

    /// The exit status of `db status`, and the number of migrations in each state by blueprint.
    #[track_caller]
    fn status(&self) -> (Option<i32>, Vec<Counts>) {
        let Stopped { status, stdout, stderr } = self.db(&["status", "--json"]).run();
        assert_eq!(stderr, "");
        let json: Value = serde_json::from_str(&stdout).expect("--json is JSON");
        assert_eq!(json["current"] == true, status.success(), "{json}");
        let blueprints = json["blueprints"].as_array().expect("a list").iter().map(|it| {
            let states: Vec<String> =
                it["migrations"].as_array().expect("a list").iter().map(|it| text(it, "state")).collect();
            let count = |state: &str| states.iter().filter(|it| *it == state).count();
            (text(it, "blueprint"), count("applied"), count("pending"), count("newer"))
        });
        (status.code(), blueprints.collect())
    }
}

#[track_caller]
fn assert_refused(stopped: &Stopped, pending: &str) {
    assert_eq!(stopped.code(), Some(69), "a later start succeeds: {}", stopped.stderr);
    let message = stopped.records()[0]["message"].as_str().expect("a message").to_owned();
    for expected in [pending, "database.migrate_at_start is false", "run `app db migrate`"] {
        assert!(message.contains(expected), "{message}");
    }
}

fn a_start_waits_for_the_migrations_of_the_command(on: Engine) {
    let database = Empty::new(on);
    let counts = |applied: bool, newer: usize| {
        let count = |name: &str, all: usize, newer| {
            (name.to_owned(), if applied { all } else { 0 }, if applied { 0 } else { all }, newer)
        };
        vec![count("cyanotype", 4, 0), count("users", 5, 0), count("orders", 4, newer)]
    };
    assert_refused(&database.app().run(), "cyanotype V1, V2, V3, V4; users V1, V2, V3, V4, V5; orders V1, V2, V3, V4");
    assert_eq!(database.status(), (Some(1), counts(false, 0)));
    if let Engine::Sqlite = on {
        assert!(!database.scratch.join("app.db").exists(), "neither creates a database");
    }
    // The operator's other commands do not migrate either.
    let admins = database.app().arg("users").arg("admins").run();
    assert_eq!(admins.code(), Some(69), "{}", admins.stderr);

    let migrated = database.db(&["migrate"]).run();
    assert_eq!((migrated.code(), &*migrated.stderr), (Some(0), ""));
    for row in [["users", "V5__roles_and_sessions", "applied", "-"], ["cyanotype", "V4__log_overrides", "applied", "-"]]
    {
        assert!(migrated.stdout.lines().any(|line| line.split_whitespace().eq(row)), "{}", migrated.stdout);
    }
    let again = database.db(&["migrate"]).run();
    assert_eq!((again.code(), &*again.stdout), (Some(0), "no migrations are pending\n"));
    assert_eq!(database.status(), (Some(0), counts(true, 0)));
    let shown = database.db(&["status"]).run().stdout;
    assert!(shown.ends_with("\n13 applied, 0 pending, 0 newer, 0 changed\n"), "{shown}");

    let app = database.app().start();
    member(&app, "ada");
    app.stop();

    DirectConnection::open(&database.url).run(
        "INSERT INTO _schema_orders (version, name, applied_on, checksum) VALUES (1000, 'next', '2030-01-01T00:00:00Z', '1');
         UPDATE schema_writers SET program = 'app 9.9.9', version = 1000 WHERE blueprint = 'orders'",
    );
    assert_eq!(database.status(), (Some(1), counts(true, 1)));
    for refused in [database.app().run(), database.db(&["migrate"]).run()] {
        assert_eq!(refused.code(), Some(78), "{}", refused.stderr);
        assert!(refused.stderr.contains("the schema of orders was written by app 9.9.9"), "{}", refused.stderr);
    }
    DirectConnection::open(&database.url).run(
        "DELETE FROM _schema_orders WHERE version = 1000; UPDATE _schema_users SET checksum = '7' WHERE version = 2",
    );
    for changed in [database.app().run(), database.db(&["migrate"]).run()] {
        assert_eq!(changed.code(), Some(78), "no restart can help: {}", changed.stderr);
        assert!(changed.stderr.contains("V2__order was changed after it had run"), "{}", changed.stderr);
    }
    let shown = database.db(&["status"]).run();
    assert_eq!(shown.code(), Some(1));
    assert!(shown.stdout.ends_with("\n12 applied, 0 pending, 0 newer, 1 changed\n"), "{}", shown.stdout);
}

fn a_running_service_is_not_disturbed_by_a_migration(on: Engine) {
    let database = Empty::new(on);
    let users = database.app().env("APP__BLUEPRINTS__ENABLED", "users").env("APP__DATABASE__MIGRATE_AT_START", "true");
    let users = users.start();
    let ada = member(&users, "ada");
    assert_refused(&database.app().run(), "(orders V1, V2, V3, V4)");

    let (port, token, path) = (users.port, ada.token.clone(), format!("/users/{}", ada.id));
    let writes = thread::spawn(move || {
        let client = system_tests::http::Client::new(port);
        let rename = |n: u32| client.patch(&path).bearer(&token).json(&json!({"name": format!("Ada {n}")})).send();
        (0..40).map(|n| rename(n).status).filter(|status| *status != 200).collect::<Vec<_>>()
    });
    // Several at once: each migration runs once.
    let commands: Vec<_> = (0..3).map(|_| database.db(&["migrate", "--json"])).collect();
    let commands: Vec<_> = commands.into_iter().map(|command| thread::spawn(|| command.run())).collect();
    let ran: Vec<Value> = commands
        .into_iter()
        .flat_map(|command| {
            let Stopped { status, stdout, stderr } = command.join().expect("the command runs");
            assert_eq!((status.code(), &*stderr), (Some(0), ""));
            serde_json::from_str::<Vec<Value>>(&stdout).expect("--json is a list")
        })
        .collect();
    let versions: Vec<&Value> = ran.iter().flat_map(|it| it["migrations"].as_array().expect("a list")).collect();
    assert_eq!((ran.len(), versions.len()), (1, 4), "{ran:?}");
    assert_eq!(ran[0]["blueprint"], "orders");
    assert_eq!(writes.join().expect("the writes end"), [0_u16; 0], "no write failed");

    let all = database.app().start();
    let order = json!({"lines": [{"sku": "A-1", "quantity": 1, "unit_price_cents": 5}]});
    let placed = all.post("/orders").bearer(&ada.token).json(&order).send();
    assert_eq!(placed.status, 201, "{}", placed.text());
}

on_each_database!(a_start_waits_for_the_migrations_of_the_command, a_running_service_is_not_disturbed_by_a_migration,);

#[test]
fn a_database_in_memory_is_always_migrated() {
    let app = Service::new(&binaries::app()).env("APP__DATABASE__URL", "sqlite::memory:");
    let app = app.env("APP__DATABASE__MIGRATE_AT_START", "false").start();
    member(&app, "ada");
}

#[test]
fn a_postgres_user_without_the_right_to_create_tables_can_serve() {
    let database = Empty::new(Engine::Postgres);
    assert_eq!(database.db(&["migrate"]).run().code(), Some(0));
    let name = database.url.rsplit('/').next().expect("the URL names the database").to_owned();
    let role = format!("serving_{name}");
    DirectConnection::open(&database.url).run(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'serving';
         GRANT USAGE ON SCHEMA public TO {role};
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"
    ));
    let url = Postgres::shared().url_as(&role, "serving", &name);
    let serving = || Service::new(&binaries::app()).env("APP__DATABASE__URL", &url);
    let refused = serving().run();
    assert_eq!(refused.code(), Some(69), "{}", refused.stderr);
    assert!(refused.stderr.contains("denied permission"), "migrations need the right: {}", refused.stderr);
    let app = serving().env("APP__DATABASE__MIGRATE_AT_START", "false").start();
    member(&app, "ada");
    app.stop();
}
