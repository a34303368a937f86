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

use super::response::RemoteResponse;

/// How long an idle connection remains open for the next request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// Maximum size of a response body in bytes.
const MAX_BODY_BYTES: usize = 2 << 20;

/// An HTTP client that does not follow redirects and adds no header except `host`.
pub(super) type Client = legacy::Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

thread_local! {
    /// Each worker has its own connections, because a connection is driven by the runtime of the worker that opened it.
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
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_TIMEOUT).build(connector)
}

/// Sends a request and reads the complete response.
pub(super) async fn send(client: Client, request: hyper::Request<Empty<Bytes>>) -> Result<RemoteResponse, String> {
    let response = client.request(request).await.map_err(|error| display_chain(&error))?;
    // actix-web and hyper use different versions of the crate `http`.
    let status = StatusCode::from_u16(response.status().as_u16()).map_err(|error| error.to_string())?;
    let retry_after = retry_after(response.headers().get(RETRY_AFTER));
    let body = Limited::new(response.into_body(), MAX_BODY_BYTES).collect().await;
    let body = body.map_err(|error| match error.is::<LengthLimitError>() {
        true => format!("response body larger than {MAX_BODY_BYTES} bytes"),
        false => display_chain(&*error),
    })?;
    Ok(RemoteResponse { status, retry_after, body: body.to_bytes() })
}

/// Parses a delay in seconds; an HTTP date is ignored.
fn retry_after(header: Option<&HeaderValue>) -> Option<Duration> {
    header?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
