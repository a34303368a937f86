//! The Sentry sink.

use std::sync::Arc;
use std::time::Instant;

use cyanotype_telemetry::effective::Snapshot;
use cyanotype_telemetry::record::{Event, Record};
use cyanotype_telemetry::request::{ActiveSpan, RequestEnd, RequestIdentity};
use cyanotype_telemetry::settings::Env;
use cyanotype_telemetry::{EventSink, Level, Losses, RecordSink, Settings, SinkCounts, SinkScope};
use sentry::protocol::client_report::Reason;
use sentry::{ClientInitGuard, Hub};

use crate::fallback::Fallback;
use crate::gate::{self, Gate};
use crate::items::ItemFilter;
use crate::logs::Logs;
use crate::options::options;
use crate::queue::Queue;
use crate::scrub::Scrubber;
use crate::sessions::Sessions;
use crate::transaction::TracedRequest;
use crate::{direct, event, grouping, source_context, transport};

/// Sends events to Sentry.
pub struct SentrySink {
    guard: ClientInitGuard,
    fallback: Fallback,
    queue: Arc<Queue>,
    gate: Gate,
    /// The hub of the process, from which the hub of each request is created.
    main: Arc<Hub>,
    /// Whether sentry-actix is installed as middleware and binds the hub of each request.
    transactions: bool,
    /// Whether frames have the source lines around them: in development.
    has_source_context: bool,
    /// With `sentry.sessions`.
    sessions: Option<Arc<Sessions>>,
    /// With `sentry.logs`.
    logs: Option<Arc<Logs>>,
}

impl SentrySink {
    /// Starts the sink. Returns `None` if neither a DSN nor Spotlight is set. Events that can be neither sent nor spooled are written to `lines`.
    ///
    /// This binds the hub of the process, so it must be called before any thread or runtime that could use that hub is started.
    #[must_use]
    pub fn start(settings: &Settings, lines: Arc<dyn RecordSink>) -> Option<Self> {
        let items = Arc::new(ItemFilter::new(Scrubber::new(settings)));
        let fallback = Fallback::from_settings(settings, lines);
        let queue = Arc::new(Queue::new(transport::QUEUE_BYTES));
        let connection = transport::Connection::from_settings(settings);
        let factory = transport::Factory::new(Arc::clone(&queue), fallback.clone(), items, connection);
        let gate = Gate::default();
        let guard = sentry::init(options(settings, gate.clone())?.transport(factory));
        let transactions = settings.sentry.has_transactions();
        // Must precede the creation of other hubs from this one.
        sentry::configure_scope(|scope| {
            scope.add_event_processor(move |event| Some(direct::with_request(event)));
        });
        let has_source_context = settings.env == Env::Dev;
        let sessions = Hub::main().client().filter(|_| settings.sentry.sessions).map(Sessions::start);
        let client = Hub::main().client().filter(|_| settings.sentry.logs);
        let logs = client.map(|client| Logs::start(settings.sentry.server_name(), client, fallback.clone()));
        Some(Self { guard, fallback, queue, gate, main: Hub::main(), transactions, has_source_context, sessions, logs })
    }
}

impl EventSink for SentrySink {
    fn begin_request(&self) -> Option<SinkScope> {
        // A request that arrived just before a change of the mode has not passed sentry-actix, and has no hub of its own yet.
        match self.transactions.then(TracedRequest::current).flatten() {
            Some(traced) => Some(Arc::new(traced)),
            None => Some(Arc::new(Hub::new_from_top(&self.main))),
        }
    }

    /// Binds the request's hub, so that direct calls of the SDK use it.
    fn enter(&self, scope: &SinkScope, f: &mut dyn FnMut()) {
        match hub(scope) {
            Some(hub) => Hub::run(hub, f),
            None => f(),
        }
    }

    fn begin_response(&self, scope: &SinkScope, request: &RequestIdentity, status: u16) {
        if let Some(traced) = scope.downcast_ref::<TracedRequest>() {
            traced.describe(request, Some(status));
        }
    }

