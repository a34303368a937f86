//! The response-logging wrapper: what every blueprint returns is recorded.
//!
//! A response never waits for its record, and its record never changes how it is sent: a finished body is taken by
//! reference count, anything else is watched as it goes by.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use pin_project_lite::pin_project;

use super::client_address::ClientAddresses;
use super::exchange::Exchange;
use super::recorded_body::Recorded;
use super::rules::Rules;
use crate::pipeline::Pipeline;
use crate::request::{self, RequestContext};
use crate::settings::{ResponseLog, Settings};

/// What is recorded of responses and of their requests.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub rules: Rules,
    pub max_bytes: usize,
    pub body_from_status: u16,
    pub sample_rate: f64,
    pub request_body: ResponseLog,
    pub request_max_bytes: usize,
    pub clients: ClientAddresses,
}

impl Config {
    pub fn new(settings: &Settings, rules: Rules) -> Self {
        let log = &settings.log;
        Self {
            rules,
            max_bytes: log.response.max_bytes,
            body_from_status: log.response.body_from_status,
            sample_rate: log.response.sample_rate,
            request_body: log.request.body,
            request_max_bytes: log.request.max_bytes,
            clients: ClientAddresses::new(&settings.server),
        }
    }
}

/// The wrapper, as `App::wrap` takes it. It belongs inside compression, so that it sees plain bytes.
#[derive(Clone)]
pub struct ResponseLogger {
    pipeline: &'static Pipeline,
    config: Rc<Config>,
}

impl ResponseLogger {
    pub(crate) fn new(pipeline: &'static Pipeline, config: Config) -> Self {
        Self { pipeline, config: Rc::new(config) }
    }
}

impl<S, B> Transform<S, ServiceRequest> for ResponseLogger
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<Recorded<B>>;
    type Error = Error;
    type Transform = Wrapped<S>;
    type InitError = ();
    type Future = Ready<Result<Wrapped<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(Wrapped { inner, logger: self.clone() }))
    }
}

pub struct Wrapped<S> {
    inner: S,
    logger: ResponseLogger,
}

impl<S, B> Service<ServiceRequest> for Wrapped<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<Recorded<B>>;
    type Error = Error;
    type Future = Answering<S::Future>;

    forward_ready!(inner);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let ResponseLogger { pipeline, config } = &self.logger;
        // In a service that is not made of blueprints nobody outside has given the request its context.
        let new = || Arc::new(RequestContext::new(pipeline, &config.clients, &request));
        let context = request::current().unwrap_or_else(new);
        let listens = !pipeline.policy.is_silent();
        let exchange =
            listens.then(|| Box::new(Exchange::begin(pipeline, Rc::clone(config), Arc::clone(&context), &mut request)));
        // The inner call itself, not only its future, belongs to the request.
        let answer = request::sync_scope(&context, || self.inner.call(request));
        Answering { answer, context, exchange }
    }
}

pin_project! {
    /// A request whose handler has not answered yet. Dropped before it has, it is recorded as left by the client; where
    /// nothing is recorded, there is no exchange.
    pub struct Answering<F> {
        #[pin]
        answer: F,
        context: Arc<RequestContext>,
        exchange: Option<Box<Exchange>>,
    }
}

impl<F, B> Future for Answering<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    B: MessageBody,
{
    type Output = Result<ServiceResponse<Recorded<B>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = std::task::ready!(request::sync_scope(this.context, || this.answer.poll(cx)));
        Poll::Ready(match (answer, this.exchange.take()) {
            (Ok(response), Some(exchange)) => Ok(exchange.answered(response)),
            (Ok(response), None) => Ok(response.map_body(|_, body| Recorded::unseen(body))),
            (Err(error), exchange) => {
                if let Some(exchange) = exchange {
                    exchange.answered_with_error(&error);
                }
                Err(error)
            }
        })
    }
}

#[cfg(all(test, feature = "sentry"))]
mod tests;
