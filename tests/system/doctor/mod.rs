//! `app doctor`: each check's lines on the real binary, of the running service and of a start here.

mod database;
mod environment;
mod inherited_sockets;
mod listeners;
mod output;
mod sentry;
mod spool;
mod stderr;

use std::ffi::OsString;
use std::path::Path;

use serde_json::Value;
use system_tests::scratch::Scratch;
use system_tests::service::{Running, Service, Stopped};
use system_tests::{binaries, ports};

/// The settings that a service and `app doctor` share.
pub(crate) struct Setup {
    scratch: Scratch,
    binary: std::path::PathBuf,
    variables: Vec<(String, OsString)>,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self::of(&binaries::app())
    }

    pub(crate) fn of(binary: &Path) -> Self {
        let scratch = Scratch::new("doctor");
        let database = format!("sqlite://{}", scratch.join("app.db").display());
        let port = || ports::free().to_string();
        Self { scratch, binary: binary.to_owned(), variables: Vec::new() }
            .env("APP__DATABASE__URL", database)
            .env("APP__SERVER__PORT", port())
            .env("APP__MANAGEMENT__PORT", port())
            .env("APP__SERVER__WORKERS", "1")
    }

    #[must_use]
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.retain(|(other, _)| other != name);
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    pub(crate) fn get(&self, name: &str) -> String {
        let found = self.variables.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.to_string_lossy().into_owned()).expect("the variable is set")
    }

    pub(crate) fn service(&self) -> Service {
        self.service_of(&self.binary)
    }

    pub(crate) fn service_of(&self, binary: &Path) -> Service {
        let service = Service::new(binary).dir(self.scratch.path());
        self.variables.iter().fold(service, |service, (name, value)| service.env(name, value))
    }

    #[track_caller]
    pub(crate) fn start(&self) -> Running {
        self.service().start()
    }

    /// Runs `app doctor --json`.
    #[track_caller]
    pub(crate) fn doctor(&self) -> Report {
        Report::of(&self.service().arg("doctor").arg("--json").run())
    }
}

/// The output of `app doctor --json`.
pub(crate) struct Report {
    pub(crate) code: Option<i32>,
    pub(crate) json: Value,
    pub(crate) stderr: String,
}

impl Report {
    #[track_caller]
    pub(crate) fn of(stopped: &Stopped) -> Self {
        let json = serde_json::from_str(&stopped.stdout)
            .unwrap_or_else(|error| panic!("--json is JSON ({error}): {} {}", stopped.stdout, stopped.stderr));
        Self { code: stopped.code(), json, stderr: stopped.stderr.clone() }
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.json["checks"].as_array().into_iter().flatten().filter_map(|line| line["check"].as_str()).collect()
    }

    /// Asserts the status of a check, parts of what it found, and that it says what to do unless it is OK.
    #[track_caller]
    pub(crate) fn has(&self, check: &str, status: &str, parts: &[&str]) -> &Self {
        let line = self.json["checks"].as_array().into_iter().flatten().find(|line| line["check"] == check);
        let line = line.unwrap_or_else(|| panic!("no line {check}: {:#}", self.json));
        assert_eq!(line["status"], status, "{line}");
        let found = line["found"].as_str().expect("found is text");
        parts.iter().for_each(|part| assert!(found.contains(part), "{part:?} is not in {line}"));
        assert_eq!(line["remedy"].is_string(), status != "OK", "{line}");
        let is_failed = self.json["checks"].as_array().into_iter().flatten().any(|line| line["status"] == "FAIL");
        assert_eq!(self.code, Some(i32::from(is_failed)), "{:#}", self.json);
        self
    }
}
