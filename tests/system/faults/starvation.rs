//! Clients that leave at once take nothing from those that wait.

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
/// Waiting and leaving take turns: what else the machine does disturbs both.
const ROUNDS: usize = 4;
const ROUND: Duration = Duration::from_millis(500);

/// What the others do with their answers.
#[derive(Clone, Copy)]
enum OtherClients {
    Wait,
    /// Each leaves, and asks again when so much time has passed.
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
    let order = placed.header("location").expect("a new order has a place").to_owned();
    // Opens the connections.
    count_responses(&app, &ada, &order, OtherClients::Wait);
    let (mut waiting, mut leaving) = (0, 0);
    for _ in 0..ROUNDS {
        let (answers, sent) = count_responses(&app, &ada, &order, OtherClients::Wait);
        waiting += answers;
        // They have the time to ask more often when they leave, but what is measured is not how much work that is.
        let pace = ROUND * OTHER_CLIENTS as u32 / sent as u32;
        leaving += count_responses(&app, &ada, &order, OtherClients::Disconnect(pace)).0;
    }
    figures::print(&format!(
        "{on:?}: one that asks for an order among {OTHER_CLIENTS} others has {waiting} answers when they wait for theirs, and \
         {leaving} in the same time when they leave and ask as often"
    ));
    assert!(leaving * 2 >= waiting, "{leaving} answers when the others leave, {waiting} when they wait");
}

fn place(app: &Running, by: &Member) -> Request {
    let lines = json!({"lines": [{"sku": "A-1", "quantity": 1, "unit_price_cents": 100}]});
    app.post("/orders").bearer(&by.token).json(&lines)
}

/// How many answers one client gets among the others, and how often those ask.
fn count_responses(app: &Running, by: &Member, order: &str, others: OtherClients) -> (usize, usize) {
    let (end, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let other = &|first: usize| {
        for n in (first..).take_while(|_| !end.load(Ordering::Relaxed)) {
            sent.fetch_add(1, Ordering::Relaxed);
            let request = if n.is_multiple_of(2) { place(app, by) } else { app.get("/orders").bearer(&by.token) };
            match others {
                OtherClients::Wait => assert!(request.send().status < 300, "who waits has an answer"),
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
