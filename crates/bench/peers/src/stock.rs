//! The work of the service done with existing packages: a JSON line with the body of each response, errors sent to
//! Sentry, and log lines as breadcrumbs.

use std::io;

use actix_web::body::{BoxBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, Error};
use sentry::integrations::tracing::{BreadcrumbLayer, ErrorLayer, SpanLayer};
use tracing_actix_web::TracingLogger;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

use crate::layers;

pub fn serve(port: u16, dsn: &str) -> io::Result<()> {
    let _sentry = layers::sentry(dsn);
    let (stderr, _appender) = tracing_appender::non_blocking(io::stderr());
    // Without the layer for Sentry Logs, which would send every line.
    tracing_subscriber::registry()
        .with(LevelFilter::INFO)
        .with(tracing_subscriber::fmt::layer().json().with_writer(stderr))
        .with(SpanLayer::new().with_filter(LevelFilter::INFO))
        .with(ErrorLayer::new().with_filter(LevelFilter::ERROR))
        .with(BreadcrumbLayer::new().with_filter(LevelFilter::INFO))
        .init();
    crate::serve(port, || {
        App::new()
            .configure(crate::routes)
            .wrap(from_fn(log_body))
            .wrap(TracingLogger::default())
            .wrap(sentry::integrations::actix::Sentry::new())
    })
}

async fn log_body(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let (request, response) = next.call(request).await?.into_parts();
    let (response, body) = response.into_parts();
    let body = to_bytes(body).await.map_err(|error| actix_web::error::ErrorInternalServerError(error.to_string()))?;
    tracing::info!(status = response.status().as_u16(), body = %String::from_utf8_lossy(&body), "response");
    Ok(ServiceResponse::new(request, response.set_body(body).map_into_boxed_body()))
}
