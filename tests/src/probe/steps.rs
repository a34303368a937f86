//! The steps of a probe script.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::{panic_any, resume_unwind};
use std::pin::Pin;
use std::time::Duration;

use cyanotype::{
    BlockError, Breadcrumb, EventScope, Level, Message, User, add_breadcrumb, capture_event, capture_exception,
    capture_exception_with, critical,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::runtime::Handle;

#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Step {
    Log {
        level: Level,
        message: String,
        error: Option<String>,
    },
    Breadcrumb {
        message: String,
        category: Option<String>,
        level: Option<Level>,
        data: Option<Map<String, Value>>,
    },
    CaptureException {
        message: String,
        cause: Option<String>,
        /// Captures it at a second place of this file.
        #[serde(default)]
        elsewhere: bool,
        /// Tags of this event alone.
        #[serde(default)]
        tags: Map<String, Value>,
    },
    CaptureEvent {
        message: String,
        level: Option<Level>,
        /// Tags of this event alone.
        #[serde(default)]
        tags: Map<String, Value>,
    },
    /// Sets what the rest of the request has. An entry of `context` that is an object is a context of that name; the others form
    /// the context `probe`.
    Scope {
        #[serde(default)]
        tags: Map<String, Value>,
        user: Option<Map<String, Value>>,
        context: Option<Map<String, Value>>,
        fingerprint: Option<Vec<String>>,
    },
    Sleep {
        ms: u64,
    },
    Spawn {
        steps: Vec<Step>,
    },
    Span {
        steps: Vec<Step>,
    },
    /// Blocks the worker thread of the request.
    BlockWorker {
        ms: u64,
    },
    /// In blocking work that keeps the request. Its panic is the error of the handler.
    Block {
        steps: Vec<Step>,
    },
    /// In blocking work that loses the request.
    WebBlock {
        steps: Vec<Step>,
    },
    Panic {
        message: String,
    },
    /// Panics with a payload that is no text.
    PanicAny {
        payload: Payload,
    },
    /// Panics on a thread outside actix.
    PanicThread {
        message: String,
    },
    /// Sends a message through the SDK, bypassing the helpers.
    SdkMessage {
        message: String,
    },
    /// Sets a tag in the SDK's scope.
    SdkTag {
        key: String,
        value: String,
    },
    /// Adds a breadcrumb with the SDK.
    SdkBreadcrumb {
        message: String,
    },
    /// Captures an error with the SDK, bypassing the helpers.
    SdkCapture {
        message: String,
    },
    /// Captures an error with the helper, inside a scope of the SDK that has this tag.
    /// Sets the fingerprint in the SDK's scope.
    SdkFingerprint {
        fingerprint: Vec<String>,
    },
    SdkWithScope {
        key: String,
        value: String,
        message: String,
    },
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Payload {
    Number,
    Text,
    BoxedError,
    /// An error that is not boxed: its type is not known.
    Error,
    /// Resumes a panic, without a call of the panic hook.
    Resumed,
}

impl Payload {
    fn panic(self) -> ! {
        let error = || ProbeError::new("the payload is an error".into(), Some("its cause".into()));
        match self {
            Self::Number => panic_any(42),
            Self::Text => panic_any("an owned text".to_owned()),
            Self::BoxedError => panic_any(Box::<dyn Error + Send + Sync>::from(error())),
            Self::Error => panic_any(error()),
            Self::Resumed => resume_unwind(Box::new("a resumed text")),
        }
    }
}

pub(super) fn run_all(steps: Vec<Step>) -> Pin<Box<dyn Future<Output = Result<(), BlockError>>>> {
    Box::pin(async move {
        for step in steps {
            step.run().await?;
        }
        Ok(())
    })
}

#[tracing::instrument(skip_all, fields(steps = steps.len(), access_token = "t0psecret"))]
async fn in_a_span(steps: Vec<Step>) -> Result<(), BlockError> {
    run_all(steps).await
}

impl Step {
    async fn run(self) -> Result<(), BlockError> {
        match self {
            Step::Log { level, message, error: None } => log(level, &message),
            Step::Log { level, message, error: Some(error) } => {
                log_error(level, &message, &ProbeError::new(error, None))
            }
            Step::Breadcrumb { message, category, level, data } => {
                let mut crumb = Breadcrumb::new(message).level(level.unwrap_or(Level::Info));
                crumb.category = category;
                crumb.data = data.unwrap_or_default();
                add_breadcrumb(crumb);
            }
            Step::CaptureException { message, cause, elsewhere, tags } => {
                let error = ProbeError::new(message, cause);
                let _ = match (elsewhere, tags.is_empty()) {
                    (false, true) => capture_exception(&error),
                    (true, true) => capture_exception(&error),
                    (_, false) => capture_exception_with(&error, |scope| set_tags(scope, tags)),
                };
            }
            Step::CaptureEvent { message, level, tags } => {
                let message = Message::new(message).level(level.unwrap_or(Level::Info));
                let _ = capture_event(tags.iter().fold(message, |it, (key, value)| it.tag(key, text(value))));
            }
            Step::Scope { tags, user, context, fingerprint } => cyanotype::scope(|scope| {
                set_tags(scope, tags);
                if let Some(user) = user {
                    scope.user(user.into_iter().fold(User::default(), |user, (key, value)| user.data(key, value)));
                }
                let (contexts, values): (Map<_, _>, Map<_, _>) =
                    context.unwrap_or_default().into_iter().partition(|(_, value)| value.is_object());
                for (name, values) in contexts {
                    scope.context(name, values.as_object().cloned().unwrap_or_default());
                }
                if !values.is_empty() {
                    scope.context("probe", values);
                }
                if let Some(fingerprint) = fingerprint {
                    scope.fingerprint(fingerprint);
                }
            }),
            Step::Sleep { ms } => tokio::time::sleep(Duration::from_millis(ms)).await,
            Step::BlockWorker { ms } => std::thread::sleep(Duration::from_millis(ms)),
            Step::Spawn { steps } => {
                // A panic in the task is reported by the hook; the probe continues.
                let _ = cyanotype::spawn(run_all(steps)).await;
            }
            Step::Span { steps } => in_a_span(steps).await?,
            Step::Block { steps } => {
                let runtime = Handle::current();
                cyanotype::block(move || runtime.block_on(run_all(steps))).await??;
            }
            Step::WebBlock { steps } => {
                let runtime = Handle::current();
                #[expect(clippy::disallowed_methods, reason = "simulates a program that loses the request")]
                let _ = actix_web::web::block(move || runtime.block_on(run_all(steps))).await;
            }
            Step::Panic { message } => panic!("{message}"),
            Step::PanicAny { payload } => payload.panic(),
            Step::SdkMessage { message } => {
                #[expect(clippy::disallowed_methods, reason = "simulates a program that uses the SDK directly")]
                sentry::capture_message(&message, sentry::Level::Error);
            }
            Step::SdkTag { key, value } => sentry::configure_scope(|scope| scope.set_tag(&key, value)),
            Step::SdkBreadcrumb { message } => {
                sentry::add_breadcrumb(sentry::Breadcrumb { message: Some(message), ..Default::default() });
            }
            Step::SdkCapture { message } => {
                #[expect(clippy::disallowed_methods, reason = "simulates a program that uses the SDK directly")]
                sentry::capture_error(&ProbeError::new(message, None));
            }
            Step::SdkFingerprint { fingerprint } => {
                let parts: Vec<&str> = fingerprint.iter().map(String::as_str).collect();
                sentry::configure_scope(|scope| scope.set_fingerprint(Some(&parts)));
            }
            Step::SdkWithScope { key, value, message } => {
                let capture = || capture_exception(&ProbeError::new(message, None));
                let _ = sentry::with_scope(|scope| scope.set_tag(&key, value), capture);
            }
            Step::PanicThread { message } => {
                // The panic hook reports the panic.
                let _ = std::thread::spawn(move || panic!("{message}")).join();
            }
        }
        Ok(())
    }
}

fn set_tags(scope: &mut EventScope, tags: Map<String, Value>) {
    for (key, value) in tags {
        scope.tag(key, text(&value));
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn log(level: Level, message: &str) {
    match level {
        Level::Trace => tracing::trace!("{message}"),
        Level::Debug => tracing::debug!("{message}"),
        Level::Info => tracing::info!("{message}"),
        Level::Warning => tracing::warn!("{message}"),
        Level::Error => tracing::error!("{message}"),
        Level::Critical => critical!("{message}"),
    }
}

fn log_error(level: Level, message: &str, error: &ProbeError) {
    let error = error as &dyn Error;
    match level {
        Level::Trace => tracing::trace!(error, "{message}"),
        Level::Debug => tracing::debug!(error, "{message}"),
        Level::Info => tracing::info!(error, "{message}"),
        Level::Warning => tracing::warn!(error, "{message}"),
        Level::Error => tracing::error!(error, "{message}"),
        Level::Critical => critical!(error, "{message}"),
    }
}

/// The error that the probe fails with.
#[derive(Debug)]
pub(super) struct ProbeError {
    message: String,
    cause: Option<Box<ProbeError>>,
}

impl ProbeError {
    pub fn new(message: String, cause: Option<String>) -> Self {
        Self { message, cause: cause.map(|cause| Box::new(Self::new(cause, None))) }
    }

    pub fn of_stream() -> Self {
        Self::new("the probe's stream failed".into(), None)
    }
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ProbeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}
