//! Clients that disconnect during writes, among others that wait. Acknowledged writes are stored; all other writes are stored
//! completely or not at all.
//!
//! `SOAK_HANGUPS` is the number of disconnects per database; `cargo xtask soak hangups` sets it.

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
/// The number of progress reports of a soak.
const PROGRESS_REPORTS: usize = 20;

/// Services, each with its own database, under disconnecting clients.
struct Soak {
    name: &'static str,
    engine: Engine,
    /// The delay of PostgreSQL's responses.
    delay: Option<Duration>,
    /// The maximum number of connections, for each service.
    pools: &'static [u32],
    /// The number of disconnecting clients per service.
    disconnecting: usize,
    /// The total number of disconnects.
    count: usize,
    began: Instant,
    disconnected: AtomicUsize,
}

#[test]
fn acknowledged_writes_are_stored_on_slow_postgres() {
    let delay = Some(Duration::from_millis(30));
    let name = "PostgreSQL with a delay of 30 ms";
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

/// The result of one service.
struct Outcome {
    acknowledged: usize,
    /// The number of writes that were stored although the client had disconnected.
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
                .map(|service| service.join().expect("a service and its clients do not panic"))
                .collect()
        });
        let sum = |of: fn(&Outcome) -> usize| outcomes.iter().map(of).sum::<usize>();
        let errors: Vec<&String> = outcomes.iter().flat_map(|outcome| &outcome.errors).collect();
        figures::print(&format!(
            "disconnects on {}: {} in {:.1} s, {} of their orders stored; {} acknowledged writes, {} lost, {} errors",
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
            "{} errors, of which the first are {:#?}",
            errors.len(),
            &errors[..errors.len().min(20)]
        );
    }

    /// Runs one service with its clients, and checks its database at the end.
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
            // Long enough that a waiting client always gets a connection.
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

        // A disconnected client may retry, and the write is done once.
        let again = service(&url).start();
        for tag in &observed.disconnected {
            let reply = place(&again, &ada, tag).header("idempotency-key", tag).send();
            let replayed = reply.header("idempotency-replayed").is_some();
            if (reply.status, replayed) != (201, stored.has(tag)) {
                errors.push(format!("{tag} retried is {} (replayed: {replayed})", reply.status));
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
            figures::print(&format!("disconnects on {}: {disconnected} of {} in {seconds} s", self.name, self.count));
        }
    }

    /// Transactions that are still open some time after all clients have disconnected or received a response.
    fn find_open_transactions(&self, url: &str) -> Option<String> {
        let mut database = DirectConnection::open(url);
        let Engine::Postgres = self.engine else {
            let locked = database.try_run("BEGIN IMMEDIATE; ROLLBACK").err();
            return locked.map(|error| format!("the database remains locked: {error}"));
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
                return Some(format!("connections that do not become idle: {states:?}"));
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
