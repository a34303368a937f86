//! Processes that share a database. Each process has its own pipeline.

mod outages;
mod propagation;
mod sharing;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cyanotype_telemetry::effective::{LiveValues, MAX_OVERRIDES, OverrideScope};
use cyanotype_telemetry::memory::MemorySink;
use cyanotype_telemetry::{Hooks, Level, Pipeline, Sinks};
use serde_json::{Value, json};
use test_harness::peers::postgres::Postgres;
use uuid::Uuid;

use super::*;
use crate::database::{Options, Program};
use crate::settings::Loader;

/// Upper limit of each wait, longer than any on an idle machine.
const WAIT_LIMIT: Duration = Duration::from_secs(20);
/// A poll interval that keeps waits short.
const SHORT_POLL: Duration = Duration::from_millis(50);
/// A poll interval so long that an earlier change must come from a notification.
const LONG_POLL: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A database that several processes open: a SQLite file, or one on the shared PostgreSQL server.
enum TestDatabase {
    File(test_harness::scratch::Scratch),
    Server(String),
}

impl TestDatabase {
    fn file() -> Self {
        Self::File(test_harness::scratch::Scratch::new("fleet"))
    }

    fn server() -> Self {
        Self::Server(Postgres::shared().database())
    }

    fn url(&self) -> String {
        match self {
            Self::File(scratch) => format!("sqlite://{}", scratch.join("app.db").display()),
            Self::Server(url) => url.clone(),
        }
    }

    async fn open(&self) -> Database {
        let options = Options {
            url: self.url(),
            migrate: true,
            max_connections: 1,
            min_connections: 0,
            acquire_timeout: Duration::from_secs(2),
            idle_timeout: None,
            statement_timeout: Some(Duration::from_secs(2)),
        };
        Database::open(&options, [], Program { name: "test", version: "0" }).await.expect("it opens")
    }
}

/// One process.
struct Process {
    database: Database,
    pipeline: &'static Pipeline,
    memory: MemorySink,
    fleet: Fleet,
}

impl Process {
    async fn start(shared_database: &TestDatabase, poll: Duration) -> Self {
        let settings = Loader::new("/no/config/here").load().expect("valid defaults");
        let memory = MemorySink::default();
        let sinks = Sinks::none().record(Arc::new(memory.clone()));
        // Lives as long as the process, like the pipeline of a service.
        let pipeline: &'static Pipeline =
            Box::leak(Box::new(Pipeline::new(&settings.telemetry(), Hooks::default(), sinks)));
        let database = shared_database.open().await;
        let fleet = Fleet::start(&database, pipeline, poll).await.expect("the database is there");
        Self { database, pipeline, memory, fleet }
    }

    fn version(&self) -> Option<u64> {
        self.pipeline.snapshot().fleet_version
    }

    fn level(&self) -> Level {
        self.pipeline.policy().level
    }

    /// Ids of the active overrides.
    fn overrides(&self) -> Vec<String> {
        self.pipeline.snapshot().overrides.iter().map(|it| it.id.clone()).collect()
    }

    /// The audit records since the last call: action, id and author.
    fn audit(&self) -> Vec<[String; 3]> {
        let (records, _) = self.memory.take();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let changes = records.iter().map(|record| &record["change"]).filter(|change| change.is_object());
        changes
            .map(|change| {
                assert_eq!(change["source"], "fleet", "{change}");
                [text(&change["action"]), text(&change["id"]), text(&change["by"])]
            })
            .collect()
    }
}

fn new(id: &str, level: &str, duration: Duration) -> NewFleetOverride {
    let Value::Object(set) = json!({"log.level": level}) else { unreachable!("it is an object") };
    NewFleetOverride {
        id: id.to_owned(),
        set: LiveValues::parse(&set).expect("a live setting"),
        scope: OverrideScope::Process,
        duration,
        reason: "INC-421".to_owned(),
        by: "ada".to_owned(),
    }
}

/// Waits until the condition holds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < WAIT_LIMIT, "timed out waiting for {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    began.elapsed()
}

/// Runs a test on each database.
macro_rules! on_both_databases {
    ($($name:ident => $on_sqlite:ident, $on_postgres:ident;)*) => {$(
        #[actix_web::test]
        async fn $on_sqlite() {
            $name(&TestDatabase::file()).await;
        }

        #[actix_web::test]
        async fn $on_postgres() {
            $name(&TestDatabase::server()).await;
        }
    )*};
}
use on_both_databases;
