//! HTTP requests to another process, as part of the current request: its id and its trace go along.
//!
//! For a blueprint whose neighbour runs elsewhere. They are GETs, so that one may be sent again.

use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

use actix_web::http::{StatusCode, Uri};
use actix_web::web::Bytes;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::capture::{Breadcrumb, add_breadcrumb};
use crate::failure::sentence;
use crate::record::Level;
use crate::request;

/// Before the first try again; twice as long before the next one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// How long an idle connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(15);
/// The longest body that is read, in bytes.
const MAX_BODY: usize = 2 << 20;

/// It follows no redirect and adds no header but `host`.
type Client = legacy::Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

thread_local! {
    /// A connection is driven by the runtime of the worker that opened it, so each worker has connections of its own.
    static CLIENT: Client = client(RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()));
}

fn client(authorities: RootCertStore) -> Client {
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

/// Where another process answers: `http://users.internal:8080`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same without this path at its end, for those who write the whole of an address that is known in part.
    #[must_use]
    pub fn without(&self, path: &str) -> Self {
        Self(self.0.strip_suffix(path).unwrap_or(&self.0).to_owned())
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for BaseUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let url: Option<Uri> = text.parse().ok();
        let good = url.is_some_and(|url| {
            matches!(url.scheme_str(), Some("http" | "https"))
                && url.query().is_none()
                && url.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        });
        // It may hold what is not to be repeated.
        good.then(|| Self(text.trim_end_matches('/').to_owned()))
            .ok_or_else(|| "this is no address of a process; allowed is http://HOST:PORT or https://HOST".into())
    }
}

/// Another process, and how long it is waited for.
#[derive(Debug, Clone)]
pub struct Remote {
    base: BaseUrl,
    timeout: Duration,
    retries: u32,
}

impl Remote {
    /// `timeout` is for each try, from the connection to the end of the body; after one that brought no answer, or 502, 503
    /// or 504, up to `retries` more follow.
    #[must_use]
    pub fn new(base: BaseUrl, timeout: Duration, retries: u32) -> Self {
        Self { base, timeout, retries }
    }

    /// Requests a path, with this bearer token. Any other answer than those above is an answer, a redirect too.
    ///
    /// # Errors
    /// When the last try brought none.
    pub async fn get(&self, path: &str, token: &str) -> Result<Reply, RemoteError> {
        let (mut pause, mut left) = (FIRST_PAUSE, self.retries);
        loop {
            let began = Instant::now();
            let outcome = self.try_once(path, token).await;
            self.leave_breadcrumb(path, began, &outcome);
            let why = match outcome {
                Ok(reply) if !is_passing(reply.status) => return Ok(reply),
                Ok(reply) => format!("it answered {}", reply.status),
                Err(why) => why,
            };
            if left == 0 {
                return Err(RemoteError { base: self.base.to_string(), why: Why(why) });
            }
            tokio::time::sleep(pause).await;
            (pause, left) = (pause * 2, left - 1);
        }
    }

    async fn try_once(&self, path: &str, token: &str) -> Result<Reply, String> {
        let url = format!("{}{path}", self.base);
        let mut builder = hyper::Request::get(url).header(AUTHORIZATION, format!("Bearer {token}"));
        for (name, value) in request::current().iter().flat_map(|request| request.outgoing()) {
            builder = builder.header(name, value);
        }
        let request = builder.body(Empty::new()).map_err(|error| error.to_string())?;
        let exchange = exchange(CLIENT.with(Client::clone), request);
        let timed = tokio::time::timeout(self.timeout, exchange).await;
        timed.unwrap_or_else(|_| Err(format!("no complete answer within {} ms", self.timeout.as_millis())))
    }

    fn leave_breadcrumb(&self, path: &str, began: Instant, outcome: &Result<Reply, String>) {
        let said = match outcome {
            Ok(reply) => reply.status.as_u16().to_string(),
            Err(why) => why.clone(),
        };
        let level =
            if outcome.as_ref().is_ok_and(|reply| !is_passing(reply.status)) { Level::Info } else { Level::Warning };
        let crumb = Breadcrumb::new(format!("GET {}{path} {said}", self.base)).category("http").level(level);
        add_breadcrumb(crumb.data("duration_ms", began.elapsed().as_secs_f64() * 1000.0));
    }
}

