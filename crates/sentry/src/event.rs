//! Conversion of events to Sentry's protocol.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sentry::protocol::{
    Breadcrumb, Context, Event as SentryEvent, Exception, Frame as SentryFrame, IpAddress, Map, Mechanism, Request,
    Stacktrace, TraceContext, TraceId, User, Value,
};

use cyanotype_telemetry::Level;
use cyanotype_telemetry::failure::{Failure, PanicSite};
use cyanotype_telemetry::record::{CodeLocation, Event, EventScope, RecordedBreadcrumb, Spans};
use cyanotype_telemetry::request::{RequestIdentity, RequestParts, SpanId};
use cyanotype_telemetry::stack::{Frame, Stack};

use crate::{debug_meta, grouping};

pub(crate) fn build(event: &Event) -> SentryEvent<'static> {
    let panic = event.failure.as_ref().is_some_and(|failure| failure.panic);
    let mut built = SentryEvent {
        event_id: event.id.uuid(),
        level: level(event.level, panic),
        timestamp: event.at.into(),
        logger: Some(event.target.clone()),
        message: event.message.clone(),
        logentry: event.message.as_deref().map(grouping::log_entry),
        extra: event.data.clone().into_iter().collect(),
        breadcrumbs: event.breadcrumbs.iter().map(breadcrumb).collect::<Vec<_>>().into(),
        ..Default::default()
    };
    if let Some(failure) = &event.failure {
        built.exception = exceptions(failure, event.unhandled).into();
        if let Some(stack) = &failure.stack {
            built.debug_meta = debug_meta::of(stack);
        }
        if let Some(PanicSite { location, thread }) = &failure.panic_site {
            built.extra.insert("exception.location".to_owned(), location.clone().into());
            built.extra.extend(thread.clone().map(|thread| ("thread".to_owned(), thread.into())));
        }
    }
    built.contexts.extend(event.location.as_ref().map(location));
    built.contexts.extend(event.spans.as_ref().map(spans));
    if let Some(scope) = &event.scope {
        add_scope(scope, &mut built);
    }
    if let Some(request) = &event.request {
        built.tags.extend(tags(request));
        built.contexts.insert("trace".to_owned(), trace(request));
        add_request(request, &mut built);
    }
    built
}

/// The context of the stock integration for `tracing`.
fn location(location: &CodeLocation) -> (String, Context) {
    let values = [
        ("file", Some(location.file.as_ref().into())),
        ("line", location.line.map(Value::from)),
        ("module_path", location.module.as_deref().map(Value::from)),
    ];
    let values = values.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    ("Rust Tracing Location".to_owned(), Context::Other(values.collect()))
}

fn spans(spans: &Spans) -> (String, Context) {
    let values = [("names", spans.names.clone().into()), ("fields", spans.fields.clone().into())];
    ("span".to_owned(), Context::Other(values.map(|(key, value)| (key.to_owned(), value)).into()))
}

pub(crate) fn add_request(request: &RequestIdentity, event: &mut SentryEvent<'static>) {
    if event.transaction.is_none() {
        event.transaction = request.transaction();
    }
    event.request.get_or_insert_with(|| parts(&request.parts));
}

/// Adds what code has set, except for what the event already has.
pub(crate) fn add_scope(scope: &EventScope, event: &mut SentryEvent<'static>) {
    for (key, value) in &scope.tags {
        event.tags.entry(key.clone()).or_insert_with(|| text(value));
    }
    for (name, values) in &scope.contexts {
        let values = values.as_object().cloned().unwrap_or_default();
        event.contexts.entry(name.clone()).or_insert_with(|| Context::Other(values.into_iter().collect()));
    }
    if event.user.is_none() && !scope.user.is_empty() {
        event.user = Some(user(scope));
    }
    if event.fingerprint == SentryEvent::default().fingerprint && !scope.fingerprint.is_empty() {
        event.fingerprint = scope.fingerprint.iter().map(|part| Cow::Owned(part.clone())).collect();
    }
}

