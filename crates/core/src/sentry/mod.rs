//! The sink that is Sentry: the SDK's client and scopes, events built here, and a transport of our own.

mod courier;
#[cfg(test)]
mod delivery_tests;
mod endpoint;
mod event;
#[cfg(test)]
mod fake_endpoint;
#[cfg(any(test, feature = "test"))]
mod kept;
mod scrub;
mod spool;
#[cfg(test)]
mod test_support;
mod transport;

use std::sync::Arc;
use std::time::Instant;

use courier::Keeper;
use cyanotype_redact::Redactor;
use futures_util::future::Either;
use sentry::{ClientInitGuard, ClientOptions, Hub, MaxRequestBodySize, SentryFutureExt, TransactionOrSpan};
use uuid::Uuid;

use crate::record::{Event, EventId, Kind, Level};
use crate::sampling;
use crate::settings::Settings;
use crate::stderr;

pub(crate) struct Sink {
    guard: ClientInitGuard,
    keeper: Keeper,
    sample_rate: f64,
    /// The process's own, which the hub of each request begins as.
    main: Arc<Hub>,
    /// Whether sentry-actix is in the way of each request, and binds its hub.
    transactions: bool,
}

impl Sink {
    /// Binds the process's hub, so it must be called before any thread or runtime that could touch it. `None` when the DSN
    /// is none that the SDK can read.
    pub fn start(settings: &Settings, stderr: Arc<stderr::Sink>, redactor: Arc<Redactor>) -> Option<Self> {
        let options = options(settings, Arc::clone(&redactor))?;
        let keeper = Keeper::of(settings, stderr);
        let options = options.transport(transport::Factory::new(keeper.clone(), redactor));
        Some(Self::begin(options, keeper, settings))
    }

    /// The same, but for the way out.
    #[cfg(any(test, feature = "test"))]
    pub fn kept(
        settings: &Settings,
        stderr: Arc<stderr::Sink>,
        redactor: Arc<Redactor>,
        kept: crate::test::Kept,
    ) -> Option<Self> {
        let options = options(settings, redactor)?.transport(kept::Factory(kept));
        let keeper = Keeper::of(settings, stderr);
        Some(Self::begin(options, keeper, settings))
    }

    fn begin(options: ClientOptions, keeper: Keeper, settings: &Settings) -> Self {
        let guard = sentry::init(options);
        // Before any other hub is made of this one.
        sentry::configure_scope(|scope| scope.add_event_processor(|event| Some(event::in_request(event))));
        Self {
            guard,
            keeper,
            sample_rate: settings.sentry.sample_rate,
            main: Hub::current(),
            transactions: settings.sentry.has_transactions(),
        }
    }

    /// The hub for a request that has just come.
    pub fn hub(&self) -> RequestHub {
        let hub = if self.transactions { Hub::current() } else { Arc::new(Hub::new_from_top(&self.main)) };
        RequestHub { hub: Some(hub), has_transaction: self.transactions }
    }

    /// Decides on the sample rate, before an id is promised.
    pub fn takes_event(&self) -> bool {
        sampling::draws(self.sample_rate)
    }

    /// Builds the event, its stack resolved, and queues it. Takes its time: not for a request's thread.
    pub fn send(&self, event: Event) {
        let hub = event.request.as_ref().and_then(|request| request.hub.hub.clone());
        hub.unwrap_or_else(|| Arc::clone(&self.main)).capture_event(event::build(event));
    }

    /// Sends what is queued, at most until the deadline; the rest is written to stderr.
    pub fn finish(&self, deadline: Instant) {
        self.guard.close(Some(deadline.saturating_duration_since(Instant::now())));
    }