/// Sends a request and reads the whole answer.
async fn exchange(client: Client, request: hyper::Request<Empty<Bytes>>) -> Result<Reply, String> {
    let answer = client.request(request).await.map_err(|error| sentence(&error))?;
    // Two versions of the crate `http` meet here: actix-web's and hyper's.
    let status = StatusCode::from_u16(answer.status().as_u16()).map_err(|error| error.to_string())?;
    let retry_after = retry_after(answer.headers().get(RETRY_AFTER));
    let body = Limited::new(answer.into_body(), MAX_BODY).collect().await;
    let body = body.map_err(|error| match error.is::<LengthLimitError>() {
        true => format!("the answer is longer than {MAX_BODY} bytes"),
        false => sentence(&*error),
    })?;
    Ok(Reply { status, retry_after, body: body.to_bytes() })
}

/// Whether the process may answer better in a moment.
fn is_passing(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

/// What the other process answered.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    /// When it may be sent again, where the answer says so in seconds.
    pub retry_after: Option<Duration>,
    body: Bytes,
}

impl Reply {
    /// Its body.
    ///
    /// # Errors
    /// When that is not JSON of this type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

/// The other form, a date, is not read.
fn retry_after(header: Option<&HeaderValue>) -> Option<Duration> {
    header?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// The other process did not answer.
#[derive(Debug)]
pub struct RemoteError {
    base: String,
    why: Why,
}

/// What went wrong the last time.
#[derive(Debug)]
struct Why(String);

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer from {}", self.base)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for RemoteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.why)
    }
}

impl Error for Why {}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn an_address_is_one_of_a_process() {
        let url = |text: &str| BaseUrl::try_from(text.to_owned());
        assert_eq!(url("http://127.0.0.1:8080/").expect("it is one").as_str(), "http://127.0.0.1:8080");
        let with_path = url("https://users.example/api/users").expect("it is one");
        assert_eq!(with_path.without("/users").as_str(), "https://users.example/api");
        for wrong in ["127.0.0.1:8080", "ftp://users.example", "http://a:b@users.example", "http://u/?q", "", "/users"]
        {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }

