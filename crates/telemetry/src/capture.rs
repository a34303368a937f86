//! The helpers that code reports with: failures, messages and breadcrumbs go where the table says.

use std::error::Error;
use std::panic::Location;
use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::level::Level;
use crate::pipeline::pipeline;
use crate::policy::Kind;
use crate::record::{Breadcrumb, EventId};
use crate::report::Report;
use crate::request;
use crate::stack::Stack;

/// Reports an error that was caught: one record on stderr and one event in Sentry, as the settings have it.
///
/// Returns the event's id, or `None` when no Sentry sink took it. An error that this request has already reported is not
/// reported again.
///
/// ```
/// if let Err(error) = "x".parse::<u32>() {
///     cyanotype_telemetry::capture_exception(&error);
/// }
/// ```
#[track_caller]
pub fn capture_exception(error: &(dyn Error + 'static)) -> Option<EventId> {
    let pipeline = pipeline()?;
    let failure = Failure::new(error, Some(Arc::new(Stack::capture())));
    pipeline.report(Report::failure(Kind::Exception, &target(Location::caller()), failure))
}

/// Reports a message as an event: always in Sentry where there is one, on stderr from `log.level` up.
///
/// ```
/// use cyanotype_telemetry::{Level, Message, capture_event};
/// capture_event("the stock is low");
/// capture_event(Message::new("the stock is low").level(Level::Warning).data("sku", "A-1"));
/// ```
#[track_caller]
pub fn capture_event(message: impl Into<Message>) -> Option<EventId> {
    let Message { text, level, data } = message.into();
    let report = Report::new(Kind::Message, level, &target(Location::caller()), text);
    pipeline()?.report(Report { data, ..report })
}

/// Leaves a breadcrumb: sent with the next event of the same request, and a line on stderr from `log.level` up.
///
/// ```
/// use cyanotype_telemetry::{Breadcrumb, add_breadcrumb};
/// add_breadcrumb("asked the warehouse");
/// add_breadcrumb(Breadcrumb::new("asked the warehouse").category("stock").data("sku", "A-1"));
/// ```
pub fn add_breadcrumb(crumb: impl Into<Breadcrumb>) {
    if let Some(pipeline) = pipeline() {
        pipeline.breadcrumb(crumb.into());
    }
}

/// Spawns work that goes on beside the handler and keeps its request: ids, breadcrumbs, and reports that happen once.
///
/// The future runs on the worker's own thread and need not be `Send`. A panic in it is reported, and is the handle's
/// error.
///
/// # Panics
/// Outside of an actix runtime, or another `LocalSet` of tokio.
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
    match request::current() {
        Some(request) => {
            request.mark_detached();
            tokio::task::spawn_local(request::scope(request, future))
        }
        None => tokio::task::spawn_local(future),
    }
}

/// Where a helper was called, as the record's target: the path of the file without its ending.
fn target(caller: &Location<'_>) -> String {
    let file = caller.file().trim_end_matches(".rs");
    let from_crate = file.rfind("crates/").map_or(file, |at| &file[at + "crates/".len()..]);
    let module = from_crate.replace("/src", "").replace('/', "::").replace('-', "_");
    module.trim_end_matches("::lib").trim_end_matches("::mod").to_owned()
}

/// What [`capture_event`] takes.
#[derive(Debug, Clone)]
pub struct Message {
    text: String,
    level: Level,
    data: Map<String, Value>,
}

impl Message {
    /// A message of level info.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), level: Level::Info, data: Map::new() }
    }

    /// Sets the level.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Adds a value; that of a sensitive key is redacted.
    #[must_use]
    pub fn data(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.data.insert(key.into(), value.into());
        self
    }
}

impl<T: Into<String>> From<T> for Message {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// Writes a line of level critical, the one above error; used like tracing's own macros.
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
    fn the_target_is_the_module_of_the_caller() {
        assert_eq!(target(Location::caller()), "telemetry::capture");
    }
}
