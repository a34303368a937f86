//! Two containers with one PostgreSQL behind haproxy: they are restarted one after the other, under load.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::http::Client;
use system_tests::peers::postgres::Postgres;
use system_tests::peers::program::program;
use system_tests::process_guard::{self, ProcessGuard};
use system_tests::scratch::{self, Scratch};
use system_tests::sql::DirectConnection;
use system_tests::{ports, records, wait};

use super::image::{Container, Image, Running};
use super::life::{self, Member};

const CONFIGURATION: &str = include_str!("haproxy.cfg");
const LIMIT: Duration = Duration::from_secs(60);
const ROUNDS: usize = 3;

/// haproxy before two containers. Dropping it ends it.
struct Proxy {
    // Before its working directory: fields are dropped in declaration order.
    _server: ProcessGuard,
    _scratch: Scratch,
    port: u16,
}

impl Proxy {
    #[track_caller]
    fn start(containers: [&Container<'_>; 2]) -> Self {
        let (scratch, port) = (Scratch::new("haproxy"), ports::free());
        let [a, b] = containers.map(|container| container.ports.map(|port| port.to_string()));
        let names = [
            ("{port}", &port.to_string()),
            ("{a}", &a[0]),
            ("{a_health}", &a[1]),
            ("{b}", &b[0]),
            ("{b_health}", &b[1]),
        ];
        let text = names.iter().fold(CONFIGURATION.to_owned(), |text, (name, value)| text.replace(name, value));
        scratch::write(&scratch.join("haproxy.cfg"), text);
        let log = File::create(scratch.join("log")).expect("a new directory is writable");
        let mut command = process_guard::command(program("haproxy", "haproxy"));
        command.arg("-db").arg("-f").arg(scratch.join("haproxy.cfg"));
        command.stdout(log.try_clone().expect("an open file can be shared")).stderr(log);
        let mut server = ProcessGuard::spawn(command);
        wait::until("haproxy to listen", LIMIT, || {
            if let Some(status) = server.exited() {
                panic!("haproxy ended with {status}:\n{}", scratch::read(&scratch.join("log")));
            }
            Client::new(port).get("/orders").try_send().ok().filter(|reply| reply.status == 401)
        });
        Self { _server: server, _scratch: scratch, port }
    }
}

/// Clients that place orders, each with an id of its own, and read them back.
struct Orders {
    stop: Arc<AtomicBool>,
    placed: Arc<AtomicUsize>,
    failures: Arc<Mutex<Vec<String>>>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Orders {
    fn start(port: u16, token: &str) -> Self {
        let (stop, placed) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let failures = Arc::<Mutex<Vec<String>>>::default();
        let clients = (0..4).map(|client| {
            let (stop, placed, failures) = (Arc::clone(&stop), Arc::clone(&placed), Arc::clone(&failures));
            let token = token.to_owned();
            thread::spawn(move || {
                let mut ids = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let id = format!("order-{client}-{}", ids.len());
                    match place(Client::new(port), &token, &id) {
                        Ok(()) => _ = placed.fetch_add(1, Ordering::Relaxed),
                        Err(why) => failures.lock().expect("no client panics").push(format!("{id}: {why}")),
                    }
                    ids.push(id);
                }
                ids
            })
        });
        let clients = clients.collect();
        Self { stop, placed, failures, clients }
    }

    fn placed(&self) -> usize {
        self.placed.load(Ordering::Relaxed)
    }

    /// Ends the load, and returns the ids of the requests that placed an order.
    #[track_caller]
    fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let ids = self.clients.into_iter().flat_map(|client| client.join().expect("no client panics")).collect();
        let failures = self.failures.lock().expect("no client panics");
        assert!(failures.is_empty(), "{} requests failed: {failures:#?}", failures.len());
        ids
    }
}

fn place(client: Client, token: &str, id: &str) -> Result<(), String> {
    let order = json!({"lines": [{"sku": id, "quantity": 1, "unit_price_cents": 5}]});
    let request = client.post("/orders").bearer(token).header("idempotency-key", id).header("x-request-id", id);
    let reply = request.json(&order).try_send().map_err(|error| error.to_string())?;
    if reply.status != 201 {
        return Err(format!("{}: {}", reply.status, reply.text()));
    }
    let location = reply.header("location").ok_or("no location")?;
    let read = client.get(location).bearer(token).try_send().map_err(|error| error.to_string())?;
    if read.status == 200 { Ok(()) } else { Err(format!("{location}: {}", read.status)) }
}

#[test]
fn containers_restart_behind_a_proxy_without_a_failed_request() {
    let image = Image::build();
    let url = Postgres::shared().database();
    let container = |name: &str| {
        let mut container = image.container(name);
        scratch::write(&container.secrets.join("database_url"), &url);
        container.env.push("APP__DATABASE__URL_FILE=/run/secrets/database_url".into());
        container.env.push("APP__DATABASE__MIGRATE_AT_START=false".into());
        container
    };
    let [a, b] = ["a", "b"].map(container);
    assert_eq!(a.run(&["db", "migrate"]).0, Some(0));
    let mut running: [Option<Running<'_>>; 2] = [Some(a.start()), Some(b.start())];
    let containers = [&a, &b];
    let proxy = Proxy::start(containers);
    life::live(Client::new(proxy.port));
    let Member { token, .. } = life::register(Client::new(proxy.port), "grace");

    let orders = Orders::start(proxy.port, &token);
    for _ in 0..ROUNDS {
        for (container, running) in containers.iter().zip(&mut running) {
            assert_eq!(running.take().map(Running::stop), Some(Some(0)));
            let before = fs::metadata(&container.log).expect("the log exists").len();
            *running = Some(container.start());
            wait::until("the container to serve orders again", LIMIT, || {
                let log = scratch::read(&container.log);
                let new = log.get(usize::try_from(before).ok()?..)?;
                records::parse(new).iter().any(is_placed).then_some(())
            });
        }
    }
    let placed = orders.placed();
    wait::until("orders after the last restart", LIMIT, || (orders.placed() > placed + 20).then_some(()));
    let ids = orders.stop();
    for running in running.into_iter().flatten() {
        assert_eq!(running.stop(), Some(0));
    }

    assert!(ids.len() > 100, "{} orders", ids.len());
    let stored = DirectConnection::open(&url).texts("SELECT sku FROM order_lines WHERE sku LIKE 'order-%'");
    let stored_once: BTreeSet<&String> = stored.iter().collect();
    assert_eq!((stored.len(), stored_once.len()), (ids.len(), ids.len()), "each order is stored once");
    let records: Vec<Value> =
        containers.iter().flat_map(|container| records::parse_all(&scratch::read(&container.log))).collect();
    let recorded: BTreeSet<&str> =
        records.iter().filter(|it| is_placed(it)).filter_map(|it| it["request_id"].as_str()).collect();
    let lost: Vec<&String> = ids.iter().filter(|id| !recorded.contains(id.as_str())).collect();
    assert!(lost.is_empty(), "orders without a record on the containers' stderr: {lost:?}");
    let stops = records.iter().filter(|record| record["message"] == "stopped").count();
    assert_eq!(stops, 2 * (ROUNDS + 1));
    assert!(!records.iter().any(|record| record.get("dropped").is_some()));
}

fn is_placed(record: &Value) -> bool {
    record["kind"] == "response" && record["http.route"] == "/orders" && record["http.response.status_code"] == 201
}