    /// A server that gives each connection to `answer`, and counts them.
    fn server(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> (BaseUrl, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (count, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(answer));
        let accepted = Arc::clone(&count);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                accepted.fetch_add(1, Ordering::SeqCst);
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || answer(stream));
            }
        });
        (BaseUrl::try_from(format!("http://127.0.0.1:{port}")).expect("an address"), count)
    }

    /// The head of the next request; none when the client has closed the connection.
    fn head(stream: &mut impl BufRead) -> Option<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            (stream.read_line(&mut head).ok()? > 0).then_some(())?;
        }
        Some(head)
    }

    /// Answers every request of a connection with this.
    fn always(answer: &'static str) -> impl Fn(TcpStream) + Send + Sync {
        move |stream| {
            let mut stream = BufReader::new(stream);
            while head(&mut stream).is_some() {
                let _ = stream.get_mut().write_all(answer.as_bytes());
            }
        }
    }

    async fn get(base: BaseUrl, timeout_ms: u64, retries: u32) -> Result<Reply, RemoteError> {
        Remote::new(base, Duration::from_millis(timeout_ms), retries).get("/a?b=c", "token").await
    }

    fn reason(outcome: Result<Reply, RemoteError>) -> String {
        outcome.expect_err("there is no answer").source().expect("it has a reason").to_string()
    }

    #[actix_web::test]
    async fn a_connection_is_used_again() {
        let (base, connections) = server(always("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ntrue"));
        for _ in 0..3 {
            let reply = get(base.clone(), 5000, 0).await.expect("it answers");
            assert!(reply.json::<bool>().expect("it is JSON"));
        }
        assert_eq!(connections.load(Ordering::SeqCst), 1);
    }

    #[actix_web::test]
    async fn a_redirect_is_an_answer() {
        let answer = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        let reply = get(server(always(answer)).0, 5000, 0).await.expect("it answers");
        assert_eq!(reply.status, StatusCode::FOUND);
    }

    #[actix_web::test]
    async fn a_request_has_a_token_and_nothing_of_the_client_library() {
        let heads = Arc::new(Mutex::new(String::new()));
        let seen = Arc::clone(&heads);
        let (base, _) = server(move |stream| {
            let mut stream = BufReader::new(stream);
            *seen.lock().expect("no test panics with it") = head(&mut stream).expect("there is a request");
            let _ = stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
        });
        get(base.clone(), 5000, 0).await.expect("it answers");
        let head = heads.lock().expect("no test panics with it").to_lowercase();
        let mut lines: Vec<&str> = head.trim_end().lines().collect();
        lines.sort_unstable();
        let host = base.as_str().replace("http://", "host: ");
        assert_eq!(lines, ["authorization: bearer token", "get /a?b=c http/1.1", &host]);
    }

    #[actix_web::test]
    async fn the_time_of_a_try_includes_its_body() {
        // The head after 0.2 s, the body 0.2 s later: each alone would be in time.
        let (base, connections) = server(|stream| {
            let mut stream = BufReader::new(stream);
            head(&mut stream);
            for part in ["HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n", "true"] {
                std::thread::sleep(Duration::from_millis(200));
                let _ = stream.get_mut().write_all(part.as_bytes());
            }
        });
        assert_eq!(reason(get(base, 300, 1).await), "no complete answer within 300 ms");
        assert_eq!(connections.load(Ordering::SeqCst), 2, "a try and one again");
    }

    #[actix_web::test]
    async fn an_answer_that_is_too_long_is_none() {
        let (base, _) = server(|stream| {
            let mut stream = BufReader::new(stream);
            head(&mut stream);
            let _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
            // Until the client has had enough.
            while stream.get_mut().write_all(chunk.as_bytes()).is_ok() {}
        });
        assert_eq!(reason(get(base, 5000, 0).await), "the answer is longer than 2097152 bytes");
    }

    /// A server of `localhost` with a certificate of its own making, which is here.
    fn tls_server() -> (u16, rustls::pki_types::CertificateDer<'static>) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate can be made");
        let certificate = made.cert.der().clone();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("it is a key");
        let provider = rustls::crypto::ring::default_provider();
        let config = rustls::ServerConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .expect("ring has the cipher suites of TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .expect("certificate and key belong together");
        let config = Arc::new(config);
        let (base, _) = server(move |stream| {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).expect("the configuration is good");
            let mut stream = BufReader::new(rustls::StreamOwned::new(session, stream));
            while head(&mut stream).is_some() {
                let _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ntrue");
            }
        });
        let port = base.as_str().rsplit(':').next().and_then(|port| port.parse().ok());
        (port.expect("the address has a port"), certificate)
    }

    #[actix_web::test]
    async fn https_needs_a_certificate_of_a_known_authority() {
        let (port, certificate) = tls_server();
        let url = format!("https://localhost:{port}");
        let base = BaseUrl::try_from(url.clone()).expect("an address");
        let why = reason(get(base, 5000, 0).await);
        assert!(why.contains("invalid peer certificate"), "{why}");

        let mut authorities = RootCertStore::empty();
        authorities.add(certificate).expect("it is a certificate");
        let request = hyper::Request::get(url).body(Empty::new()).expect("it is a request");
        let reply = exchange(client(authorities), request).await.expect("it answers");
        assert!(reply.json::<bool>().expect("it is JSON"));
    }

    #[actix_web::test]
    async fn nobody_there_is_told_by_the_address_and_the_reason() {
        for scheme in ["http", "https"] {
            let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
            let base = BaseUrl::try_from(format!("{scheme}://127.0.0.1:{port}")).expect("an address");
            let error =
                Remote::new(base, Duration::from_secs(5), 1).get("/", "token").await.expect_err("nobody is there");
            assert_eq!(error.to_string(), format!("no answer from {scheme}://127.0.0.1:{port}"));
            assert!(error.source().expect("the reason").to_string().contains("onnect"), "{:?}", error.source());
        }
    }
}