fn user(scope: &EventScope) -> User {
    let mut user = User::default();
    for (key, value) in &scope.user {
        match key.as_str() {
            "id" => user.id = Some(text(value)),
            "email" => user.email = Some(text(value)),
            "username" => user.username = Some(text(value)),
            "ip_address" => match text(value).parse() {
                Ok(address) => user.ip_address = Some(IpAddress::Exact(address)),
                // A pseudonym, which the protocol's own field does not accept.
                Err(_) => _ = user.other.insert("client.address".into(), value.clone()),
            },
            _ => _ = user.other.insert(key.clone(), value.clone()),
        }
    }
    user
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The request data of events and transactions.
pub(crate) fn parts(parts: &RequestParts) -> Request {
    let headers = parts.headers.iter().filter(|(name, _)| cyanotype_redact::is_header_allowed(name.as_str()));
    Request {
        url: parts.url().parse().ok(),
        method: Some(parts.method.to_string()),
        headers: headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
            .collect(),
        ..Default::default()
    }
}

pub(crate) fn level(level: Level, panic: bool) -> sentry::Level {
    match level {
        _ if panic => sentry::Level::Fatal,
        Level::Trace | Level::Debug => sentry::Level::Debug,
        Level::Info => sentry::Level::Info,
        Level::Warning => sentry::Level::Warning,
        Level::Error => sentry::Level::Error,
        Level::Critical => sentry::Level::Fatal,
    }
}

fn breadcrumb(crumb: &RecordedBreadcrumb) -> Breadcrumb {
    Breadcrumb {
        timestamp: crumb.at.into(),
        ty: if crumb.category == "response" { "http".into() } else { "default".into() },
        category: Some(crumb.category.clone()),
        level: level(crumb.level, false),
        message: Some(crumb.message.clone()),
        data: crumb.data.clone().into_iter().collect(),
    }
}

/// Sentry's order is the innermost cause first; the error itself, with the stack trace, is last.
pub(crate) fn exceptions(failure: &Failure, unhandled: bool) -> Vec<Exception> {
    let causes = failure.chain.iter().skip(1).rev().map(|link| Exception {
        ty: link.type_name.clone(),
        value: Some(link.message.clone()),
        ..Default::default()
    });
    let first = failure.first();
    let mechanism = if failure.panic { "panic" } else { "cyanotype" };
    let error = Exception {
        ty: first.type_name.clone(),
        value: Some(first.message.clone()),
        stacktrace: failure.stack.as_deref().and_then(stacktrace),
        mechanism: Some(Mechanism { ty: mechanism.into(), handled: Some(!unhandled), ..Default::default() }),
        ..Default::default()
    };
    causes.chain([error]).collect()
}

/// Sentry's order is the outermost call first.
fn stacktrace(stack: &Stack) -> Option<Stacktrace> {
    let frame = |frame: &Frame| SentryFrame {
        function: (!frame.is_unnamed).then(|| frame.function.clone()),
        module: frame.module.clone(),
        package: frame.image.map(|image| image.path.clone()),
        instruction_addr: frame.address.map(debug_meta::address),
        image_addr: frame.image.map(|image| debug_meta::address(image.address)),
        filename: frame.file.as_ref().and_then(|file| file.rsplit('/').next().map(str::to_owned)),
        abs_path: frame.file.clone(),
        lineno: frame.line.map(u64::from),
        in_app: Some(frame.in_app),
        ..Default::default()
    };
    let frames: Vec<SentryFrame> = stack.frames().iter().rev().map(frame).collect();
    (!frames.is_empty()).then(|| Stacktrace { frames, ..Default::default() })
}

pub(crate) fn tags(request: &RequestIdentity) -> Map<String, String> {
    let mut tags = BTreeMap::from([("request_id".to_owned(), request.id().to_owned())]);
    if let Some(blueprint) = request.blueprint() {
        tags.insert("blueprint".to_owned(), blueprint.to_owned());
    }
    tags
}

/// The request's own span.
pub(crate) fn trace(request: &RequestIdentity) -> Context {
    let parent_span_id = request.caller_trace().span_id.map(span_id);
    let context = TraceContext {
        trace_id: trace_id(request),
        span_id: span_id(request.span_id()),
        parent_span_id,
        op: Some("http.server".to_owned()),
        ..Default::default()
    };
    context.into()
}

pub(crate) fn trace_id(request: &RequestIdentity) -> TraceId {
    request.trace_id().into_uuid().into_bytes().into()
}

pub(crate) fn span_id(id: SpanId) -> sentry::protocol::SpanId {
    id.to_bytes().into()
}
