//! Test support: a test clock, an in-memory sink, a temporary directory, and envelopes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use cyanotype_telemetry::record::{Detail, Record, ResponseRecord};
use cyanotype_telemetry::settings::{Env, Mode};
use cyanotype_telemetry::{Kind, Level, Losses, Policy, RecordSink};
use parking_lot::Mutex;
use sentry::Envelope;
use sentry::protocol::{Event, Transaction};
use serde_json::{Map, Value};

use crate::clock::Clock;

/// A clock that changes only when it is advanced.
#[derive(Clone)]
pub(crate) struct TestClock(Arc<Mutex<Instant>>);

impl TestClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    pub(crate) fn now(&self) -> Instant {
        *self.0.lock()
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock() += by;
    }

    pub(crate) fn clock(&self) -> Clock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

/// The level, the message and the additional keys of a service record.
pub(crate) type Line = (Level, String, Map<String, Value>);

/// A record sink that stores the records.
#[derive(Default)]
pub(crate) struct MemorySink {
    lines: Mutex<Vec<Line>>,
    /// A message that makes the sink panic once.
    pub panic_at: Mutex<Option<&'static str>>,
}

impl MemorySink {
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.lines.lock().clone()
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        self.lines.lock().iter().map(|(_, message, _)| message.clone()).collect()
    }

    /// The messages of events that were written in full.
    pub(crate) fn events(&self) -> Vec<String> {
        let lines = self.lines.lock();
        let events = lines.iter().filter_map(|(_, _, detail)| detail.get("event")?.get("message")?.as_str());
        events.map(str::to_owned).collect()
    }
}

impl RecordSink for MemorySink {
    fn write(&self, record: &Record) {
        assert_eq!((record.kind, record.target.as_str()), (Kind::Service, "cyanotype::sentry"));
        let Detail::Service(detail) = &record.detail else { panic!("a service record has keys of its own") };
        if self.panic_at.lock().take_if(|at| *at == record.message).is_some() {
            panic!("requested by the test");
        }
        self.lines.lock().push((record.level, record.message.clone(), detail.clone()));
    }

    fn write_response(&self, _: &ResponseRecord<'_>) {}

    fn flush(&self, _: Instant) -> Losses {
        Losses::none()
    }
}

/// A path of a directory that is removed on drop. It is not created.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        Self(std::env::temp_dir().join(format!("sentry-{}", uuid::Uuid::new_v4())))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The files in the directory, sorted; without subdirectories.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(&self.0) else { return Vec::new() };
        let paths = entries.map(|entry| entry.expect("it is readable").path());
        let mut files: Vec<_> = paths.filter(|path| path.is_file()).collect();
        files.sort();
        files
    }

    /// The messages of the spooled envelopes, oldest first.
    pub(crate) fn messages(&self) -> Vec<String> {
        let files = self.files().into_iter();
        // A file may be removed before it is read.
        files.filter_map(|file| Some(crate::fake_endpoint::message(&std::fs::read(file).ok()?))).collect()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The envelope of an event. Its length depends only on the length of the message.
pub(crate) fn event(message: &str) -> Envelope {
    let timestamp = SystemTime::UNIX_EPOCH;
    Event { message: Some(message.into()), timestamp, ..Default::default() }.into()
}

pub(crate) fn transaction(name: &str) -> Envelope {
    let start_timestamp = SystemTime::UNIX_EPOCH;
    Transaction { name: Some(name.into()), start_timestamp, ..Default::default() }.into()
}

pub(crate) fn bytes(envelope: &Envelope) -> Vec<u8> {
    let mut bytes = Vec::new();
    envelope.to_writer(&mut bytes).expect("it can be written");
    bytes
}

/// A policy that routes service records with level info and above to stderr.
pub(crate) fn policy() -> Policy {
    Policy {
        env: Env::Prod,
        mode: Mode::Both,
        level: Level::Info,
        breadcrumb_level: Level::Info,
        event_level: Level::Error,
        sentry: true,
        logs: false,
    }
}
