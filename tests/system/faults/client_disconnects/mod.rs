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
use system_tests::sql::DirectConnection;
use system_tests::{binaries, figures};

use crate::api::{Engine, Member, member};
use crate::support::of_kind;
use clients::{Clients, place};
use ledger::Stored;

const DEFAULT_COUNT: usize = 300;
/// A soak tells so often how far it is.
const PROGRESS_REPORTS: usize = 20;

/// Services, each with a database of its own, that clients leave.
struct Soak {
    name: &'static str,
    engine: Engine,
    /// How delay whatever PostgreSQL says comes.
    delay: Option<Duration>,
    /// The most connections of each service; there are as many services.
    pools: &'static [u32],
    /// Clients of each service that leave.
    disconnecting: usize,
    /// How often clients leave, all in all.
    count: usize,
    began: Instant,
    disconnected: AtomicUsize,
}

#[test]
fn acknowledged_writes_are_stored_on_slow_postgres() {
    let delay = Some(Duration::from_millis(30));
    let name = "a PostgreSQL that answers 30 ms delay";
    Soak::new(name, Engine::Postgres, count() * 2 / 3, (&[1; 15], 1), delay).run();
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
    /// Writes of clients that had disconnected, and that were done all the same.
    done: usize,
    errors: Vec<String>,
}

fn count() -> usize {
    let count = env::var("SOAK_HANGUPS").ok();
    count.map_or(DEFAULT_COUNT, |count| count.parse().unwrap_or_else(|e| panic!("SOAK_HANGUPS must be a number: {e}")))
}

impl Soak {
    fn new(
        name: &'static str,
        engine: Engine,
        count: usize,
        (pools, disconnecting): (&'static [u32], usize),
        delay: Option<Duration>,
    ) -> Self {
        Self {
            name,
            engine,
            delay,
            pools,
            disconnecting,
            count,
            began: Instant::now(),
            disconnected: AtomicUsize::new(0),
        }
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
        let errors: Vec<&String> = outcomes.iter().flat_map(|outcome| &outcome.errors).collect();
        figures::print(&format!(
            "hang-ups on {}: {} left in {:.1} s, {} of their orders stored; {} acknowledged writes, {} lost, {} things errors",
            self.name,
            self.disconnected.load(Ordering::Relaxed),
            self.began.elapsed().as_secs_f64(),
            sum(|outcome| outcome.done),
            sum(|outcome| outcome.acknowledged),
            errors.iter().filter(|what| what.starts_with("lost")).count(),
            errors.len(),
        ));
        assert!(
            errors.is_empty(),
            "{} things are errors, of which the first are {:#?}",
            errors.len(),
            &errors[..errors.len().min(20)]
        );
    }

    /// One service with its clients, from its start to what is in its database when all is over.
    fn service(&self, pool: u32) -> Outcome {
        let scratch = Scratch::new("disconnects");
        let url = match self.engine {
            Engine::Sqlite => format!("sqlite://{}", scratch.join("app.db").display()),
            Engine::Postgres => Postgres::shared().database(),
        };
        let proxy = self.delay.map(|delay| SlowProxy::start(Postgres::shared().port(), delay));
        let url_via_proxy =
            proxy.as_ref().map_or_else(|| url.clone(), |proxy| Postgres::shared().url_via(proxy.port(), &url));
        let service = |url: &str| {
            let service = Service::new(&binaries::app()).env("APP__DATABASE__URL", url);
            // Whoever stays waits for a turn, and gets it.
            service.env("APP__DATABASE__ACQUIRE_TIMEOUT_S", "30")
        };
        let app = service(&url_via_proxy).env("APP__DATABASE__MAX_CONNECTIONS", pool.to_string()).start();
        let ada = member(&app, "ada");
        let each = self.count.div_ceil(self.pools.len() * self.disconnecting);
        let (observed, mut errors) = Clients::new(&app, &ada).run(self.disconnecting, each, || self.report_progress());

        errors.extend(self.find_open_transactions(&url));
        match list_orders(&app, &ada) {
            Ok(orders) => {
                let api_errors = Stored::from_api(&orders).check_orders(&observed);
                errors.extend(api_errors.iter().map(|what| format!("by the API: {what}")));
            }
            Err(why) => errors.push(why),
        }
        let stopped = app.stop();
        let stored = Stored::read(&url);
        errors.extend(stored.check_orders(&observed).into_iter().chain(stored.check_users_and_keys(&observed)));
        if stopped.stderr.contains("already a transaction in progress") {
            errors.push("a transaction began within another".into());
        }
        errors.extend(of_kind(&stopped.records(), "uncaught").iter().map(|record| record.to_string()));

        // Whoever has left may ask again, and then it is done once.
        let again = service(&url).start();
        for tag in &observed.disconnected {
            let reply = place(&again, &ada, tag).header("idempotency-key", tag).send();
            let replayed = reply.header("idempotency-replayed").is_some();
            if (reply.status, replayed) != (201, stored.has(tag)) {
                errors.push(format!("{tag} asked for again is {} (replayed: {replayed})", reply.status));
            }
        }
        again.stop();
        errors.extend(Stored::read(&url).check_orders(&observed));
        let done = observed.disconnected.iter().filter(|tag| stored.has(tag)).count();
        Outcome { acknowledged: observed.acknowledged(), done, errors }
    }

    fn report_progress(&self) {
        let disconnected = self.disconnected.fetch_add(1, Ordering::Relaxed) + 1;
        if count() > DEFAULT_COUNT && disconnected.is_multiple_of(self.count.div_ceil(PROGRESS_REPORTS)) {
            let seconds = self.began.elapsed().as_secs();
            figures::print(&format!("hang-ups on {}: {disconnected} of {} in {seconds} s", self.name, self.count));
        }
    }

    /// What is still open when everybody has left or has an answer, and some time has passed.
    fn find_open_transactions(&self, url: &str) -> Option<String> {
        let mut database = DirectConnection::open(url);
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
fn list_orders(app: &Running, by: &Member) -> Result<Vec<Value>, String> {
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
