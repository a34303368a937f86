//! `deploy/supervisor/rolling.conf` under a real supervisord and behind a real haproxy, operated with the commands of
//! docs/OPERATIONS.md.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::http::Client;
use system_tests::orders_load::OrdersLoad;
use system_tests::peers::deployed::Deployed;
use system_tests::peers::haproxy::{Haproxy, Server};
use system_tests::peers::supervisor::Supervisor;
use system_tests::peers::supervisor_conf::{Program, conf};
use system_tests::scratch::{self, Scratch};
use system_tests::{ports, process_guard, records, wait};

use crate::probe_app;

const CLIENTS: usize = 4;
const LIMIT: Duration = Duration::from_secs(60);
const PASSWORD: &str = "correct horse battery staple";

/// The content of a block of this language in the document's section about supervisord.
fn documented(language: &str) -> String {
    let document = scratch::read(&scratch::workspace().join("docs/OPERATIONS.md"));
    let (_, rest) = document.split_once("\n### supervisord\n").expect("the document has the section");
    let section = rest.split("\n## ").next().and_then(|rest| rest.split("\n### ").next()).expect("a first part");
    let (_, block) = section.split_once(&format!("\n```{language}\n")).expect("the section has the block");
    block.split_once("```").expect("a block ends").0.to_owned()
}

/// A user and an order, and how many requests they took.
struct Life {
    client: Client,
    token: String,
    order: String,
    requests: usize,
}

impl Life {
    #[track_caller]
    fn send(&mut self, method: &str, path: &str, body: &Value, expected: u16) -> Value {
        let mut request = self.client.request(method, path).bearer(&self.token);
        if !body.is_null() {
            request = request.json(body);
        }
        let reply = request.send();
        assert_eq!(reply.status, expected, "{method} {path}: {}", reply.text());
        self.requests += 1;
        if reply.text().is_empty() { Value::Null } else { reply.json() }
    }

    /// Registers a user, who places an order.
    #[track_caller]
    fn begin(port: u16) -> Self {
        let mut life = Self { client: Client::new(port), token: String::new(), order: String::new(), requests: 0 };
        let user = json!({"email": "ada@example.org", "password": PASSWORD, "name": "Ada"});
        life.send("POST", "/users", &user, 201);
        let login = json!({"email": "ada@example.org", "password": PASSWORD});
        life.token = life.send("POST", "/users/login", &login, 200)["token"].as_str().expect("a token").to_owned();
        let lines = json!({"lines": [{"sku": "tea", "quantity": 2, "unit_price_cents": 450}]});
        let order = life.send("POST", "/orders", &lines, 201);
        life.order = format!("/orders/{}", order["id"].as_str().expect("an id"));
        life
    }

    /// Pays and reads the order, and logs out.
    #[track_caller]
    fn end(mut self) -> usize {
        self.send("POST", &format!("{}/pay", self.order), &Value::Null, 200);
        let order = self.send("GET", &self.order.clone(), &Value::Null, 200);
        assert_eq!((&order["status"], &order["total_cents"]), (&json!("paid"), &json!(900)));
        assert_eq!(self.send("GET", "/users/me", &Value::Null, 200)["name"], "Ada");
        self.send("POST", "/users/logout", &Value::Null, 204);
        self.send("GET", "/users/me", &Value::Null, 401);
        self.requests
    }
}

#[test]
fn a_group_is_reloaded_and_restarted_without_a_failed_request() {
    let servers = [(); 2].map(|()| Server { port: ports::free(), management_port: ports::free() });
    let [a, b] = servers.map(|it| [it.port.to_string(), it.management_port.to_string()]);
    let deployed = Deployed::start(
        "rolling.conf",
        probe_app(),
        &[("A_PORT", &a[0]), ("A_HEALTH_PORT", &a[1]), ("B_PORT", &b[0]), ("B_HEALTH_PORT", &b[1])],
    );
    let haproxy = Haproxy::start(servers);
    let life = Life::begin(haproxy.port);
    let load = OrdersLoad::start(haproxy.port, CLIENTS);
    let commands = documented("sh").replace("localhost:8081", &format!("127.0.0.1:{}", a[1]));
    let output = deployed.supervisor.shell(&commands.replace("localhost:8082", &format!("127.0.0.1:{}", b[1])));
    for expected in ["a: signalled", "b: signalled", "a: stopped", "a: started", "b: stopped", "b: started"] {
        assert!(output.contains(expected), "{expected}: {output}");
    }
    let results = load.stop();
    assert_eq!(results.failures, Vec::<String>::new());
    let placed = results.orders.len();
    assert!(placed > 50, "there was load: {placed} orders");
    let answered = life.end() + 2 + placed + results.reads;

    // Killed, it has no last words: the listener reports it, and supervisord starts it again.
    let killed = deployed.supervisor.program_pid("app:a");
    process_guard::signal(killed, "KILL");
    let report = wait::until("the listener's report", LIMIT, || {
        let written = std::fs::read_to_string(deployed.file("log/ends.log")).unwrap_or_default();
        serde_json::from_str::<Value>(written.lines().next()?).ok()
    });
    assert_eq!((&report["message"], &report["level"]), (&json!("app:a has ended"), &json!("critical")), "{report}");
    haproxy.wait_up("a");
    assert_ne!(deployed.supervisor.program_pid("app:a"), killed);

    deployed.supervisor.ctl(&["stop", "app:*"]);
    let logs = ["log/a.log", "log/b.log"].map(|log| records::parse_all(&scratch::read(&deployed.file(log))));
    let responses = logs.iter().flatten().filter(|record| record["kind"] == "response");
    assert_eq!(responses.count(), answered, "each answer has a record in the files that supervisord collects");
    for (log, starts, stops) in [(&logs[0], 3, 2), (&logs[1], 2, 2)] {
        let with = |text: &str| {
            let starts_with = |record: &&Value| record["message"].as_str().is_some_and(|it| it.starts_with(text));
            log.iter().filter(|record| record["kind"] == "service").filter(starts_with).count()
        };
        assert_eq!(
            [with("app "), with("settings reloaded"), with("stopping on SIGTERM"), with("stopped")],
            [starts, 1, stops, stops]
        );
    }
}

#[test]
fn the_documented_environment_has_its_values() {
    let scratch = Scratch::new("environment");
    let output = scratch.join("output");
    let line = documented("ini").lines().find(|line| line.starts_with("environment=")).expect("an example").to_owned();
    let extra = vec![line, "startsecs=0".to_owned(), "autorestart=false".to_owned()];
    let program = Program { stdout_logfile: Some(output.clone()), extra, ..Program::new("shown", "env") };
    let supervisor = Supervisor::start(scratch.path(), &conf(&[program]));
    supervisor.wait_for("shown", "EXITED");
    let shown = scratch::read(&output);
    for expected in [
        "APP__ENV=prod",
        "DATABASE_URL=postgres://shop:p%40ss@db.example.org/shop",
        "APP__LOG__LEVELS__BLUEPRINT_ORDERS=debug",
    ] {
        assert!(shown.lines().any(|line| line == expected), "{expected}: {shown}");
    }
}