    fn end_request(&self, scope: &SinkScope, request: &RequestIdentity, end: &RequestEnd) {
        if let Some(traced) = scope.downcast_ref::<TracedRequest>().filter(|_| end.status.is_none()) {
            traced.cancel(request);
        }
        if let Some(sessions) = &self.sessions {
            sessions.count(end);
        }
    }

    fn active_span(&self, scope: &SinkScope) -> Option<ActiveSpan> {
        scope.downcast_ref::<TracedRequest>()?.active_span()
    }

    /// A copy of the current hub's scope, such as that of `sentry::with_scope`. Hubs share their scopes until one of them changes.
    fn capture_scope(&self, request: Option<&SinkScope>) -> Option<SinkScope> {
        let client = self.main.client();
        let has_our_client =
            |hub: &Arc<Hub>| hub.client().as_ref().map(Arc::as_ptr) == client.as_ref().map(Arc::as_ptr);
        let current = Some(Hub::current()).filter(has_our_client);
        let hub = current.or_else(|| hub(request?)).unwrap_or_else(|| Arc::clone(&self.main));
        Some(Arc::new(Hub::new_from_top(hub)))
    }

    fn send(&self, event: &Event, scope: Option<&SinkScope>) {
        let hub = Hub::new_from_top(scope.and_then(hub).unwrap_or_else(Hub::main));
        let fingerprint = grouping::fingerprint(event);
        // After the SDK has added the fingerprint of its scope.
        hub.configure_scope(|scope| scope.add_event_processor(move |event| Some(fingerprint.add_to(event))));
        let mut event = event::build(event);
        if self.has_source_context {
            source_context::add_to(&mut event);
        }
        gate::send_own_event(|| _ = hub.capture_event(event));
    }

    fn log(&self, record: &Record) {
        if let Some(logs) = &self.logs {
            logs.add(record);
        }
    }

    fn held_back(&self) {
        self.fallback.reports.discard_events(1, Reason::BeforeSend);
    }

    fn sampled_out(&self) {
        self.fallback.reports.discard_events(1, Reason::SampleRate);
    }

    /// Spools events that are not sent by the deadline, or writes them as lines, so that no loss is left to report.
    fn flush(&self, deadline: Instant) -> Losses {
        self.sessions.iter().for_each(|sessions| sessions.close());
        self.logs.iter().for_each(|logs| logs.close());
        self.guard.close(Some(deadline.saturating_duration_since(Instant::now())));
        Losses::none()
    }

    fn apply(&self, snapshot: &Arc<Snapshot>) {
        self.gate.apply(snapshot);
        self.fallback.apply(snapshot);
        // Last, so that resumed deliveries already use the new policy.
        self.queue.set_paused(!snapshot.event_sinks_active());
    }

    fn counts(&self) -> Option<SinkCounts> {
        let (queue_bytes, queue_records) = self.queue.size();
        Some(SinkCounts { queue_bytes, queue_records, ..self.fallback.sink_counts() })
    }

    fn store_losses(&self, losses: &Losses) {
        let event = sentry::protocol::Event {
            message: Some("records not written to stderr before shutdown".into()),
            level: event::level(Level::Warning, false),
            logger: Some("cyanotype::stderr".into()),
            extra: [("total".to_owned(), losses.total().into()), ("dropped".to_owned(), losses.to_json().into())]
                .into(),
            ..Default::default()
        };
        self.fallback.spool_last(&event.into());
    }
}

fn hub(scope: &SinkScope) -> Option<Arc<Hub>> {
    let traced = |scope: SinkScope| scope.downcast_ref().map(|traced: &TracedRequest| Arc::clone(&traced.hub));
    Arc::clone(scope).downcast().map_or_else(traced, Some)
}

impl std::fmt::Debug for SentrySink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SentrySink")
    }
}