    /// Keeps for the next start what did not reach stderr before the stop, by kind; after [`Self::finish`].
    pub fn keep_losses(&self, losses: &[(Kind, u64)]) {
        let total: u64 = losses.iter().map(|(_, count)| count).sum();
        let dropped: serde_json::Map<_, _> =
            losses.iter().map(|(kind, count)| (kind.as_str().to_owned(), (*count).into())).collect();
        let event = sentry::protocol::Event {
            message: Some("records did not reach stderr before the stop".into()),
            level: event::level(Level::Warning, false),
            logger: Some("cyanotype::stderr".into()),
            extra: [("total".to_owned(), total.into()), ("dropped".to_owned(), dropped.into())].into(),
            ..Default::default()
        };
        self.keeper.keep_last(&event.into());
    }
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("sample_rate", &self.sample_rate).finish_non_exhaustive()
    }
}

fn options(settings: &Settings, redactor: Arc<Redactor>) -> Option<ClientOptions> {
    let traces_sample_rate = settings.sentry.traces_sample_rate;
    let dsn: sentry::types::Dsn = settings.sentry.dsn.as_deref()?.parse().ok()?;
    let environment = settings.sentry.environment.clone().unwrap_or_else(|| settings.env.as_str().to_owned());
    let mut options = ClientOptions::new()
        .dsn(&dsn.to_string())
        .environment(environment)
        // The share is ours to choose: a caller's `sentry-trace` header must not make us send every one of its requests.
        .traces_sampler(move |_| traces_sample_rate)
        .max_breadcrumbs(settings.sentry.max_breadcrumbs)
        // Request bodies hold passwords; ours to record, if asked.
        .max_request_body_size(MaxRequestBodySize::None)
        .send_default_pii(false)
        // The last gate: also for what code says to the SDK directly.
        .before_send(move |event| Some(scrub::event(&redactor, event)));
    if let Some(release) = &settings.sentry.release {
        options = options.release(release.clone());
    }
    Some(options)
}

/// The SDK's hub of one request, so that direct calls of the SDK stay in their request too. None where there is no Sentry.
#[derive(Clone, Default)]
pub(crate) struct RequestHub {
    hub: Option<Arc<Hub>>,
    /// Whether sentry-actix has bound it, and has begun a transaction.
    pub has_transaction: bool,
}

impl RequestHub {
    /// The transaction that sentry-actix has begun, if it has.
    fn span(&self) -> Option<TransactionOrSpan> {
        self.hub.as_ref().filter(|_| self.has_transaction)?.configure_scope(|scope| scope.get_span())
    }

    /// Its trace.
    pub fn trace_id(&self) -> Option<Uuid> {
        self.span().and_then(|span| span.get_trace_context().trace_id.to_string().parse().ok())
    }

    /// What it tells those who are asked on the way: `TRACE-SPAN-SAMPLED`.
    pub fn sentry_trace(&self) -> Option<String> {
        self.span()?.iter_headers().find(|(name, _)| *name == "sentry-trace").map(|(_, value)| value)
    }

    /// Has the SDK's direct calls of a future speak to this hub.
    pub fn bind<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        match &self.hub {
            Some(hub) => Either::Left(future.bind_hub(Arc::clone(hub))),
            None => Either::Right(future),
        }
    }

    /// The same for a closure.
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        match &self.hub {
            Some(hub) => Hub::run(Arc::clone(hub), f),
            None => f(),
        }
    }
}

impl std::fmt::Debug for RequestHub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RequestHub")
    }
}

/// Sends one event at once and waits for Sentry's answer; what `app sentry test` does.
///
/// # Errors
/// In a sentence why it did not arrive.
pub fn send_test_event(settings: &Settings) -> Result<EventId, String> {
    if settings.sentry.dsn.is_none() {
        return Err("no DSN is set: set SENTRY_DSN".into());
    }
    let redactor = Arc::new(Redactor::new(&settings.log.response.redact, settings.log.redact));
    let options = options(settings, redactor).ok_or("the DSN cannot be read")?;
    let dsn = options.dsn.clone().ok_or("no DSN is set: set SENTRY_DSN")?;
    let id = EventId::random();
    let event = sentry::protocol::Event {
        event_id: id.uuid(),
        message: Some("A test event: this service can reach Sentry".into()),
        level: event::level(Level::Info, false),
        release: options.release.clone(),
        environment: options.environment.clone(),
        ..Default::default()
    };
    transport::send_now(&dsn, &options.user_agent, event).map(|()| id)
}
