//! The service as an operator deploys it.

use std::time::Duration;

use serde_json::Value;
use system_tests::http::Client;
use system_tests::peers::recording_sentry::RecordingSentry;
use system_tests::peers::systemd::Systemd;
use system_tests::scratch::{self, workspace};
use system_tests::{ports, wait};

use crate::probe_app;

pub(super) const UNIT: &str = "cyanotype.service";
const LIMIT: Duration = Duration::from_secs(60);

/// The installed service. Its ports differ from those of the unit files, so that tests can run at the same time.
pub(super) struct Deployed {
    pub systemd: Systemd,
    pub port: u16,
    pub management_port: u16,
    pub sentry: RecordingSentry,
}

impl Deployed {
    /// Installs the service, with a drop-in for the unit and more lines of /etc/cyanotype/environment.
    pub fn install(service: &str, environment: &str) -> Self {
        let systemd = Systemd::boot(probe_app());
        let [port, management_port] = [ports::free(), ports::free()];
        let sentry = RecordingSentry::start(|_| "200 OK");
        systemd.sh(&format!("DSN={}\n{}", sentry.dsn(), documented("installed")));
        let socket = format!("[Socket]\nListenStream=\nListenStream=127.0.0.1:{port}\n");
        systemd.write("/etc/systemd/system/cyanotype.socket.d/override.conf", &socket);
        systemd.write("/etc/systemd/system/cyanotype.service.d/override.conf", &format!("[Service]\n{service}\n"));
        let environment = format!("APP__MANAGEMENT__PORT={management_port}\nAPP__SERVER__WORKERS=2\n{environment}\n");
        systemd.write("/etc/cyanotype/environment", &environment);
        Self { systemd, port, management_port, sentry }
    }

    /// Starts the installed service. `systemctl start` returns when it is ready.
    pub fn start(self) -> Self {
        self.systemd.sh(&documented("started"));
        self
    }

    pub fn client(&self) -> Client {
        Client::new(self.port)
    }

    pub fn management(&self) -> Client {
        Client::new(self.management_port)
    }

    pub fn property(&self, name: &str) -> String {
        self.systemd.property(UNIT, name)
    }

    pub fn wait_property(&self, name: &str, value: &str) {
        self.systemd.wait_property(UNIT, name, value);
    }

    /// The records in the journal that `journalctl` finds with these arguments. Each entry of the service must be a record.
    #[track_caller]
    pub fn records(&self, arguments: &str) -> Vec<Value> {
        records(&self.systemd, &format!("--identifier=cyanotype {arguments}"))
    }

    /// Waits for a record in the journal.
    #[track_caller]
    pub fn wait_record(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        wait::until(what, LIMIT, || self.records("").into_iter().find(&is_it))
    }
}

#[track_caller]
pub(super) fn records(systemd: &Systemd, arguments: &str) -> Vec<Value> {
    let entries = systemd.journal(arguments);
    let message = |entry: &Value| entry["MESSAGE"].as_str().unwrap_or_default().to_owned();
    let record = |text: String| serde_json::from_str(&text).unwrap_or_else(|e| panic!("no record ({e}): {text}"));
    entries.iter().map(message).map(record).collect()
}

/// Whether the record's message contains this text.
pub(super) fn says(record: &Value, text: &str) -> bool {
    record["message"].as_str().is_some_and(|message| message.contains(text))
}

/// The commands after a line of the section that ends with this word and a colon.
#[track_caller]
pub(super) fn documented(word: &str) -> String {
    let document = scratch::read(&workspace().join("docs/OPERATIONS.md"));
    let section = document.split("\n### systemd\n").nth(1).and_then(|text| text.split("\n### ").next());
    let section = section.and_then(|text| text.split("\n## ").next()).expect("docs/OPERATIONS.md has the section");
    let block = section.split(&format!("{word}:\n\n```sh\n")).nth(1).and_then(|text| text.split("\n```").next());
    block.unwrap_or_else(|| panic!("docs/OPERATIONS.md has no commands after `{word}:`")).to_owned()
}
