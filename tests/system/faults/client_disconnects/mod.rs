//! Clients that leave in the middle of a write, among others that stay. What was acknowledged is stored, and what was not
//! is there as a whole or not at all.
//!
//! `SOAK_HANGUPS` is how many clients leave on each database; `cargo xtask soak hangups` sets it.

mod clients;
mod ledger;

use std::env;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::Value;
use system_tests::peers::postgres::Postgres;
use system_tests::peers::slow_proxy::SlowProxy;
use system_tests::scratch::Scratch;
use system_tests::service::{Running, Service};
use system_tests::sql::Direct;
use system_tests::{binaries, figures};

use crate::api::{Engine, Member, member};
use crate::support::of_kind;
use clients::{Clients, place};
use ledger::Stored;

const SHORT: usize = 300;
/// A soak tells so often how far it is.
const PARTS: usize = 20;

/// Services, each with a database of its own, that clients leave.
struct Soak {
    name: &'static str,
    engine: Engine,
    /// How late whatever PostgreSQL says comes.
    late: Option<Duration>,
    /// The most connections of each service; there are as many services.
    pools: &'static [u32],
    /// Clients of each service that leave.
    leavers: usize,
    /// How often clients leave, all in all.
    count: usize,
    began: Instant,
    left: AtomicUsize,
}

#[test]
fn acknowledged_writes_are_stored_on_slow_postgres() {
    let late = Some(Duration::from_millis(30));
    let name = "a PostgreSQL that answers 30 ms late";
    Soak::new(name, Engine::Postgres, count() * 2 / 3, (&[1; 15], 1), late).run();
}

#[test]
fn acknowledged_writes_are_stored_on_postgres() {
    Soak::new("PostgreSQL", Engine::Postgres, count() / 3, (&[8, 1], 4), None).run();
}

#[test]
fn acknowledged_writes_are_stored_on_sqlite() {
    Soak::new("SQLite", Engine::Sqlite, count(), (&[8, 1], 4), None).run();
}

/// What became of one service.
struct Outcome {
    acknowledged: usize,
    /// Writes of clients that had left, and that were done all the same.
    done: usize,
    wrong: Vec<String>,
}

fn count() -> usize {
    let count = env::var("SOAK_HANGUPS").ok();
    count.map_or(SHORT, |count| count.parse().unwrap_or_else(|e| panic!("SOAK_HANGUPS must be a number: {e}")))
}

