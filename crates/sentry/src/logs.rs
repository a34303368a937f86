//! Sentry's Logs: log lines, sent in batches by a thread. The SDK's own batcher would redact and serialize each full batch on the
//! thread that logs.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use cyanotype_telemetry::Level;
use cyanotype_telemetry::record::{Detail, Record};
use parking_lot::{Condvar, Mutex};
use sentry::protocol::{ItemContainer, Log, LogAttribute, LogLevel, Map, TraceId, Value};
use sentry::{Client, ClientOptions, Envelope};

use crate::event;
use crate::fallback::Fallback;
use crate::queued_envelope::QueuedEnvelope;
use crate::trim::MARK;
use crate::undelivered::Undelivered;

/// A batch of this many lines is sent at once.
const BATCH_LINES: usize = 100;
/// A smaller batch is sent after this time.
const INTERVAL: Duration = Duration::from_secs(5);
/// The maximum number of full batches that wait for the thread.
const MAX_WAITING: usize = 10;
/// Longer texts are cut, so that the lines that wait have a maximum size.
const MAX_TEXT_BYTES: usize = 8 << 10;
/// Sends log lines.
pub(crate) struct Logs {
    client: Arc<Client>,
    fallback: Fallback,
    /// The environment, the release and the name of the machine.
    common: Map<String, LogAttribute>,
    /// The trace of lines outside requests.
    process_trace: TraceId,
    state: Mutex<State>,
    /// Locked while batches are sent: the transport is closed after the last one.
    sending: Mutex<()>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Full batches, oldest first.
    full: VecDeque<Vec<Log>>,
    next: Vec<Log>,
    closed: bool,
}

impl Logs {
    /// Starts the thread that sends the lines with this client.
    pub(crate) fn start(server_name: Option<String>, client: Arc<Client>, fallback: Fallback) -> Arc<Self> {
        let logs = Arc::new(Self::new(server_name, client, fallback));
        let own = Arc::clone(&logs);
        let thread = std::thread::Builder::new().name("sentry-logs".into()).spawn(move || own.run());
        thread.expect("the thread that sends log lines to Sentry cannot be started");
        logs
    }

    fn new(server_name: Option<String>, client: Arc<Client>, fallback: Fallback) -> Self {
        let common = common(server_name, client.options());
        let process_trace = TraceId::default();
        let (state, sending, changed) = (Mutex::default(), Mutex::default(), Condvar::new());
        Self { client, fallback, common, process_trace, state, sending, changed }
    }

    fn run(&self) {
        cyanotype_telemetry::mute_this_thread();
        loop {
            let mut state = self.state.lock();
            self.changed.wait_while_for(&mut state, |state| !state.closed && state.full.is_empty(), INTERVAL);
            let closed = state.closed;
            drop(state);
            // Those that are left at the end are sent by `close`.
            if closed {
                return;
            }
            self.send();
        }
    }

    /// Adds a line to the next batch.
    pub(crate) fn add(&self, record: &Record) {
        let log = self.log(record);
        let mut state = self.state.lock();
        state.next.push(log);
        if state.next.len() < BATCH_LINES {
            return;
        }
        let batch = std::mem::replace(&mut state.next, Vec::with_capacity(BATCH_LINES));
        state.full.push_back(batch);
        let lost = if state.full.len() > MAX_WAITING { state.full.pop_front() } else { None };
        drop(state);
        self.changed.notify_all();
        if let Some(lost) = lost.and_then(|lost| QueuedEnvelope::new(&envelope(lost))) {
            self.fallback.undelivered(&lost, &Undelivered::QueueFull);
        }
    }

    /// Sends all lines.
    fn send(&self) {
        let _sending = self.sending.lock();
        let mut state = self.state.lock();
        let (full, next) = (std::mem::take(&mut state.full), std::mem::take(&mut state.next));
        drop(state);
        let batches = full.into_iter().chain([next]).filter(|batch| !batch.is_empty());
        batches.for_each(|batch| self.client.send_envelope(envelope(batch)));
    }

    /// Ends the thread, and sends the last lines.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
        self.send();
    }

    fn log(&self, record: &Record) -> Log {
        let mut attributes = Map::new();
        if let Some(scope) = &record.scope {
            flatten("", &scope.tags, &mut attributes);
        }
        if let Detail::Fields(fields) = &record.detail {
            flatten("", fields, &mut attributes);
        }
        if let Some(detail) = &record.failure {
            let first = detail.failure.first();
            attributes.insert("exception.type".to_owned(), first.type_name.clone().into());
            attributes.insert("exception.message".to_owned(), cut(&first.message).into());
        }
        attributes.insert("target".to_owned(), record.target.clone().into());
        if let Some(request) = &record.request {
            attributes.insert("request_id".to_owned(), request.id().into());
            attributes.extend(request.blueprint().map(|name| ("blueprint".to_owned(), name.into())));
        }
        attributes.extend(self.common.clone());
        let trace = record.request.as_deref().map(event::trace_id);
        Log {
            level: level(record.level),
            body: cut(&record.message),
            trace_id: Some(trace.unwrap_or(self.process_trace)),
            timestamp: record.at.into(),
            severity_number: None,
            attributes,
        }
    }
}

fn envelope(batch: Vec<Log>) -> Envelope {
    let mut envelope = Envelope::new();
    envelope.add_item(ItemContainer::Logs(batch));
    envelope
}

/// The attributes of every line, with the names of Sentry.
fn common(server_name: Option<String>, options: &ClientOptions) -> Map<String, LogAttribute> {
    let values = [
        ("sentry.environment", options.environment.as_deref().map(str::to_owned)),
        ("sentry.release", options.release.as_deref().map(str::to_owned)),
        ("server.address", server_name),
    ];
    values.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into()))).collect()
}

/// Adds values as attributes, those of an object as `object.key`.
fn flatten(prefix: &str, values: &serde_json::Map<String, Value>, attributes: &mut Map<String, LogAttribute>) {
    for (key, value) in values {
        let key = format!("{prefix}{key}");
        match value {
            Value::Object(inner) => flatten(&format!("{key}."), inner, attributes),
            Value::String(text) => _ = attributes.insert(key, cut(text).into()),
            Value::Array(_) => _ = attributes.insert(key, cut(&value.to_string()).into()),
            value => _ = attributes.insert(key, LogAttribute(value.clone())),
        }
    }
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_TEXT_BYTES);
    let mut cut = text[..end].to_owned();
    if end < text.len() {
        cut.push(MARK);
    }
    cut
}

fn level(level: Level) -> LogLevel {
    match level {
        Level::Trace => LogLevel::Trace,
        Level::Debug => LogLevel::Debug,
        Level::Info => LogLevel::Info,
        Level::Warning => LogLevel::Warn,
        Level::Error => LogLevel::Error,
        Level::Critical => LogLevel::Fatal,
    }
}

#[cfg(test)]
mod tests;
