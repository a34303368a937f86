//! A handler that does not answer in time is ended.

use std::fmt;
use std::time::Duration;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;

use crate::problem::Problem;

/// Ends what has not answered after so long; a zero ends nothing. A body that streams has its own time.
pub(crate) async fn end_late<B: MessageBody>(
    limit: Duration,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    if limit.is_zero() {
        return next.call(request).await;
    }
    let late = |_| Problem::internal(Late(limit)).with_status(StatusCode::SERVICE_UNAVAILABLE).into();
    tokio::time::timeout(limit, next.call(request)).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
}

#[derive(Debug)]
struct Late(Duration);

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the handler had not answered after {} s (server.handler_timeout_s)", self.0.as_secs())
    }
}

impl std::error::Error for Late {}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, init_service, try_call_service};
    use actix_web::{App, web};

    async fn answer(limit: Duration) -> Result<StatusCode, String> {
        let slow = async || {
            tokio::time::sleep(Duration::from_millis(30)).await;
            "late"
        };
        let app = App::new().route("/", web::get().to(slow));
        let app = app.wrap(from_fn(move |request, next| end_late(limit, request, next)));
        let app = init_service(app).await;
        let answer = try_call_service(&app, TestRequest::get().to_request()).await;
        answer.map(|answer| answer.status()).map_err(|error| format!("{} {error}", error.error_response().status()))
    }

    #[actix_web::test]
    async fn a_handler_that_is_late_is_a_failure_of_the_service() {
        let late = answer(Duration::from_millis(1)).await.expect_err("is ended");
        assert!(late.starts_with("503 Service Unavailable the handler had not answered after"), "{late}");
        assert_eq!(answer(Duration::from_secs(10)).await, Ok(StatusCode::OK));
        assert_eq!(answer(Duration::ZERO).await, Ok(StatusCode::OK));
    }
}
