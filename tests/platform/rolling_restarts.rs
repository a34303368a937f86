//! Two processes on one database behind a real haproxy, restarted one after the other under load.

use std::time::{Duration, Instant};

use serde_json::Value;
use system_tests::orders_load::OrdersLoad;
use system_tests::peers::haproxy::{Haproxy, Server};
use system_tests::peers::postgres::Postgres;
use system_tests::service::{Running, Service};
use system_tests::{figures, ports};

use crate::probe_app;

/// A few by default; `cargo xtask soak rolling-restarts` runs many.
const RESTARTS: usize = 4;
const CLIENTS: usize = 6;
const LIMIT: Duration = Duration::from_secs(30);

fn start(server: Server, database: &str) -> Running {
    Service::new(probe_app())
        .env("APP__SERVER__PORT", server.port.to_string())
        .env("APP__MANAGEMENT__PORT", server.management_port.to_string())
        .env("APP__DATABASE__URL", database)
        .env("APP__SERVER__DRAIN_S", "3")
        .env("APP__SERVER__TRUSTED_PROXIES", "127.0.0.1")
        .start()
}

/// The number of these records that are answers about orders. None may be an error.
#[track_caller]
fn answers(records: &[Value]) -> usize {
    let errors: Vec<&Value> = records.iter().filter(|it| it["level"] == "error" || it["level"] == "critical").collect();
    assert!(errors.is_empty(), "{errors:?}");
    let is_it = |record: &&Value| {
        let path = record["url.path"].as_str().unwrap_or_default();
        record["kind"] == "response" && path.starts_with("/orders")
    };
    records.iter().filter(is_it).count()
}

#[test]
fn rolling_restarts_behind_haproxy_fail_no_request() {
    let restarts = std::env::var("SOAK_ROLLING_RESTARTS").ok().and_then(|count| count.parse().ok());
    let restarts: usize = restarts.unwrap_or(RESTARTS);
    let database = Postgres::shared().database();
    let servers = [(); 2].map(|()| Server { port: ports::free(), management_port: ports::free() });
    let mut running = servers.map(|server| Some(start(server, &database)));
    let haproxy = Haproxy::start(servers);
    let load = OrdersLoad::start(haproxy.port, CLIENTS);

    let (mut recorded, mut slowest, began) = (0, Duration::ZERO, Instant::now());
    for restart in 0..restarts {
        let at = restart % 2;
        let mut service = running[at].take().expect("it was started");
        let signalled = Instant::now();
        service.signal("TERM");
        assert_eq!(service.wait_exit(LIMIT).code(), Some(0), "{}", service.stderr());
        slowest = slowest.max(signalled.elapsed());
        recorded += answers(&service.stop().records());
        running[at] = Some(start(servers[at], &database));
        haproxy.wait_up(["a", "b"][at]);
        let failures = load.results().failures;
        assert_eq!(failures, Vec::<String>::new(), "after {} restarts", restart + 1);
    }
    let took = began.elapsed();
    let results = load.stop();
    assert_eq!(results.failures, Vec::<String>::new());
    recorded += running.into_iter().flatten().map(|service| answers(&service.stop().records())).sum::<usize>();

    let [placed, reads] = [results.orders.len(), results.reads];
    figures::print(&format!(
        "{restarts} restarts in {:.0} s (the slowest stop took {:.2} s): {placed} orders placed, {reads} read, 0 failed",
        took.as_secs_f64(),
        slowest.as_secs_f64()
    ));
    assert!(placed > 20 * restarts, "there was load: {placed} orders");
    // Each order was placed once: haproxy sent no request again, and none was lost.
    let stored = Postgres::shared().sql(&database, "SELECT count(*) FROM orders");
    assert_eq!(stored.trim(), placed.to_string());
    assert_eq!(recorded, placed + reads, "each answer has a record");
    for server in ["a", "b"] {
        let statistics = haproxy.statistics(server);
        // Retries, redispatches, errors of connections and of responses.
        for counter in ["wretr", "wredis", "econ", "eresp", "hrsp_5xx"] {
            assert_eq!(statistics[counter], "0", "{counter} of server {server}: {statistics:?}");
        }
    }
}
