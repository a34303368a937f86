//! The HTTP client: connections, TLS, and one request.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use cyanotype_telemetry::failure::display_chain;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;

use super::reply::Reply;

/// How long an idle connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(15);
/// The longest body that is read, in bytes.
const MAX_BODY: usize = 2 << 20;

/// It follows no redirect and adds no header but `host`.
pub(super) type Client = legacy::Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

thread_local! {
    /// A connection is driven by the runtime of the worker that opened it, so each worker has connections of its own.
    pub(super) static CLIENT: Client = client(RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()));
}

pub(super) fn client(authorities: RootCertStore) -> Client {
    let provider = rustls::crypto::ring::default_provider();
    let tls = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of TLS 1.2 and 1.3")
        .with_root_certificates(authorities)
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).build(connector)
}

/// Sends a request and reads the whole answer.
pub(super) async fn send(client: Client, request: hyper::Request<Empty<Bytes>>) -> Result<Reply, String> {
    let answer = client.request(request).await.map_err(|error| display_chain(&error))?;
    // Two versions of the crate `http` meet here: actix-web's and hyper's.
    let status = StatusCode::from_u16(answer.status().as_u16()).map_err(|error| error.to_string())?;
    let retry_after = retry_after(answer.headers().get(RETRY_AFTER));
    let body = Limited::new(answer.into_body(), MAX_BODY).collect().await;
    let body = body.map_err(|error| match error.is::<LengthLimitError>() {
        true => format!("the answer is longer than {MAX_BODY} bytes"),
        false => display_chain(&*error),
    })?;
    Ok(Reply { status, retry_after, body: body.to_bytes() })
}

/// The other form, a date, is not read.
fn retry_after(header: Option<&HeaderValue>) -> Option<Duration> {
    header?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
