//! One binary as two processes: one serves users, the other serves orders and calls the first.

use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::http::{Client, Reply};
use system_tests::peers::bugsink::{Bugsink, Project};
use system_tests::peers::supervisor::Supervisor;
use system_tests::scratch::{self, Scratch};
use system_tests::service::{Running, Service};
use system_tests::{binaries, ports, records};

use crate::api::text;
use crate::supervised::wait_live;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const REQUEST_ID: &str = "checkout-4711";

/// Both processes of the unmodified `deploy/supervisor/split.conf`.
struct Split {
    home: Scratch,
    supervisor: Supervisor,
    users: Client,
    orders: Client,
    project: Project,
}

impl Split {
    fn start() -> Self {
        let home = Scratch::new("split");
        for directory in ["bin", "log", "data"] {
            scratch::make_dir(&home.join(directory));
        }
        symlink(binaries::app(), home.join("bin/app")).expect("the directory is new");
        let user = Command::new("id").arg("-un").output().expect("there is `id`").stdout;
        let user = String::from_utf8_lossy(&user).trim().to_owned();
        let project = Bugsink::shared().project();
        let ports: [u16; 4] = std::array::from_fn(|_| ports::free());
        let texts = ports.map(|port| port.to_string());
        let path = home.path().display().to_string();
        let environment = [
            ("APP_HOME", path.as_str()),
            ("APP_USER", &user),
            ("SENTRY_DSN", &project.dsn),
            ("USERS_PORT", &texts[0]),
            ("ORDERS_PORT", &texts[1]),
            ("USERS_HEALTH_PORT", &texts[2]),
            ("ORDERS_HEALTH_PORT", &texts[3]),
        ];
        let conf = scratch::workspace().join("deploy/supervisor/split.conf");
        let supervisor = Supervisor::start_file(home.path(), &conf, &environment);
        wait_live(ports[2]);
        wait_live(ports[3]);
        Self { home, supervisor, users: Client::new(ports[0]), orders: Client::new(ports[1]), project }
    }

    /// One process's records of the traced request.
    fn traced(&self, process: &str) -> Vec<Value> {
        let written = scratch::read(&self.home.join(format!("log/{process}.log")));
        records::parse_all(&written).into_iter().filter(|record| record["trace_id"] == TRACE).collect()
    }
}

/// Registers a user, and returns a token.
fn token(users: &Client) -> String {
    let registration = json!({"email": "ada@example.org", "password": "correct horse battery", "name": "Ada"});
    assert_eq!(users.post("/users").json(&registration).send().status, 201);
    let login = json!({"email": "ada@example.org", "password": "correct horse battery"});
    text(&users.post("/users/login").json(&login).send().json(), "token")
}

/// Places an order with the caller's trace and request id.
fn place(orders: &Client, token: &str) -> Reply {
    let order = json!({"lines": [{"sku": "A-1", "quantity": 2, "unit_price_cents": 1250}]});
    let request = orders.post("/orders").bearer(token).json(&order).header("x-request-id", REQUEST_ID);
    request.header("traceparent", format_args!("00-{TRACE}-00f067aa0ba902b7-01")).send()
}

#[test]
fn both_processes_log_the_same_request_and_trace() {
    let split = Split::start();
    let placed = place(&split.orders, &token(&split.users));
    assert_eq!(placed.status, 201, "{}", placed.text());
    assert_eq!(split.users.get("/orders").send().status, 404, "orders is served by the other process");
    assert_eq!(split.orders.post("/users").send().status, 404, "users is served by the other process");

    split.supervisor.ctl(&["stop", "app:*"]);
    let responses = |process: &str| -> Vec<String> {
        let records = split.traced(process);
        assert!(records.iter().all(|record| record["request_id"] == REQUEST_ID), "{records:#?}");
        let responses = records.iter().filter(|record| record["kind"] == "response");
        responses
            .map(|record| format!("{} {}", text(record, "http.route"), record["http.response.status_code"]))
            .collect()
    };
    assert_eq!(responses("orders"), ["/orders 201"]);
    assert_eq!(responses("users"), ["/users/me 200", "/users/{id} 200"]);
}

#[test]
fn failures_in_both_processes_share_a_sentry_trace() {
    let split = Split::start();
    let token = token(&split.users);
    // Drops a table that the users blueprint requires.
    let dropped = Command::new("python3")
        .args([
            "-c",
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('DROP TABLE sessions'); c.commit()",
        ])
        .arg(split.home.join("data/users.db"))
        .status();
    assert!(dropped.expect("python3 runs").success());
    let failed = place(&split.orders, &token);
    assert_eq!(failed.status, 503, "{}", failed.text());
    assert_eq!((failed.header("retry-after"), &failed.json()["request_id"]), (Some("1"), &json!(REQUEST_ID)));

    split.supervisor.ctl(&["stop", "app:*"]);
    let mut events: Vec<Value> = split.project.events();
    events.sort_by_key(|event| text(event, "transaction"));
    let traced: Vec<_> = events
        .iter()
        .map(|event| {
            (
                text(event, "transaction"),
                text(&event["contexts"]["trace"], "trace_id"),
                text(&event["tags"], "request_id"),
            )
        })
        .collect();
    let expected = |transaction: &str| (transaction.to_owned(), TRACE.to_owned(), REQUEST_ID.to_owned());
    assert_eq!(traced, [expected("GET /users/me"), expected("POST /orders")]);
    let uncaught = |process: &str| split.traced(process).iter().filter(|record| record["kind"] == "uncaught").count();
    assert_eq!((uncaught("users"), uncaught("orders")), (1, 1));
}

