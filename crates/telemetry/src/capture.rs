//! Functions that application code calls to report errors, messages and breadcrumbs.

use std::error::Error;
use std::panic::{Location, resume_unwind};
use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::task::JoinHandle;

use crate::capture_site::CaptureSite;
use crate::failure::Failure;
use crate::level::Level;
use crate::panic;
use crate::pipeline::pipeline;
use crate::policy::Kind;
use crate::record::{Breadcrumb, EventId, EventScope, User};
use crate::report::Report;
use crate::request;
use crate::stack::Stack;

/// Reports a caught error as one record on stderr and one event in Sentry, depending on the settings.
///
/// Returns the event's id, or `None` if no event sink accepted it. An error that this request has already reported is not
/// reported again, unless it was captured at another place of the code.
///
/// ```
/// if let Err(error) = "x".parse::<u32>() {
///     cyanotype_telemetry::capture_exception(&error);
/// }
/// ```
#[track_caller]
pub fn capture_exception(error: &(dyn Error + 'static)) -> Option<EventId> {
    capture(error, Location::caller(), None)
}

/// Like [`capture_exception`], with tags, a user, contexts or a fingerprint of this event. Those of the request are set with
/// [`scope`].
///
/// ```
/// if let Err(error) = "x".parse::<u32>() {
///     cyanotype_telemetry::capture_exception_with(&error, |scope| {
///         scope.tag("sku", "A-1").fingerprint(["bad quantity"]);
///     });
/// }
/// ```
#[track_caller]
pub fn capture_exception_with(error: &(dyn Error + 'static), set: impl FnOnce(&mut EventScope)) -> Option<EventId> {
    capture(error, Location::caller(), Some(built(set)))
}

fn capture(
    error: &(dyn Error + 'static),
    site: &'static Location<'static>,
    scope: Option<EventScope>,
) -> Option<EventId> {
    let pipeline = pipeline()?;
    let failure = Failure::new(error, Some(Arc::new(Stack::capture())));
    let report = Report::failure(Kind::Exception, &target(site), failure);
    pipeline.report(Report { capture_site: Some(CaptureSite::Code(site)), scope: scope.map(Arc::new), ..report })
}

fn built(set: impl FnOnce(&mut EventScope)) -> EventScope {
    let mut scope = EventScope::default();
    set(&mut scope);
    scope
}

/// Sets tags, a user, contexts or a fingerprint for the rest of the current request: its later events have them, and its later
/// records on stderr the tags and the user. Values set before remain, unless the same tag, context, user or fingerprint is set
/// again.
///
/// Outside of requests this has no effect.
///
/// ```
/// use cyanotype_telemetry::{User, scope};
/// scope(|scope| {
///     scope.tag("plan", "free").user(User::new("7").email("ada@example.org"));
///     scope.context("cart", [("items", 3)]).fingerprint(["{{ default }}", "free"]);
/// });
/// ```
pub fn scope(set: impl FnOnce(&mut EventScope)) {
    if let Some(pipeline) = pipeline() {
        pipeline.set_scope(built(set));
    }
}

/// Reports a message as an event in Sentry, regardless of its level, and on stderr if its level is at least `log.level`.
///
/// Returns the event's id, or `None` if no event sink accepted it.
///
/// ```
/// use cyanotype_telemetry::{Level, Message, capture_event};
/// capture_event("the stock is low");
/// capture_event(Message::new("the stock is low").level(Level::Warning).data("sku", "A-1").tag("shop", "Paris"));
/// ```
#[doc(alias = "capture_message")]
#[track_caller]
pub fn capture_event(message: impl Into<Message>) -> Option<EventId> {
    let Message { text, level, data, scope } = message.into();
    let report = Report::new(Kind::Message, level, &target(Location::caller()), text);
    let scope = (!scope.is_empty()).then(|| Arc::new(scope));
    pipeline()?.report(Report { data, scope, ..report })
}

/// Adds a breadcrumb: it is sent with later events of the same request, and written to stderr if its level is at least
/// `log.level`.
///
/// Outside a request, a blueprint's start, its stop, and each task of [`spawn`] have breadcrumbs of their own. Elsewhere, such as
/// on a thread without its request, a breadcrumb is not stored for Sentry; that is logged once.
///
/// ```
/// use cyanotype_telemetry::{Breadcrumb, add_breadcrumb};
/// add_breadcrumb("queried the warehouse");
/// add_breadcrumb(Breadcrumb::new("queried the warehouse").category("stock").data("sku", "A-1"));
/// ```
pub fn add_breadcrumb(crumb: impl Into<Breadcrumb>) {
    if let Some(pipeline) = pipeline() {
        pipeline.breadcrumb(crumb.into());
    }
}

/// Spawns a task that inherits the current request: its ids, its breadcrumbs, and the failures that it has
/// reported, so that none is reported twice. Outside a request it has breadcrumbs of its own.
///
/// The task runs on the current thread, so the future need not be `Send`. A panic in it is reported, and returned as the
/// error of the handle.
///
/// # Panics
/// If called outside an actix runtime or a tokio `LocalSet`.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # tokio::task::LocalSet::new().block_on(&runtime, async {
/// let sum = cyanotype_telemetry::spawn(async { 1 + 1 }).await;
/// assert_eq!(sum.unwrap(), 2);
/// # });
/// ```
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let reported = async {
        match panic::catch(future).await {
            Ok(output) => output,
            Err(payload) => resume_unwind(payload),
        }
    };
    match request::current() {
        Some(request) => {
            request.mark_detached();
            tokio::task::spawn_local(request::run_in(request, reported))
        }
        None => tokio::task::spawn_local(request::with_task_breadcrumbs(reported)),
    }
}

/// The record's target: an approximation of the caller's module path, derived from the source file's path.
fn target(caller: &Location<'_>) -> String {
    let file = caller.file().trim_end_matches(".rs");
    let from_crate = file.rfind("crates/").map_or(file, |at| &file[at + "crates/".len()..]);
    let module = from_crate.replace("/src", "").replace('/', "::").replace('-', "_");
    module.trim_end_matches("::lib").trim_end_matches("::mod").to_owned()
}

/// A message to be reported with [`capture_event`].
#[derive(Debug, Clone)]
pub struct Message {
    text: String,
    level: Level,
    data: Map<String, Value>,
    scope: EventScope,
}

impl Message {
    /// Creates a message with level info.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), level: Level::Info, data: Map::new(), scope: EventScope::default() }
    }

    /// Sets the level.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Adds a value. The value of a sensitive key is redacted.
    #[must_use]
    pub fn data(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.data.insert(key.into(), value.into());
        self
    }

    /// Sets a tag of this event. The value of a sensitive key is redacted.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl ToString) -> Self {
        self.scope.tag(key, value);
        self
    }

    /// Sets the user of this event.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.scope.user(user);
        self
    }

    /// Adds an object of further values to this event.
    #[must_use]
    pub fn context<K, V>(mut self, name: impl Into<String>, values: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<String>,
        V: Into<Value>,
    {
        self.scope.context(name, values);
        self
    }

    /// Sets the fingerprint of this event: events with equal fingerprints are grouped.
    #[must_use]
    pub fn fingerprint<P: Into<String>>(mut self, parts: impl IntoIterator<Item = P>) -> Self {
        self.scope.fingerprint(parts);
        self
    }
}

impl<T: Into<String>> From<T> for Message {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// Logs a line at level critical, which is above error. Takes the same arguments as the macros of `tracing`.
///
/// ```
/// let sku = "A-1";
/// cyanotype_telemetry::critical!("the warehouse is gone");
/// cyanotype_telemetry::critical!(sku, left = 0, "sold out: {}", sku);
/// cyanotype_telemetry::critical!(target: "stock", "the warehouse is gone");
/// ```
#[macro_export]
macro_rules! critical {
    (target: $target:expr, $($arguments:tt)+) => {
        $crate::__tracing::event!(
            target: $target, $crate::__tracing::Level::ERROR, cyanotype.critical = true, $($arguments)+
        )
    };
    ($($arguments:tt)+) => {
        $crate::__tracing::event!($crate::__tracing::Level::ERROR, cyanotype.critical = true, $($arguments)+)
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_derived_from_the_source_path() {
        assert_eq!(target(Location::caller()), "telemetry::capture");
    }
}