impl Soak {
    fn new(
        name: &'static str,
        engine: Engine,
        count: usize,
        (pools, leavers): (&'static [u32], usize),
        late: Option<Duration>,
    ) -> Self {
        Self { name, engine, late, pools, leavers, count, began: Instant::now(), left: AtomicUsize::new(0) }
    }

    fn run(&self) {
        let outcomes: Vec<Outcome> = thread::scope(|scope| {
            let services: Vec<_> = self.pools.iter().map(|pool| scope.spawn(|| self.service(*pool))).collect();
            services
                .into_iter()
                .map(|service| service.join().expect("a service and its clients came to the end"))
                .collect()
        });
        let sum = |of: fn(&Outcome) -> usize| outcomes.iter().map(of).sum::<usize>();
        let wrong: Vec<&String> = outcomes.iter().flat_map(|outcome| &outcome.wrong).collect();
        figures::print(&format!(
            "hang-ups on {}: {} left in {:.1} s, {} of their orders stored; {} acknowledged writes, {} lost, {} things wrong",
            self.name,
            self.left.load(Ordering::Relaxed),
            self.began.elapsed().as_secs_f64(),
            sum(|outcome| outcome.done),
            sum(|outcome| outcome.acknowledged),
            wrong.iter().filter(|what| what.starts_with("lost")).count(),
            wrong.len(),
        ));
        assert!(
            wrong.is_empty(),
            "{} things are wrong, of which the first are {:#?}",
            wrong.len(),
            &wrong[..wrong.len().min(20)]
        );
    }

    /// One service with its clients, from its start to what is in its database when all is over.
    fn service(&self, pool: u32) -> Outcome {
        let scratch = Scratch::new("hangups");
        let url = match self.engine {
            Engine::Sqlite => format!("sqlite://{}", scratch.join("app.db").display()),
            Engine::Postgres => Postgres::shared().database(),
        };
        let proxy = self.late.map(|late| SlowProxy::start(Postgres::shared().port(), late));
        let by = proxy.as_ref().map_or_else(|| url.clone(), |proxy| Postgres::shared().url_by(proxy.port(), &url));
        let service = |url: &str| {
            let service = Service::new(&binaries::app()).env("APP__DATABASE__URL", url);
            // Whoever stays waits for a turn, and gets it.
            service.env("APP__DATABASE__ACQUIRE_TIMEOUT_S", "30")
        };
        let app = service(&by).env("APP__DATABASE__MAX_CONNECTIONS", pool.to_string()).start();
        let ada = member(&app, "ada");
        let each = self.count.div_ceil(self.pools.len() * self.leavers);
        let (told, mut wrong) = Clients::new(&app, &ada).run(self.leavers, each, || self.tell());

        wrong.extend(self.left_open(&url));
        match listed(&app, &ada) {
            Ok(orders) => {
                let by_the_api = Stored::listed(&orders).against(&told);
                wrong.extend(by_the_api.iter().map(|what| format!("by the API: {what}")));
            }
            Err(why) => wrong.push(why),
        }
        let stopped = app.stop();
        let stored = Stored::read(&url);
        wrong.extend(stored.against(&told).into_iter().chain(stored.beside(&told)));
        if stopped.stderr.contains("already a transaction in progress") {
            wrong.push("a transaction began within another".into());
        }
        wrong.extend(of_kind(&stopped.records(), "uncaught").iter().map(|record| record.to_string()));

        // Whoever has left may ask again, and then it is done once.
        let again = service(&url).start();
        for tag in &told.left {
            let reply = place(&again, &ada, tag).header("idempotency-key", tag).send();
            let replayed = reply.header("idempotency-replayed").is_some();
            if (reply.status, replayed) != (201, stored.has(tag)) {
                wrong.push(format!("{tag} asked for again is {} (replayed: {replayed})", reply.status));
            }
        }
        again.stop();
        wrong.extend(Stored::read(&url).against(&told));
        let done = told.left.iter().filter(|tag| stored.has(tag)).count();
        Outcome { acknowledged: told.acknowledged(), done, wrong }
    }

    fn tell(&self) {
        let left = self.left.fetch_add(1, Ordering::Relaxed) + 1;
        if count() > SHORT && left.is_multiple_of(self.count.div_ceil(PARTS)) {
            let seconds = self.began.elapsed().as_secs();
            figures::print(&format!("hang-ups on {}: {left} of {} in {seconds} s", self.name, self.count));
        }
    }

    /// What is still open when everybody has left or has an answer, and some time has passed.
    fn left_open(&self, url: &str) -> Option<String> {
        let mut database = Direct::open(url);
        let Engine::Postgres = self.engine else {
            let locked = database.try_run("BEGIN IMMEDIATE; ROLLBACK").err();
            return locked.map(|error| format!("the database is locked for good: {error}"));
        };
        let sql = "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                   AND state <> 'idle'";
        let began = Instant::now();
        loop {
            let states = database.texts(sql);
            if states.is_empty() {
                return None;
            }
            if began.elapsed() > Duration::from_secs(10) {
                return Some(format!("connections that are not idle for good: {states:?}"));
            }
            sleep(Duration::from_millis(50));
        }
    }
}

/// All orders that the API lists.
fn listed(app: &Running, by: &Member) -> Result<Vec<Value>, String> {
    let mut orders = vec![];
    let mut next = Some("/orders?limit=100".to_owned());
    while let Some(path) = next {
        let reply = app.get(&path).bearer(&by.token).send();
        if reply.status != 200 {
            return Err(format!("{} instead of a list of orders: {}", reply.status, reply.text()));
        }
        let page = reply.json();
        orders.extend(page["items"].as_array().expect("a page has items").iter().cloned());
        next = page["next"].as_str().map(|after| format!("/orders?limit=100&after={after}"));
    }
    Ok(orders)
}
