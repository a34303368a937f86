//! Clients that disconnect immediately do not starve clients that wait.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::json;
use system_tests::http::{Disconnect, Request};
use system_tests::peers::postgres::Postgres;
use system_tests::service::{Running, Service};
use system_tests::{binaries, figures};

use crate::api::{Engine, Member, member};

const OTHER_CLIENTS: usize = 4;
/// The two kinds of load alternate, so that other load on the machine affects both.
const ROUNDS: usize = 4;
const ROUND: Duration = Duration::from_millis(500);

/// How the other clients behave.
#[derive(Clone, Copy)]
enum OtherClients {
    Wait,
    /// Each disconnects, and sends the next request after this interval.
    Disconnect(Duration),
}

#[test]
fn disconnects_do_not_starve_waiting_clients_on_postgres() {
    check_no_starvation(Engine::Postgres);
}

#[test]
fn disconnects_do_not_starve_waiting_clients_on_sqlite() {
    check_no_starvation(Engine::Sqlite);
}

fn check_no_starvation(on: Engine) {
    let app = Service::new(&binaries::app()).env("APP__DATABASE__MAX_CONNECTIONS", "2");
    let app = match on {
        Engine::Sqlite => app.start(),
        Engine::Postgres => app.env("APP__DATABASE__URL", Postgres::shared().database()).start(),
    };
    let ada = member(&app, "ada");
    let placed = place(&app, &ada).send();
    let order = placed.header("location").expect("a new order has a location").to_owned();
    // Warm-up: opens the connections.
    count_responses(&app, &ada, &order, OtherClients::Wait);
    let (mut waiting, mut disconnecting) = (0, 0);
    for _ in 0..ROUNDS {
        let (answers, sent) = count_responses(&app, &ada, &order, OtherClients::Wait);
        waiting += answers;
        // Disconnecting clients could send more requests; the same rate makes the two results comparable.
        let pace = ROUND * OTHER_CLIENTS as u32 / sent as u32;
        disconnecting += count_responses(&app, &ada, &order, OtherClients::Disconnect(pace)).0;
    }
    figures::print(&format!(
        "{on:?}: a client among {OTHER_CLIENTS} others receives {waiting} responses when the others wait, and \
         {disconnecting} in the same time when they disconnect at the same request rate"
    ));
    assert!(
        disconnecting * 2 >= waiting,
        "{disconnecting} responses when the others disconnect, {waiting} when they wait"
    );
}

fn place(app: &Running, by: &Member) -> Request {
    let lines = json!({"lines": [{"sku": "A-1", "quantity": 1, "unit_price_cents": 100}]});
    app.post("/orders").bearer(&by.token).json(&lines)
}

/// The number of responses to one client, and of requests by the others.
fn count_responses(app: &Running, by: &Member, order: &str, others: OtherClients) -> (usize, usize) {
    let (end, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let other = &|first: usize| {
        for n in (first..).take_while(|_| !end.load(Ordering::Relaxed)) {
            sent.fetch_add(1, Ordering::Relaxed);
            let request = if n.is_multiple_of(2) { place(app, by) } else { app.get("/orders").bearer(&by.token) };
            match others {
                OtherClients::Wait => assert!(request.send().status < 300, "a waiting client receives a response"),
                OtherClients::Disconnect(pace) => {
                    let began = Instant::now();
                    let pending = request.dispatch().expect("a request can be sent");
                    sleep(Duration::from_millis(n as u64 % 5));
                    pending.disconnect(Disconnect::Close);
                    sleep(pace.saturating_sub(began.elapsed()));
                }
            }
        }
    };
    let answers = thread::scope(|scope| {
        for first in 0..OTHER_CLIENTS {
            scope.spawn(move || other(first));
        }
        let began = Instant::now();
        let mut answers = 0;
        while began.elapsed() < ROUND {
            answers += usize::from(app.get(order).bearer(&by.token).send().status == 200);
        }
        end.store(true, Ordering::Relaxed);
        answers
    });
    (answers, sent.into_inner())
}
