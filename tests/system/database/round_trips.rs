//! The number of PostgreSQL round trips per request, counted on the wire.

use std::time::Duration;

use serde_json::json;
use system_tests::binaries;
use system_tests::figures;
use system_tests::http::Request;
use system_tests::peers::postgres::Postgres;
use system_tests::peers::slow_proxy::SlowProxy;
use system_tests::service::Service;

use crate::api::member;

#[test]
fn requests_use_no_extra_postgres_round_trips() {
    let postgres = Postgres::shared();
    // Long enough that pipelined messages count as one round trip.
    let proxy = SlowProxy::start(postgres.port(), Duration::from_millis(10));
    let url = postgres.url_via(proxy.port(), &postgres.database());
    let app = Service::new(&binaries::app())
        .env("APP__DATABASE__URL", url)
        .env("APP__DATABASE__MAX_CONNECTIONS", "1")
        .env("APP__SERVER__WORKERS", "1")
        .env("APP__DATABASE__SWEEP_INTERVAL_S", "3600")
        .env("APP__LOG__OVERRIDE_POLL_S", "60")
        .start();
    let ada = member(&app, "ada");
    let lines = json!({"lines": [{"sku": "A-1", "quantity": 1, "unit_price_cents": 100},
                                 {"sku": "B-1", "quantity": 2, "unit_price_cents": 50}]});
    let place = || app.post("/orders").bearer(&ada.token).json(&lines);
    let order = place().send().header("location").expect("a new order has a location").to_owned();
    let count = |name: &str, max: usize, request: &dyn Fn(usize) -> Request| {
        // The first request prepares its statements.
        let trips: Vec<usize> = (0..4)
            .map(|n| {
                let before = proxy.round_trips();
                let reply = request(n).send();
                assert!(reply.status < 300, "{name}: {}", reply.text());
                proxy.round_trips() - before
            })
            .collect();
        figures::print(&format!("PostgreSQL round trips for {name}: {trips:?}"));
        assert!(trips[1..].iter().all(|trips| *trips <= max), "{name}: {trips:?}, at most {max}");
    };
    count("reading an order", 2, &|_| app.get(&order).bearer(&ada.token));
    count("listing orders", 2, &|_| app.get("/orders?limit=20").bearer(&ada.token));
    count("placing an order", 4, &|_| place());
    count("placing an order with a key", 6, &|n| place().header("idempotency-key", format!("key-{n}")));
    app.stop();
}
