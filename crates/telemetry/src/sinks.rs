//! The sinks of records and events, as two traits.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use crate::effective::Snapshot;
use crate::identity::{ActiveSpan, RequestIdentity};
use crate::losses::Losses;
use crate::outcome::RequestEnd;
use crate::record::{Event, Record, ResponseRecord};
use crate::sink_counts::SinkCounts;

/// A sink for records. It receives those that the destination table sends to stderr.
///
/// Both `write` methods may be called on a request's thread, so they must not block.
pub trait RecordSink: Send + Sync {
    /// Writes a record.
    fn write(&self, record: &Record);

    /// Writes the record of a response.
    fn write_response(&self, response: &ResponseRecord<'_>);

    /// Delivers everything queued; returns the losses: everything not delivered by the deadline.
    fn flush(&self, deadline: Instant) -> Losses;

    /// Applies the effective policy. Called at start, and after each change.
    fn apply(&self, snapshot: &Arc<Snapshot>) {
        let _ = snapshot;
    }

    /// What the sink has done since the start of the process, if it counts that.
    fn counts(&self) -> Option<SinkCounts> {
        None
    }
}

/// A sink for events. It receives those that the destination table sends to Sentry.
pub trait EventSink: Send + Sync {
    /// Creates the sink's scope for a new request, if it uses scopes.
    fn begin_request(&self) -> Option<SinkScope> {
        None
    }

    /// Calls `f` inside the scope of a request. Called for each poll of the request's future, so it must be cheap. It must call
    /// `f` exactly once.
    fn enter(&self, scope: &SinkScope, f: &mut dyn FnMut()) {
        let _ = scope;
        f();
    }

    /// The state of this sink's scope at the capture of an event, which [`Self::send`] receives later: changes after the capture
    /// do not affect the event. Called on the capturing thread. `request` is the scope for the event's request.
    fn capture_scope(&self, request: Option<&SinkScope>) -> Option<SinkScope> {
        request.cloned()
    }

    /// Called when the response of a request begins. By then its route and its blueprint are known.
    fn begin_response(&self, scope: &SinkScope, request: &RequestIdentity, status: u16) {
        let _ = (scope, request, status);
    }

    /// Called when the response of a request has ended, or its client has left.
    fn end_request(&self, scope: &SinkScope, request: &RequestIdentity, end: &RequestEnd) {
        let _ = (scope, request, end);
    }

    /// The span that this sink records for a request at this time, if any. At the start of the request, the request takes over its
    /// ids.
    fn active_span(&self, scope: &SinkScope) -> Option<ActiveSpan> {
        let _ = scope;
        None
    }

    /// Delivers or queues an event. Usually called on the thread that resolves stack traces; on the reporting thread if the
    /// queue of the resolving thread is full or closed, so it must not block for long. `scope` is the one that
    /// [`Self::capture_scope`] returned.
    fn send(&self, event: &Event, scope: Option<&SinkScope>);

    /// Sends or queues a log line that the destination table sends to Sentry's Logs; it is redacted. Called on the logging
    /// thread, so it must not block.
    fn log(&self, record: &Record) {
        let _ = record;
    }

    /// Called instead of [`Self::send`] for an event that the service's hook holds back.
    fn held_back(&self) {}

    /// Called instead of [`Self::send`] for an event that sampling drops.
    fn sampled_out(&self) {}

    /// Delivers everything queued; returns the losses: the events that the sink has not delivered and has not reported itself. A
    /// record of loss counts them. Called once, at shutdown, before the record sinks are flushed.
    fn flush(&self, deadline: Instant) -> Losses;

    /// Applies the effective policy: while [`Snapshot::event_sinks_active`] is false, the sink must not send queued events. Called at
    /// start, and after each change.
    fn apply(&self, snapshot: &Arc<Snapshot>) {
        let _ = snapshot;
    }

    /// Stores the record sinks' losses at shutdown, to report them at the next start. Called after `flush`.
    fn store_losses(&self, losses: &Losses) {
        let _ = losses;
    }

    /// What the sink has done since the start of the process, if it counts that. May read from disk.
    fn counts(&self) -> Option<SinkCounts> {
        None
    }
}

/// A sink's scope for a request.
pub type SinkScope = Arc<dyn Any + Send + Sync>;

/// The sinks of a process.
#[derive(Clone, Default)]
pub struct Sinks {
    pub(crate) records: Vec<Arc<dyn RecordSink>>,
    pub(crate) events: Vec<Arc<dyn EventSink>>,
}

impl Sinks {
    /// No sink.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a record sink.
    #[must_use]
    pub fn record(mut self, sink: Arc<dyn RecordSink>) -> Self {
        self.records.push(sink);
        self
    }

    /// Adds an event sink.
    #[must_use]
    pub fn event(mut self, sink: Arc<dyn EventSink>) -> Self {
        self.events.push(sink);
        self
    }
}

impl Sinks {
    /// Writes a record to each record sink.
    pub(crate) fn write(&self, record: &Record) {
        self.records.iter().for_each(|sink| sink.write(record));
    }

    /// Writes the record of a response to each record sink.
    pub(crate) fn write_response(&self, response: &ResponseRecord<'_>) {
        self.records.iter().for_each(|sink| sink.write_response(response));
    }

    /// Flushes the event sinks; returns the events that they have lost without a report of their own.
    pub(crate) fn flush_events(&self, deadline: Instant) -> Losses {
        let mut losses = Losses::none();
        self.events.iter().for_each(|sink| losses.add(sink.flush(deadline)));
        losses
    }

    /// Flushes the record sinks; returns the records that they have lost.
    pub(crate) fn flush_records(&self, deadline: Instant) -> Losses {
        let mut losses = Losses::none();
        self.records.iter().for_each(|sink| losses.add(sink.flush(deadline)));
        losses
    }

    /// Applies the effective policy to all sinks.
    pub(crate) fn apply(&self, snapshot: &Arc<Snapshot>) {
        self.records.iter().for_each(|sink| sink.apply(snapshot));
        self.events.iter().for_each(|sink| sink.apply(snapshot));
    }
}
