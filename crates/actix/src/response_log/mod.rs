//! Response-logging middleware: records every response.
//!
//! A response never waits for its record, and the record never changes how the response is sent. A complete body is shared by
//! reference count; a streaming body is observed chunk by chunk.

mod actix_error;
mod already_reported;
mod body_prefix;
mod config;
mod exchange;
mod logged_body;
mod request_body;
mod rules;

use std::future::{Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use cyanotype_telemetry::Pipeline;
use cyanotype_telemetry::request::{self, RequestContext};
use pin_project_lite::pin_project;

use crate::context::request_context;
use exchange::Exchange;

pub use actix_error::{failure_of, register_error_type};
pub use already_reported::AlreadyReported;
pub use config::Config;
pub use logged_body::LoggedBody;
pub use rules::{ResponseLogRules, Rules};

/// The middleware, for `App::wrap`; the app of each worker wraps a clone. It must be inside compression, so that it receives
/// uncompressed bytes.
#[derive(Clone)]
pub struct ResponseLogger {
    pipeline: &'static Pipeline,
    config: Config,
}

impl ResponseLogger {
    /// Records through this pipeline, with this configuration.
    #[must_use]
    pub fn new(pipeline: &'static Pipeline, config: Config) -> Self {
        Self { pipeline, config }
    }
}

impl<S, B> Transform<S, ServiceRequest> for ResponseLogger
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<LoggedBody<B>>;
    type Error = Error;
    type Transform = ResponseLogMiddleware<S>;
    type InitError = ();
    type Future = Ready<Result<ResponseLogMiddleware<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(ResponseLogMiddleware { inner, pipeline: self.pipeline, config: Rc::new(self.config.clone()) }))
    }
}

/// The service that [`ResponseLogger`] creates.
pub struct ResponseLogMiddleware<S> {
    inner: S,
    pipeline: &'static Pipeline,
    config: Rc<Config>,
}

impl<S, B> Service<ServiceRequest> for ResponseLogMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<LoggedBody<B>>;
    type Error = Error;
    type Future = ResponseLogFuture<S::Future>;

    forward_ready!(inner);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let Self { pipeline, config, .. } = self;
        // Without blueprints there is no outer middleware that creates the request context.
        let new = || Arc::new(request_context(pipeline, &config.address_resolver, &request));
        let context = request::current().unwrap_or_else(new);
        let exchange = context
            .is_recorded()
            .then(|| Box::new(Exchange::begin(pipeline, Rc::clone(config), Arc::clone(&context), &mut request)));
        // The synchronous part of the inner call also belongs to the request.
        let response = request::run_in_sync(&context, || self.inner.call(request));
        ResponseLogFuture { response, context, exchange }
    }
}

pin_project! {
    /// A request whose handler has not responded yet. When it is dropped before the response, it is recorded as aborted by the
    /// client. The exchange is `None` when nothing is recorded.
    pub struct ResponseLogFuture<F> {
        #[pin]
        response: F,
        context: Arc<RequestContext>,
        exchange: Option<Box<Exchange>>,
    }
}

impl<F, B> Future for ResponseLogFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    B: MessageBody,
{
    type Output = Result<ServiceResponse<LoggedBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = std::task::ready!(request::run_in_sync(this.context, || this.response.poll(cx)));
        Poll::Ready(match (response, this.exchange.take()) {
            (Ok(response), Some(exchange)) => {
                let exchange = exchange.on_response(&response);
                Ok(response.map_body(|_, body| LoggedBody::of(body, exchange)))
            }
            (Ok(response), None) => Ok(response.map_body(|_, body| LoggedBody::passthrough(body))),
            (Err(error), exchange) => {
                if let Some(exchange) = exchange {
                    exchange.on_error(&error);
                }
                Err(error)
            }
        })
    }
}

#[cfg(test)]
mod tests;
