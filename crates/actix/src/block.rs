//! Blocking work of a request.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use actix_web::ResponseError;
use cyanotype_telemetry::failure::Failure;
use cyanotype_telemetry::keep_request;

/// Runs blocking work on a thread of the runtime's pool, like `actix_web::web::block`, and keeps the request: its ids, its
/// `tracing` span, its breadcrumbs, and the failures that it has reported.
///
/// The work runs to its end even if the client disconnects. A panic in it is one failure of the request: a handler that returns
/// the error responds with 500, without a second report.
///
/// # Panics
/// If called outside a tokio runtime.
///
/// # Errors
/// The future returns a [`BlockError`] if the work panicked, or could not run because the service is stopping.
///
/// ```
/// use actix_web::HttpResponse;
/// use cyanotype_actix::{BlockError, add_breadcrumb, block};
///
/// async fn thumbnail() -> Result<HttpResponse, BlockError> {
///     let image = block(|| {
///         add_breadcrumb("scaling the image"); // of this request
///         vec![0_u8; 16]
///     })
///     .await?;
///     Ok(HttpResponse::Ok().body(image))
/// }
/// # let response = actix_web::rt::System::new().block_on(thumbnail());
/// # assert!(response.is_ok());
/// ```
pub fn block<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> impl Future<Output = Result<R, BlockError>> + 'static {
    #[expect(clippy::disallowed_methods, reason = "the closure keeps the request")]
    let task = {
        let handle = keep_request();
        tokio::task::spawn_blocking(move || handle.run(work))
    };
    async {
        task.await.map_err(|error| match error.try_into_panic() {
            Ok(payload) => BlockError::from_panic(&*payload),
            Err(_) => BlockError { message: "the service is stopping".to_owned(), source: None },
        })
    }
}

/// Blocking work that panicked. Its message and its sources are those of the panic, so that a report of it is recognized as one
/// of the panic.
#[derive(Clone)]
pub struct BlockError {
    message: String,
    source: Option<Arc<BlockError>>,
}

impl BlockError {
    fn from_panic(payload: &(dyn Any + Send)) -> Self {
        let links = Failure::from_panic(payload).chain.into_iter().rev();
        let nested = links.fold(None, |source, link| Some(Arc::new(Self { message: link.message, source })));
        nested.map(Arc::unwrap_or_clone).expect("a failure has at least one message")
    }
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The name is the type of a panic in records.
impl fmt::Debug for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("panic").field(&self.message).finish()
    }
}

impl Error for BlockError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// 500.
impl ResponseError for BlockError {}
