//! axum with a JSON log line for each response.

use std::io;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use bench::bodies::BODIES;
use tower_http::trace::{DefaultMakeSpan, DefaultOnResponse, TraceLayer};
use tracing::Level;

use crate::layers;

pub fn serve(port: u16) -> io::Result<()> {
    layers::json_to_stderr();
    let routes = BODIES.iter().fold(Router::new(), |routes, (name, text)| {
        let handler = async move || ([(CONTENT_TYPE, "application/json")], text.as_str());
        routes.route(&format!("/bench/{name}"), get(handler))
    });
    let app = routes.layer(
        TraceLayer::new_for_http()
            .make_span_with(DefaultMakeSpan::new().level(Level::INFO))
            .on_response(DefaultOnResponse::new().level(Level::INFO)),
    );
    // One thread, like the other servers.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { axum::serve(tokio::net::TcpListener::bind(("127.0.0.1", port)).await?, app).await })
}
