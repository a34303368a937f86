//! Debian's Prometheus with the files of deploy/prometheus: it scrapes the service and stores exemplars, promtool tests the alerts, and
//! every query of the dashboard returns data.

use std::collections::BTreeSet;
use std::fs::File;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::http::Client;
use system_tests::load::Load;
use system_tests::peers::program::program;
use system_tests::process_guard::{self, ProcessGuard};
use system_tests::scratch::{self, Scratch};
use system_tests::service::{Running, Service};
use system_tests::{ports, wait};

use crate::{percent_encoded, probe_app, succeed};

const PACKAGE: &str = "prometheus";
const LIMIT: Duration = Duration::from_secs(60);

/// A Prometheus that scrapes a service every second. Dropping it ends it.
struct Prometheus {
    // Before its working directory: fields are dropped in declaration order.
    _server: ProcessGuard,
    _scratch: Scratch,
    client: Client,
}

fn deployed(name: &str) -> String {
    scratch::read(&scratch::workspace().join("deploy/prometheus").join(name))
}

impl Prometheus {
    #[track_caller]
    fn start(service: &Running) -> Self {
        let (scratch, port) = (Scratch::new("prometheus"), ports::free());
        let configuration = deployed("prometheus.yml");
        let target = format!("127.0.0.1:{}", service.management_port);
        let replaced = configuration.replace("localhost:8081", &target).replace("_interval: 15s", "_interval: 1s");
        assert_ne!(replaced, configuration);
        scratch::write(&scratch.join("prometheus.yml"), replaced);
        scratch::write(&scratch.join("alerts.yml"), deployed("alerts.yml"));
        let log = scratch.join("log");
        let output = || File::options().create(true).append(true).open(&log).expect("a new directory is writable");
        let mut command = process_guard::command(program("prometheus", PACKAGE));
        command.arg(format!("--config.file={}", scratch.join("prometheus.yml").display()));
        command.arg(format!("--storage.tsdb.path={}", scratch.join("data").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command.arg("--enable-feature=exemplar-storage").stdout(output()).stderr(output());
        let mut server = ProcessGuard::spawn(command);
        let client = Client::new(port);
        wait::until("Prometheus to be ready", LIMIT, || {
            if let Some(status) = server.exited() {
                panic!("Prometheus ended with {status}:\n{}", scratch::read(&log));
            }
            client.get("/-/ready").try_send().ok().filter(|reply| reply.status == 200)
        });
        Self { _server: server, _scratch: scratch, client }
    }

    /// The result of a query now.
    #[track_caller]
    fn query(&self, expression: &str) -> Vec<Value> {
        let reply = self.client.get(&format!("/api/v1/query?query={}", percent_encoded(expression))).send();
        let answer = reply.json();
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        answer["data"]["result"].as_array().expect("a query returns a list").clone()
    }

    /// The first value of a query now.
    fn value(&self, expression: &str) -> Option<f64> {
        self.query(expression).first()?["value"][1].as_str()?.parse().ok()
    }

    /// The trace ids of a histogram's exemplars.
    #[track_caller]
    fn exemplars(&self, expression: &str) -> BTreeSet<String> {
        let path = format!("/api/v1/query_exemplars?query={}&start=0&end=9999999999", percent_encoded(expression));
        let answer = self.client.get(&path).send().json();
        let series = answer["data"].as_array().unwrap_or_else(|| panic!("no list: {answer}")).clone();
        let exemplars = series.iter().flat_map(|series| series["exemplars"].as_array().cloned().unwrap_or_default());
        exemplars.filter_map(|exemplar| Some(exemplar["labels"]["trace_id"].as_str()?.to_owned())).collect()
    }
}

/// A service that has had requests of every class, whose Sentry does not exist.
fn service() -> Running {
    let dsn = format!("http://0123456789abcdef0123456789abcdef@127.0.0.1:{}/1", ports::free());
    Service::new(probe_app()).env("SENTRY_DSN", dsn).env("APP__SENTRY__SPOOL_DIR", "spool").start()
}

fn script(finish: &Value) -> Value {
    json!({"steps": [{"do": "log", "level": "warning", "message": "a line"}], "finish": finish})
}

#[test]
fn prometheus_scrapes_the_service_and_stores_exemplars() {
    let service = service();
    let prometheus = Prometheus::start(&service);
    let status = |status: u16| json!({"respond": {"status": status, "content_type": "text/plain", "body": "x"}});
    let finishes = [status(200), status(404), json!({"error": "failed"})];
    let loads = finishes.map(|finish| Load::start(service.port, 1, Duration::from_millis(20), &script(&finish)));
    wait::until("Prometheus to scrape", LIMIT, || {
        (prometheus.value("up{job=\"cyanotype\"}") == Some(1.0)).then_some(())
    });

    // The alert on failures is pending as soon as a rate can be computed.
    wait::until("the alert on failures to be pending", LIMIT, || {
        let alerts = prometheus.query("ALERTS{alertname=\"CyanotypeFailures\"}");
        alerts.first().map(|alert| alert["metric"]["alertstate"].clone())
    });
    let traces = wait::until("exemplars", LIMIT, || {
        let traces = prometheus.exemplars("http_server_request_duration_seconds_bucket{http_route=\"/probe/run\"}");
        (traces.len() >= 3).then_some(traces)
    });
    let queries = queries();
    for query in &queries {
        wait::until(&format!("data for {query}"), LIMIT, || (!prometheus.query(query).is_empty()).then_some(()));
    }
    assert!(queries.len() >= 20, "{queries:?}");
    loads.into_iter().for_each(|load| drop(load.stop()));

    let expected = service.management().get("/metrics").header("accept", "text/plain").send();
    let count = "http_server_request_duration_seconds_count";
    let served: f64 = expected.text().lines().filter(|line| line.starts_with(count)).map(last_number).sum();
    wait::until("Prometheus to have every request", LIMIT, || {
        (prometheus.value(&format!("sum({count})")) == Some(served)).then_some(())
    });
    let records = service.stop().records();
    for trace in traces {
        assert!(records.iter().any(|record| record["trace_id"] == *trace), "no record has the trace {trace}");
    }
}

fn last_number(line: &str) -> f64 {
    line.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no number: {line}"))
}

/// The queries of the dashboard, as Grafana sends them for this job.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&deployed("dashboard.json")).expect("the dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let expressions = targets.map(|target| target["expr"].as_str().expect("a target has an expression"));
    let query = |text: &str| {
        let text = text.replace("$__rate_interval", "10s").replace("$job", "cyanotype").replace("$instance", ".*");
        assert!(!text.contains('$'), "an unknown variable: {text}");
        text
    };
    expressions.map(query).collect()
}

#[test]
fn promtool_accepts_the_metrics_and_tests_the_alerts() {
    let scratch = Scratch::new("promtool");
    for name in ["prometheus.yml", "alerts.yml", "alerts.test.yml"] {
        scratch::write(&scratch.join(name), deployed(name));
    }
    // As docs/OPERATIONS.md writes them.
    let commands = documented("promtool ");
    assert_eq!(commands.len(), 3, "{commands:?}");
    let service = service();
    service.post("/probe/run").json(&script(&Value::Null)).send();
    for command in commands {
        let command = command.replace("deploy/prometheus/", "");
        let command = command.replace("localhost:8081", &format!("127.0.0.1:{}", service.management_port));
        let mut shell = process_guard::command("/bin/bash");
        shell.args(["-eo", "pipefail", "-c", &command]).current_dir(scratch.path());
        shell.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        program("promtool", PACKAGE);
        let output = succeed(shell, &scratch);
        assert!(!output.contains("FAILED"), "{command}: {output}");
    }
}

/// The commands of docs/OPERATIONS.md on Prometheus that contain this text, without their comments.
fn documented(text: &str) -> Vec<String> {
    let document = scratch::read(&scratch::workspace().join("docs/OPERATIONS.md"));
    let (_, section) = document.split_once("\n### Prometheus\n").expect("the document has a section Prometheus");
    let section = section.split("\n### ").next().and_then(|it| it.split("\n## ").next()).unwrap_or_default();
    let lines = section.lines().filter(|line| line.contains(text) && !line.starts_with(['|', '#', '-']));
    lines.map(|line| line.split("  #").next().unwrap_or_default().trim().to_owned()).collect()
}

#[test]
fn the_alerts_name_metrics_and_settings_that_exist() {
    let service = service();
    service.post("/probe/run").json(&script(&Value::Null)).send();
    let served = service.management().get("/metrics").header("accept", "text/plain").send().text().to_owned();
    let names: BTreeSet<&str> =
        served.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(['{', ' ']).next()).collect();
    let used = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(str::to_owned);
        let prefixes = ["http_server_", "log_", "sentry_", "database_", "process_", "build_"];
        words.filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix))).collect()
    };
    let all = used(&(deployed("alerts.yml") + &queries().join("\n")));
    assert!(all.len() >= 10, "{all:?}");
    for name in all {
        assert!(names.contains(&*name), "{name} is not served:\n{served}");
    }
}
