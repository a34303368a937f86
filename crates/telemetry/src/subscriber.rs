//! The `tracing` subscriber: events of `tracing` and of the `log` crate become records.

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

/// The field with which [`critical!`](crate::critical) marks its events.
const CRITICAL_FIELD: &str = "cyanotype.critical";

/// Installs the pipeline as the subscriber of `tracing` and `log`, unless one is installed.
pub(crate) fn install(pipeline: &'static Pipeline) {
    let registry = tracing_subscriber::registry().with(LineLayer { pipeline });
    // Both fail only if a subscriber or logger is already installed.
    let _ = tracing_log::LogTracer::init();
    let _ = tracing::subscriber::set_global_default(registry);
}

/// The name of a request's root span. Log lines show only the spans inside it.
pub const ROOT_SPAN: &str = "request";

/// Libraries that log what requests report anyway, or the parameters of statements, such as password hashes. No setting
/// enables them.
const MUTED_MODULES: [&str; 2] = ["deadpool.postgres", "tokio_postgres"];

struct LineLayer {
    pipeline: &'static Pipeline,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LineLayer {
    /// Called again whenever the filter changes; its result is cached, so that a disabled line costs one comparison.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.is_enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.is_enabled(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.pipeline.filter_level().tracing_filter())
    }

    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        // An error may be marked as critical, which is known only from its fields.
        let metadata = event.metadata();
        let level = Level::from(*metadata.level());
        !is_muted() && (level >= Level::Error || self.pipeline.line_enabled(level, metadata.target()))
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let normalized = event.normalized_metadata();
        let metadata: &Metadata<'_> = normalized.as_ref().unwrap_or_else(|| event.metadata());
        // For events of the `log` crate, the target is known only here.
        if MUTED_MODULES.iter().any(|module| is_in_module(metadata.target(), module)) {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = if fields.critical { Some(Level::Critical) } else { level_of(metadata, &fields.message) };
        let Some(level) = level else { return };
        self.pipeline.report(Report {
            span: span_path(event, &context),
            failure: fields.failure,
            data: fields.map,
            ..Report::new(Kind::Line, level, metadata.target(), fields.message)
        });
    }
}

impl LineLayer {
    fn is_enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.pipeline.filter_level().tracing_filter()
    }
}

/// The names of the spans around a line, outermost first, without the request's root span.
fn span_path<S: Subscriber + for<'a> LookupSpan<'a>>(event: &Event<'_>, context: &Context<'_, S>) -> Option<String> {
    let names = context.event_scope(event)?.from_root().map(|span| span.name()).filter(|name| *name != ROOT_SPAN);
    let names: Vec<&str> = names.collect();
    (!names.is_empty()).then(|| names.join(":"))
}

/// The level of an event. actix-http logs connection errors at level error, even client disconnects: they are debug lines. A
/// failed response stream is not logged again, because the response log has reported it.
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
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        // The fields `log.*` of the `log` bridge repeat the metadata.
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
            self.insert(field, format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = value.to_owned();
        } else {
            self.insert(field, value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.insert(field, value.to_string());
        self.failure.get_or_insert_with(|| Failure::new(value, Some(Stack::capture().into())));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == CRITICAL_FIELD {
            self.critical = value;
        } else {
            self.insert(field, value);
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }
}
