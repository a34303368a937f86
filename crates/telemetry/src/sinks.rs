//! Where records and events leave the process. A sink is anything that implements one of the two traits.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use crate::effective::Snapshot;
use crate::losses::Losses;
use crate::record::{Event, Record, ResponseRecord};

/// Takes records as lines, as the table's stderr column has it.
///
/// Both `write` methods are called by the thread of a request: they must not block.
pub trait LineSink: Send + Sync {
    /// Writes a record.
    fn write(&self, record: &Record);

    /// Writes the record of a response.
    fn write_response(&self, response: &ResponseRecord<'_>);

    /// Delivers what is queued, until the deadline at most; returns what was not delivered by then.
    fn flush(&self, deadline: Instant) -> Losses;

    /// Follows the effective policy. Called at the start, and after each change.
    fn apply(&self, snapshot: &Arc<Snapshot>) {
        let _ = snapshot;
    }
}

/// Takes events, as the table's Sentry column has it.
pub trait EventSink: Send + Sync {
    /// The sink's own scope of a request that has just come, if it has such a thing.
    fn begin_request(&self) -> Option<Scope> {
        None
    }

    /// Calls `f`, which is work for the request of this scope. Called for each poll of the request's future: it must be cheap,
    /// and must call `f` once.
    fn enter(&self, scope: &Scope, f: &mut dyn FnMut()) {
        let _ = scope;
        f();
    }

    /// The trace that this sink has begun for a request: `TRACE-SPAN-SAMPLED`, as in the header `sentry-trace`.
    fn trace_header(&self, scope: &Scope) -> Option<String> {
        let _ = scope;
        None
    }

    /// Delivers or queues an event. Called by a thread of its own, which may wait; `scope` is the sink's scope of the event's
    /// request.
    fn send(&self, event: &Event, scope: Option<&Scope>);

    /// Delivers what is queued, until the deadline at most; returns what was not delivered by then.
    fn flush(&self, deadline: Instant) -> Losses;

    /// Follows the effective policy: while [`Snapshot::may_send`] is false, what is queued waits. Called at the start, and after
    /// each change.
    fn apply(&self, snapshot: &Arc<Snapshot>) {
        let _ = snapshot;
    }

    /// Stores what the line sinks could not deliver before the process ends, for the next start. Called after `flush`.
    fn store_losses(&self, losses: &Losses) {
        let _ = losses;
    }
}

/// A sink's scope of a request.
pub type Scope = Arc<dyn Any + Send + Sync>;

/// The sinks of a process.
#[derive(Clone, Default)]
pub struct Sinks {
    pub(crate) lines: Vec<Arc<dyn LineSink>>,
    pub(crate) events: Vec<Arc<dyn EventSink>>,
}

impl Sinks {
    /// No sink.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a line sink.
    #[must_use]
    pub fn line(mut self, sink: Arc<dyn LineSink>) -> Self {
        self.lines.push(sink);
        self
    }

    /// Adds an event sink.
    #[must_use]
    pub fn event(mut self, sink: Arc<dyn EventSink>) -> Self {
        self.events.push(sink);
        self
    }
}

impl LineSink for Sinks {
    fn write(&self, record: &Record) {
        self.lines.iter().for_each(|sink| sink.write(record));
    }

    fn write_response(&self, response: &ResponseRecord<'_>) {
        self.lines.iter().for_each(|sink| sink.write_response(response));
    }

    fn flush(&self, deadline: Instant) -> Losses {
        let mut losses = Losses::none();
        self.lines.iter().for_each(|sink| losses.add(sink.flush(deadline)));
        losses
    }

    fn apply(&self, snapshot: &Arc<Snapshot>) {
        self.lines.iter().for_each(|sink| sink.apply(snapshot));
        self.events.iter().for_each(|sink| sink.apply(snapshot));
    }
}
