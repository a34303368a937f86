//! The configurations of `deploy/collectors`, on what the service writes while a client tries to forge records.

mod forms;
mod syslog;
mod vector;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};
use system_tests::peers::venv;
use system_tests::process_guard;
use system_tests::scratch::{Scratch, workspace};
use system_tests::service::Service;

use crate::hostile::{attack, kinds, probe};
use crate::{probe_app, succeed};

/// The levels of records.
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warning", "error", "critical"];

/// A file of the deployment.
fn configuration(name: &str) -> PathBuf {
    workspace().join("deploy/collectors").join(name)
}

/// What the service wrote. Its first line is the text of a refused start, which is not JSON.
struct Written {
    refusal: String,
    records: Vec<Value>,
    log: String,
}

impl Written {
    /// The same for all tests of this process.
    #[track_caller]
    fn shared() -> &'static Self {
        static WRITTEN: OnceLock<Written> = OnceLock::new();
        WRITTEN.get_or_init(Self::write)
    }

    fn write() -> Self {
        let refusal = Service::new(probe_app()).env("APP__LOG__MODE", "loud").run().stderr;
        assert_eq!(refusal.lines().count(), 1, "one line of text: {refusal}");
        let service = probe().env("APP__LOG__LEVELS__SYSTEM_TESTS", "trace").start();
        let steps = LEVELS.map(|level| json!({"do": "log", "level": level, "message": level}));
        service.post("/probe/run").json(&json!({ "steps": steps })).send();
        let sent = attack(service.client()).values().sum::<usize>() + LEVELS.len() + 1;
        let stopped = service.stop();
        let records = stopped.records();
        assert_eq!(kinds(&records).values().sum::<usize>(), sent, "all records were written");
        Self { log: refusal.clone() + &stopped.stderr, refusal: refusal.trim_end().to_owned(), records }
    }
}

/// A record's text, empty where it has none.
fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or_default()
}

/// What a script of Python prints, given a configuration and a log.
#[track_caller]
fn python(script: &str, arguments: &[&Path]) -> String {
    let scratch = Scratch::new("collectors-python");
    let mut command = process_guard::command(venv::collectors());
    command.args(["-c", script]).args(arguments);
    succeed(command, &scratch)
}
