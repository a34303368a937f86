//! Our event as Sentry's protocol has it.

use std::collections::BTreeMap;

use sentry::protocol::{
    Breadcrumb, Context, Event as SentryEvent, Exception, Frame as SentryFrame, Map, Mechanism, Stacktrace,
    TraceContext,
};

use crate::failure::Failure;
use crate::record::{Crumb, Event, Level};
use crate::request::RequestContext;
use crate::stack::{Frame, Stack};

pub(super) fn build(event: Event) -> SentryEvent<'static> {
    let panic = event.failure.as_ref().is_some_and(|failure| failure.panic);
    let mut built = SentryEvent {
        event_id: event.id.uuid(),
        level: level(event.level, panic),
        timestamp: event.at.into(),
        logger: Some(event.target),
        message: event.message,
        extra: event.data.into_iter().collect(),
        breadcrumbs: event.crumbs.into_iter().map(breadcrumb).collect::<Vec<_>>().into(),
        ..Default::default()
    };
    if let Some(failure) = &event.failure {
        built.exception = exceptions(failure, event.unhandled).into();
    }
    if let Some(request) = &event.request {
        built.tags = tags(request);
        built.transaction = request.transaction();
        built.contexts = trace(request).into_iter().map(|context| ("trace".to_owned(), context)).collect();
    }
    built
}

pub(super) fn level(level: Level, panic: bool) -> sentry::Level {
    match level {
        _ if panic => sentry::Level::Fatal,
        Level::Trace | Level::Debug => sentry::Level::Debug,
        Level::Info => sentry::Level::Info,
        Level::Warning => sentry::Level::Warning,
        Level::Error => sentry::Level::Error,
        Level::Critical => sentry::Level::Fatal,
    }
}

fn breadcrumb(crumb: Crumb) -> Breadcrumb {
    Breadcrumb {
        timestamp: crumb.at.into(),
        ty: if crumb.category == "response" { "http".into() } else { "default".into() },
        category: Some(crumb.category),
        level: level(crumb.level, false),
        message: Some(crumb.message),
        data: crumb.data.into_iter().collect(),
    }
}

/// Sentry wants the innermost cause first, and the error itself, with the stack, last.
fn exceptions(failure: &Failure, unhandled: bool) -> Vec<Exception> {
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

/// Sentry wants the outermost call first.
fn stacktrace(stack: &Stack) -> Option<Stacktrace> {
    let frame = |frame: &Frame| SentryFrame {
        function: Some(frame.function.clone()),
        filename: frame.file.as_ref().and_then(|file| file.rsplit('/').next().map(str::to_owned)),
        abs_path: frame.file.clone(),
        lineno: frame.line.map(u64::from),
        in_app: Some(frame.own),
        ..Default::default()
    };
    let frames: Vec<SentryFrame> = stack.frames().iter().rev().map(frame).collect();
    (!frames.is_empty()).then(|| Stacktrace { frames, ..Default::default() })
}

fn tags(request: &RequestContext) -> Map<String, String> {
    let mut tags = BTreeMap::from([("request_id".to_owned(), request.id.clone())]);
    if let Some(blueprint) = request.blueprint() {
        tags.insert("blueprint".to_owned(), blueprint.to_owned());
    }
    tags
}

fn trace(request: &RequestContext) -> Option<Context> {
    let trace_id = request.trace_id.parse().ok()?;
    Some(TraceContext { trace_id, ..Default::default() }.into())
}