/// Orders alone, with the users process at this port.
fn orders_with_users_at(port: u16) -> Running {
    let service = Service::new(&binaries::app()).env("APP__BLUEPRINTS__ENABLED", "orders");
    let service = service.env("APP__BLUEPRINTS__ORDERS__USERS_URL", format!("http://127.0.0.1:{port}/users"));
    service
        .env("APP__BLUEPRINTS__ORDERS__USERS_TIMEOUT_MS", "200")
        .env("APP__BLUEPRINTS__ORDERS__USERS_RETRIES", "1")
        .start()
}

#[test]
fn an_unreachable_users_process_is_reported_once() {
    let service = orders_with_users_at(ports::free());
    let refused = place(&Client::new(service.port), "any-token");
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(
        service.management().get("/health/ready").send().status,
        200,
        "readiness does not depend on the users process"
    );
    let records = service.stop().records();
    let of = |kind: &str| records.iter().filter(|record| record["kind"] == kind).collect::<Vec<_>>();
    assert_eq!(of("breadcrumb").len(), 2, "one attempt and one retry");
    let [uncaught] = of("uncaught")[..] else { panic!("not one uncaught record: {records:#?}") };
    assert!(text(uncaught, "message").starts_with("request to http://127.0.0.1:"), "{uncaught}");
}

#[test]
fn calls_to_the_users_process_time_out() {
    // Accepts connections in the backlog and never responds.
    let silent = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let service = orders_with_users_at(silent.local_addr().expect("it is bound").port());
    let began = Instant::now();
    assert_eq!(place(&Client::new(service.port), "any-token").status, 503);
    let took = began.elapsed();
    assert!(
        (Duration::from_millis(400)..Duration::from_secs(5)).contains(&took),
        "two attempts of 200 ms took {took:?}"
    );
}

#[test]
fn an_unknown_token_is_401() {
    let users = Service::new(&binaries::app()).env("APP__BLUEPRINTS__ENABLED", "users").start();
    let orders = orders_with_users_at(users.port);
    assert_eq!(place(&Client::new(orders.port), "any-token").status, 401);
}

#[test]
fn the_users_process_rate_limits_the_caller() {
    for header in ["x-forwarded-for", "forwarded", "x-real-ip"] {
        let behind_a_proxy = |service: Service| {
            let service = service.env("APP__SERVER__TRUSTED_PROXIES", "127.0.0.1");
            service.env("APP__SERVER__CLIENT_ADDRESS_HEADER", header)
        };
        let users = behind_a_proxy(Service::new(&binaries::app())).env("APP__BLUEPRINTS__ENABLED", "users");
        let users = users.env("APP__SERVER__RATE_LIMIT__REQUESTS", "4");
        let users = users.env("APP__SERVER__RATE_LIMIT__WINDOW_S", "3600").start();
        let orders = behind_a_proxy(Service::new(&binaries::app())).env("APP__BLUEPRINTS__ENABLED", "orders");
        let orders =
            orders.env("APP__BLUEPRINTS__ORDERS__USERS_URL", format!("http://127.0.0.1:{}", users.port)).start();

        let token = token(&users.client());
        let place = |client: &str| {
            let sent = if header == "forwarded" { format!("for=\"{client}\"") } else { client.to_owned() };
            let order = json!({"lines": [{"sku": "A-1", "quantity": 2, "unit_price_cents": 1250}]});
            orders.post("/orders").bearer(&token).header(header, sent).json(&order).send()
        };
        // Each order requires two requests to the users process.
        let placed: Vec<u16> = (0..3).map(|_| place("192.0.2.1").status).collect();
        assert_eq!(placed, [201, 201, 429], "{header}");
        assert_eq!(place("[2001:db8::1]").status, 201, "another client has its own limit");
        let refused = place("192.0.2.1");
        let wait: u64 = refused.header("retry-after").and_then(|it| it.parse().ok()).expect("whole seconds");
        assert!((refused.status, wait > 60) == (429, true), "{wait} {}", refused.text());

        let records = orders.stop().records();
        assert!(records.iter().all(|record| record["kind"] != "uncaught"), "{records:#?}");
        let addresses: Vec<Value> =
            users.stop().records().iter().map(|record| record["client.address"].clone()).collect();
        assert!(addresses.contains(&json!("192.0.2.1")) && addresses.contains(&json!("2001:db8::1")), "{addresses:?}");
    }
}

#[test]
fn orders_reports_missing_dependencies() {
    let refusal = |service: Service| {
        let stopped = service.arg("config").arg("--check").run();
        assert_eq!(stopped.code(), Some(78));
        stopped.stderr.trim_end().to_owned()
    };
    let app = || Service::new(&binaries::app());
    assert_eq!(
        refusal(app().env("APP__BLUEPRINTS__ENABLED", "orders")),
        "the blueprint orders depends on users, which is not enabled: add it to blueprints.enabled, or set \
         blueprints.orders.users_url"
    );
    assert_eq!(
        refusal(app().env("APP__BLUEPRINTS__ORDERS__USERS_URL", "http://127.0.0.1:1")),
        "blueprints.orders.users_url is set, but the blueprint users also runs in this process: unset it, or remove users \
         from blueprints.enabled"
    );
    assert_eq!(
        refusal(app().env("APP__BLUEPRINTS__ORDERS__USERS_URL", "users:hunter2")),
        "blueprints.orders.users_url (set by APP__BLUEPRINTS__ORDERS__USERS_URL): invalid base URL; expected \
         http://HOST:PORT or https://HOST"
    );
}
