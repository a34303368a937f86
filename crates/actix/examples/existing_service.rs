//! Adds response logging to an existing actix-web service: one line to start, one to wrap. Leaving `main` flushes the sinks.
//!
//! `PORT=8080 cargo run -p cyanotype-actix --example existing_service`, then `curl localhost:8080/hello/ada` and
//! `curl localhost:8080/error`.

use std::error::Error;

use actix_web::error::ErrorInternalServerError;
use actix_web::middleware::Compress;
use actix_web::{App, HttpResponse, HttpServer, web};
use cyanotype_actix::{Loader, Recorder, Settings, Sinks};
use serde_json::json;

async fn hello(name: web::Path<String>) -> HttpResponse {
    tracing::info!(%name, "greeting");
    // The value of a key such as `token` is redacted in the record, and sent to the client unchanged.
    HttpResponse::Ok().json(json!({"hello": *name, "token": "t0p-s3cret"}))
}

async fn error() -> Result<&'static str, actix_web::Error> {
    Err(ErrorInternalServerError("the disk is full"))
}

fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(8080);
    let settings = Loader::<Settings>::new("config").process_environment().load()?;
    let recorder = Recorder::start(&settings, Sinks::stderr(&settings.telemetry())); // before any runtime
    let logger = recorder.response_logger();
    let app = move || {
        App::new()
            .route("/hello/{name}", web::get().to(hello))
            .route("/error", web::get().to(error))
            .wrap(logger.clone()) // inside compression
            .wrap(Compress::default())
    };
    let server = || HttpServer::new(app).workers(1).bind(("127.0.0.1", port));
    actix_web::rt::System::new().block_on(async { server()?.run().await })?; // until SIGTERM or Ctrl-C
    Ok(())
}
