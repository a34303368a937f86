//! Two containers with one PostgreSQL behind haproxy: they are restarted one after the other, under load.

use std::collections::BTreeSet;

use serde_json::Value;
use system_tests::http::Client;
use system_tests::orders_load::OrdersLoad;
use system_tests::peers::haproxy::{Haproxy, Server};
use system_tests::peers::postgres::Postgres;
use system_tests::sql::DirectConnection;
use system_tests::{records, scratch};

use super::image::{Image, Running};
use super::life;

const ROUNDS: usize = 2;
const CLIENTS: usize = 4;

#[test]
fn containers_restart_behind_a_proxy_without_a_failed_request() {
    let image = Image::build();
    let url = Postgres::shared().database();
    let container = |name: &str| {
        let mut container = image.container(name);
        scratch::write(&container.secrets.join("database_url"), &url);
        container.env.push("APP__DATABASE__URL_FILE=/run/secrets/database_url".into());
        container.env.push("APP__DATABASE__MIGRATE_AT_START=false".into());
        container.env.push("APP__SERVER__DRAIN_S=3".into());
        container.env.push("APP__SERVER__TRUSTED_PROXIES=127.0.0.1".into());
        container
    };
    let [a, b] = ["a", "b"].map(container);
    assert_eq!(a.run(&["db", "migrate"]).0, Some(0));
    let mut running: [Option<Running<'_>>; 2] = [Some(a.start()), Some(b.start())];
    let containers = [("a", &a), ("b", &b)];
    let server = |[port, management_port]: [u16; 2]| Server { port, management_port };
    let haproxy = Haproxy::start([server(a.ports), server(b.ports)]);
    life::live(Client::new(haproxy.port));

    let load = OrdersLoad::start(haproxy.port, CLIENTS);
    for _ in 0..ROUNDS {
        for ((name, container), running) in containers.iter().zip(&mut running) {
            assert_eq!(running.take().map(Running::stop), Some(Some(0)));
            *running = Some(container.start());
            haproxy.wait_up(name);
        }
    }
    let results = load.stop();
    assert_eq!(results.failures, Vec::<String>::new());
    for running in running.into_iter().flatten() {
        assert_eq!(running.stop(), Some(0));
    }

    let placed = results.orders;
    assert!(placed.len() > 100, "{} orders", placed.len());
    let stored: BTreeSet<String> =
        DirectConnection::open(&url).texts("SELECT id::text FROM orders WHERE status = 'placed'").into_iter().collect();
    assert_eq!(stored, placed, "each order was placed once");
    let records: Vec<Value> =
        containers.iter().flat_map(|(_, container)| records::parse_all(&scratch::read(&container.log))).collect();
    let recorded = records.iter().filter(|it| is_placed(it)).count();
    // That of the user's life, too.
    assert_eq!(recorded, placed.len() + 1, "each order has a record on its container's stderr");
    let stops = records.iter().filter(|record| record["message"] == "stopped").count();
    assert_eq!(stops, 2 * (ROUNDS + 1));
    assert!(!records.iter().any(|record| record.get("dropped").is_some()));
}

fn is_placed(record: &Value) -> bool {
    record["kind"] == "response" && record["http.route"] == "/orders" && record["http.response.status_code"] == 201
}
