//! Cancels handlers that exceed the time limit.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::Error;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use pin_project_lite::pin_project;
use tokio::time::Sleep;

use crate::handler::problem::Problem;

/// Cancels the inner service when it has not responded within the limit, if there is one. The limit does not include a
/// streaming body.
pub(crate) fn enforce_timeout<S, B>(
    limit: Option<Duration>,
    request: ServiceRequest,
    inner: &S,
) -> impl Future<Output = Result<ServiceResponse<B>, Error>> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    WithTimeout { response: inner.call(request), limit, timer: None }
}

pin_project! {
    struct WithTimeout<F> {
        #[pin]
        response: F,
        limit: Option<Duration>,
        // Most handlers respond on the first poll, and need no timer.
        timer: Option<Pin<Box<Sleep>>>,
    }
}

impl<F, B> Future for WithTimeout<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = this.response.poll(cx);
        let Some(limit) = this.limit.filter(|_| response.is_pending()) else { return response };
        let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        std::task::ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(Problem::internal(HandlerTimeout(limit)).with_status(StatusCode::SERVICE_UNAVAILABLE).into()))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the handler did not respond within {} s (server.handler_timeout_s)", .0.as_secs())]
struct HandlerTimeout(Duration);

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::{TestRequest, init_service, try_call_service};
    use actix_web::{App, web};

    async fn respond(limit: Option<Duration>) -> Result<StatusCode, String> {
        let slow = async || {
            tokio::time::sleep(Duration::from_millis(30)).await;
            "late"
        };
        let app = App::new().route("/", web::get().to(slow));
        let app = app.wrap_fn(move |request, inner| enforce_timeout(limit, request, inner));
        let app = init_service(app).await;
        let response = try_call_service(&app, TestRequest::get().to_request()).await;
        response
            .map(|response| response.status())
            .map_err(|error| format!("{} {error}", error.error_response().status()))
    }

    #[actix_web::test]
    async fn a_slow_handler_gets_503_as_a_service_failure() {
        let late = respond(Some(Duration::from_millis(1))).await.expect_err("is cancelled");
        assert!(late.starts_with("503 Service Unavailable the handler did not respond within"), "{late}");
        assert_eq!(respond(Some(Duration::from_secs(10))).await, Ok(StatusCode::OK));
        assert_eq!(respond(None).await, Ok(StatusCode::OK));
    }
}
