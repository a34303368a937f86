//! Helpers for tests of the API: users, and assertions on problem responses.

use std::path::Path;

use serde_json::{Value, json};
use system_tests::binaries;
use system_tests::http::{Reply, Request};
use system_tests::peers::postgres::Postgres;
use system_tests::service::{Running, Service, Stopped};

pub const PASSWORD: &str = "correct horse battery staple";
/// An id that does not exist.
pub const UNKNOWN_ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// A user who has logged in.
pub struct Member {
    pub id: String,
    pub token: String,
}

/// The database engine, and whether users and orders run in separate processes.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    pub engine: Engine,
    pub split: bool,
}

#[derive(Debug, Clone, Copy)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Turns each of these functions of a [`Setup`] into tests on both databases, in one process and in two.
macro_rules! in_each_setup {
    ($($test:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[test] fn $test() { super::$test($crate::api::Engine::Sqlite.single_process()) })*
        }
        mod on_sqlite_split {
            $(#[test] fn $test() { super::$test($crate::api::Engine::Sqlite.split()) })*
        }
        mod on_postgres {
            $(#[test] fn $test() { super::$test($crate::api::Engine::Postgres.single_process()) })*
        }
        mod on_postgres_split {
            $(#[test] fn $test() { super::$test($crate::api::Engine::Postgres.split()) })*
        }
    };
}
pub(crate) use in_each_setup;

/// Turns each of these functions of an [`Engine`] into tests on both databases.
macro_rules! on_each_database {
    ($($test:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[test] fn $test() { super::$test($crate::api::Engine::Sqlite) })*
        }
        mod on_postgres {
            $(#[test] fn $test() { super::$test($crate::api::Engine::Postgres) })*
        }
    };
}
pub(crate) use on_each_database;

impl Engine {
    pub fn single_process(self) -> Setup {
        Setup { engine: self, split: false }
    }

    pub fn split(self) -> Setup {
        Setup { engine: self, split: true }
    }

    /// The app with an empty dedicated database.
    fn app(self) -> Service {
        self.service(&binaries::app())
    }

    /// Another build of the app with an empty dedicated database.
    pub fn service(self, binary: &Path) -> Service {
        let app = Service::new(binary);
        match self {
            Engine::Sqlite => app,
            Engine::Postgres => app.env("APP__DATABASE__URL", Postgres::shared().database()),
        }
    }
}

/// Starts the app in one or two processes; requests are sent to the process that serves their path.
#[track_caller]
pub fn start(Setup { engine, split }: Setup) -> Running {
    if !split {
        return engine.app().start();
    }
    let users = engine.app().env("APP__BLUEPRINTS__ENABLED", "users").start();
    let orders = engine.app().env("APP__BLUEPRINTS__ENABLED", "orders");
    let users_url = format!("http://127.0.0.1:{}", users.port);
    let orders = orders.env("APP__BLUEPRINTS__ORDERS__USERS_URL", users_url).start();
    users.delegate("/orders", orders)
}

/// Registers `<name>@example.org` and logs in.
#[track_caller]
pub fn member(app: &Running, name: &str) -> Member {
    let id = text(&register(app, name), "id");
    Member { id, token: token(app, &format!("{name}@example.org"), PASSWORD) }
}

/// The same, and makes the user an admin with the operator's command.
#[track_caller]
pub fn admin(app: &Running, name: &str) -> Member {
    let admin = member(app, name);
    let granted = app.sibling().arg("users").arg("grant").arg(&admin.id).run();
    assert_eq!(granted.code(), Some(0), "{}", granted.stderr);
    admin
}

#[track_caller]
pub fn register(app: &Running, name: &str) -> Value {
    let email = format!("{name}@example.org");
    let reply = app.post("/users").json(&json!({"email": email, "password": PASSWORD, "name": name})).send();
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.json()
}

pub fn login(app: &Running, email: &str, password: &str) -> Reply {
    app.post("/users/login").json(&json!({"email": email, "password": password})).send()
}

#[track_caller]
pub fn token(app: &Running, email: &str, password: &str) -> String {
    let reply = login(app, email, password);
    assert_eq!(reply.status, 200, "{}", reply.text());
    text(&reply.json(), "token")
}

#[track_caller]
pub fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no text {key} in {value}")).to_owned()
}

/// Sends a request and expects a problem response with this status.
#[track_caller]
pub fn problem(request: Request, status: u16) -> Value {
    let reply = request.send();
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    let problem = reply.json();
    assert_eq!(problem["status"], status);
    assert!(!text(&problem, "title").is_empty() && !text(&problem, "detail").is_empty(), "{problem}");
    assert!(!text(&problem, "request_id").is_empty(), "{problem}");
    if status == 401 {
        let challenge = reply.header("www-authenticate").expect("a 401 has a challenge");
        assert!(["Bearer", "Bearer error=\"invalid_token\""].contains(&challenge), "{challenge}");
    }
    problem
}

/// Sends a request and expects a 422; returns the invalid fields.
#[track_caller]
pub fn invalid_fields(request: Request) -> Vec<String> {
    let problem = problem(request, 422);
    let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no errors in {problem}"));
    errors.iter().map(|error| text(error, "field")).collect()
}

/// Sends a request and expects a 405 that allows these methods, plus the implied HEAD and OPTIONS.
#[track_caller]
pub fn assert_allowed_methods(request: Request, methods: &[&str]) {
    let reply = request.clone().send();
    let allowed = reply.header("allow").unwrap_or_else(|| panic!("no allow in {:?}", reply.headers));
    let mut allowed: Vec<&str> = allowed.split(',').map(str::trim).collect();
    allowed.sort_unstable();
    let implied: &[&str] = if methods.contains(&"GET") { &["HEAD", "OPTIONS"] } else { &["OPTIONS"] };
    let mut methods = [methods, implied].concat();
    methods.sort_unstable();
    assert_eq!(allowed, methods);
    problem(request, 405);
}

/// The method, route and status of each response record of this blueprint, in order.
#[track_caller]
pub fn responses(stopped: &Stopped, blueprint: &str) -> Vec<String> {
    let records = stopped.records().into_iter();
    let responses = records.filter(|record| record["kind"] == "response" && record["blueprint"] == blueprint);
    let shown = responses.map(|record| {
        let status = &record["http.response.status_code"];
        format!("{} {} {status}", text(&record, "http.request.method"), text(&record, "http.route"))
    });
    shown.collect()
}
