//! Logger lines: what `tracing`'s macros say (and the `log` crate's) becomes records.

use std::error::Error;
use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::effective::is_in_module;
use crate::failure::Failure;
use crate::level::Level;
use crate::mute::is_muted;
use crate::pipeline::Pipeline;
use crate::policy::Kind;
use crate::report::Report;
use crate::stack::Stack;

/// What [`critical!`](crate::critical) marks its events with.
const CRITICAL_MARK: &str = "cyanotype.critical";

/// Makes the pipeline what `tracing` and `log` speak to. The first call of a process wins.
pub(crate) fn install(pipeline: &'static Pipeline) {
    let registry = tracing_subscriber::registry().with(Lines { pipeline });
    // Both fail only when they are already set, which the first call did.
    let _ = tracing_log::LogTracer::init();
    let _ = tracing::subscriber::set_global_default(registry);
}

/// The name of a request's root span; logger lines show the spans inside it.
pub const ROOT_SPAN: &str = "request";

/// Libraries that say in lines what requests report anyway, or show the values of statements: passwords' hashes among them.
/// No setting lets them through.
const MUTE: [&str; 2] = ["deadpool.postgres", "tokio_postgres"];

struct Lines {
    pipeline: &'static Pipeline,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    /// Called again whenever the filter changes, so that a disabled line costs one comparison.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.passes(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.passes(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.pipeline.filter().tracing_filter())
    }

    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        // Whether an error is critical is known only from its mark, so errors are let through here.
        let metadata = event.metadata();
        let level = Level::from(*metadata.level());
        !is_muted() && (level >= Level::Error || self.pipeline.wants_line(level, metadata.target()))
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let normalized = event.normalized_metadata();
        let metadata: &Metadata<'_> = normalized.as_ref().unwrap_or_else(|| event.metadata());
        // Only now is the target of a line known that came by way of the crate `log`.
        if MUTE.iter().any(|module| is_in_module(metadata.target(), module)) {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = if fields.critical { Some(Level::Critical) } else { level_of(metadata, &fields.message) };
        let Some(level) = level else { return };
        self.pipeline.report(Report {
            span: spans(event, &context),
            failure: fields.failure,
            data: fields.map,
            ..Report::new(Kind::Line, level, metadata.target(), fields.message)
        });
    }
}

impl Lines {
    fn passes(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.pipeline.filter().tracing_filter()
    }
}

/// The spans that a line was said in, outermost first, but for the request's own.
fn spans<S: Subscriber + for<'a> LookupSpan<'a>>(event: &Event<'_>, context: &Context<'_, S>) -> Option<String> {
    let names = context.event_scope(event)?.from_root().map(|span| span.name()).filter(|name| *name != ROOT_SPAN);
    let names: Vec<&str> = names.collect();
    (!names.is_empty()).then(|| names.join(":"))
}

/// actix-http says at error what becomes of connections, clients that left included. A body's stream that failed has been
/// reported by the response log: nothing more is said of it. The rest is routine.
fn level_of(metadata: &Metadata<'_>, message: &str) -> Option<Level> {
    match Level::from(*metadata.level()) {
        Level::Error if metadata.target().starts_with("actix_http") => {
            (!message.starts_with("Response payload stream error")).then_some(Level::Debug)
        }
        level => Some(level),
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    map: Map<String, Value>,
    failure: Option<Failure>,
    critical: bool,
}

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        // The `log` bridge's own fields are the metadata that was already read.
        if !field.name().starts_with("log.") {
            self.map.insert(field.name().to_owned(), value.into());
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.put(field, format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = value.to_owned();
        } else {
            self.put(field, value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, value.to_string());
        self.failure.get_or_insert_with(|| Failure::new(value, Some(Stack::capture().into())));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == CRITICAL_MARK {
            self.critical = value;
        } else {
            self.put(field, value);
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
}
