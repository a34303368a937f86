//! The sink.

use std::sync::Arc;
use std::time::Instant;

use cyanotype_telemetry::record::Event;
use cyanotype_telemetry::{EventSink, Level, LineSink, Losses, Scope, Settings, sampling};
use sentry::{ClientInitGuard, Hub};

use crate::fallback::Fallback;
use crate::options::options;
use crate::{event, transport};

/// Sends events to Sentry.
pub struct Sentry {
    guard: ClientInitGuard,
    fallback: Fallback,
    sample_rate: f64,
    /// The process's own hub, which the hub of each request begins as.
    main: Arc<Hub>,
    /// Whether sentry-actix is in the way of each request, and binds its hub.
    transactions: bool,
}

impl Sentry {
    /// Binds the process's hub, so it must be called before any thread or runtime that could touch that. `None` when no DSN is
    /// set. What neither reaches Sentry nor the spool is written to `lines`.
    #[must_use]
    pub fn start(settings: &Settings, lines: Arc<dyn LineSink>) -> Option<Self> {
        let redactor = Arc::new(settings.log.redactor());
        let fallback = Fallback::of(settings, lines);
        let factory = transport::Factory::new(fallback.clone(), Arc::clone(&redactor));
        let guard = sentry::init(options(settings, redactor)?.transport(factory));
        let transactions = settings.sentry.has_transactions();
        // Before any other hub is made of this one.
        sentry::configure_scope(|scope| {
            scope.add_event_processor(move |event| Some(event::in_request(event, transactions)));
        });
        Some(Self { guard, fallback, sample_rate: settings.sentry.sample_rate, main: Hub::main(), transactions })
    }
}

impl EventSink for Sentry {
    fn accepts(&self) -> bool {
        sampling::draws(self.sample_rate)
    }

    fn begin_request(&self) -> Option<Scope> {
        Some(if self.transactions { Hub::current() } else { Arc::new(Hub::new_from_top(&self.main)) })
    }

    /// Direct calls of the SDK go to the request's hub.
    fn enter(&self, scope: &Scope, f: &mut dyn FnMut()) {
        match hub(scope) {
            Some(hub) => Hub::run(hub, f),
            None => f(),
        }
    }

    /// The transaction that sentry-actix has begun.
    fn trace_header(&self, scope: &Scope) -> Option<String> {
        let span = hub(scope).filter(|_| self.transactions)?.configure_scope(|scope| scope.get_span())?;
        span.iter_headers().find(|(name, _)| *name == "sentry-trace").map(|(_, value)| value)
    }

    fn send(&self, event: &Event, scope: Option<&Scope>) {
        scope.and_then(hub).unwrap_or_else(Hub::main).capture_event(event::build(event));
    }

    /// What is not sent until the deadline is spooled, or written as a line.
    fn flush(&self, deadline: Instant) -> Losses {
        self.guard.close(Some(deadline.saturating_duration_since(Instant::now())));
        Losses::none()
    }

    fn store_losses(&self, losses: &Losses) {
        let event = sentry::protocol::Event {
            message: Some("records did not reach stderr before the stop".into()),
            level: event::level(Level::Warning, false),
            logger: Some("cyanotype::stderr".into()),
            extra: [("total".to_owned(), losses.total().into()), ("dropped".to_owned(), losses.to_json().into())]
                .into(),
            ..Default::default()
        };
        self.fallback.spool_last(&event.into());
    }
}

fn hub(scope: &Scope) -> Option<Arc<Hub>> {
    Arc::clone(scope).downcast().ok()
}

impl std::fmt::Debug for Sentry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sentry")
    }
}
