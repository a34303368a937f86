//! The `tracing` subscriber: events of `tracing` and of the `log` crate become records.

use std::error::Error;
use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::effective::is_in_module;
use crate::failure::Failure;
use crate::level::Level;
use crate::mute::is_muted;
use crate::pipeline::Pipeline;
use crate::policy::Kind;
use crate::record::{CodeLocation, Spans};
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

/// The error of `accept` on a socket that was shut down.
const CLOSED_SOCKET: &str = "Error accepting connection: Invalid argument (os error 22)";

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

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().name() != ROOT_SPAN {
            add_fields(context.span(id), |values| attributes.record(values));
        }
    }

    fn on_record(&self, id: &Id, record: &SpanRecord<'_>, context: Context<'_, S>) {
        let span = context.span(id).filter(|span| span.name() != ROOT_SPAN);
        add_fields(span, |values| record.record(values));
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
        let location = match &normalized {
            Some(metadata) => CodeLocation::of_log(metadata),
            None => CodeLocation::of(event.metadata()),
        };
        self.pipeline.report(Report {
            spans: spans_of(event, &context),
            location,
            failure: fields.failure,
            data: fields.values.0,
            ..Report::new(Kind::Line, level, metadata.target(), fields.message)
        });
    }
}

impl LineLayer {
    fn is_enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.pipeline.filter_level().tracing_filter()
    }
}

/// The fields of a span, stored with it.
#[derive(Default)]
struct Values(Map<String, Value>);

fn add_fields<'a, S: LookupSpan<'a>>(span: Option<SpanRef<'a, S>>, record: impl FnOnce(&mut Values)) {
    let mut values = Values::default();
    record(&mut values);
    if let Some(span) = span.filter(|_| !values.0.is_empty()) {
        let mut stored = span.extensions_mut();
        match stored.get_mut::<Values>() {
            Some(before) => before.0.extend(values.0),
            None => stored.insert(values),
        }
    }
}

/// The spans around a line, without the request's root span.
fn spans_of<S: Subscriber + for<'a> LookupSpan<'a>>(event: &Event<'_>, context: &Context<'_, S>) -> Option<Spans> {
    let mut spans: Option<Spans> = None;
    for span in context.event_scope(event)?.from_root().filter(|span| span.name() != ROOT_SPAN) {
        match &mut spans {
            Some(spans) => spans.names = format!("{}:{}", spans.names, span.name()),
            None => spans = Some(span.name().into()),
        }
        if let (Some(spans), Some(values)) = (&mut spans, span.extensions().get::<Values>()) {
            spans.fields.extend(values.0.clone());
        }
    }
    spans
}

/// The level of an event. actix-http logs connection errors at level error, even client disconnects: they are debug lines. A
/// failed response stream is not logged again, because the response log has reported it. At a stop, sockets are closed before
/// actix-server pauses; that it cannot accept on them is no error.
fn level_of(metadata: &Metadata<'_>, message: &str) -> Option<Level> {
    match Level::from(*metadata.level()) {
        Level::Error if metadata.target().starts_with("actix_http") => {
            (!message.starts_with("Response payload stream error")).then_some(Level::Debug)
        }
        Level::Error if metadata.target().starts_with("actix_server") && message.ends_with(CLOSED_SOCKET) => {
            Some(Level::Debug)
        }
        level => Some(level),
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    values: Values,
    failure: Option<Failure>,
    critical: bool,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.values.record_debug(field, value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = value.to_owned();
        } else {
            self.values.record_str(field, value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.values.record_error(field, value);
        self.failure.get_or_insert_with(|| Failure::new(value, Some(Stack::capture().into())));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == CRITICAL_FIELD {
            self.critical = value;
        } else {
            self.values.record_bool(field, value);
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.values.record_i64(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.values.record_u64(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.values.record_f64(field, value);
    }
}

impl Values {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        // The fields `log.*` of the `log` bridge repeat the metadata.
        if !field.name().starts_with("log.") {
            self.0.insert(field.name().to_owned(), value.into());
        }
    }
}

impl Visit for Values {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.insert(field, value.to_string());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::fixture::pipeline;

    #[tracing::instrument(skip_all, fields(order, api_key = "t0psecret"))]
    fn import(rows: u64) {
        tracing::Span::current().record("order", 17);
        let _row = tracing::info_span!("row", rows, kind = %"new").entered();
        tracing::error!(left = 3, "no stock");
    }

    #[test]
    fn records_and_events_have_the_fields_of_their_spans() {
        let service = pipeline(&[]);
        let subscriber = tracing_subscriber::registry().with(LineLayer { pipeline: service.pipeline });
        tracing::subscriber::with_default(subscriber, || {
            let _root = tracing::info_span!("request", http.method = "GET").entered();
            import(2);
            tracing::error!("no spans");
        });
        let (lines, events) = service.taken();
        let fields = serde_json::json!({"order": 17, "api_key": "[redacted]", "rows": 2, "kind": "new"});
        for shown in [&lines[0], &events[0]] {
            assert_eq!((shown["span"].as_str(), &shown["span_fields"]), (Some("import:row"), &fields));
        }
        assert_eq!(lines[0]["fields"], serde_json::json!({"left": 3}));
        assert_eq!((lines[1].get("span"), lines[1].get("span_fields")), (None, None));
        let location = &events[0]["location"];
        assert_eq!(location["module"], "cyanotype_telemetry::subscriber::tests");
        assert!(location["file"].as_str().is_some_and(|file| file.ends_with("subscriber.rs")), "{location}");
        assert!(location["line"].is_u64(), "{location}");
    }
}
