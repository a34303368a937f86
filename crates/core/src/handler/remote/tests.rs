use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustls::RootCertStore;

use super::client::client;
use super::*;

#[test]
fn a_base_url_has_scheme_and_host_without_credentials_or_query() {
    let url = |text: &str| BaseUrl::try_from(text.to_owned());
    assert_eq!(url("http://127.0.0.1:8080/").expect("a valid URL").as_str(), "http://127.0.0.1:8080");
    let with_path = url("https://users.example/api/users").expect("a valid URL");
    assert_eq!(with_path.without("/users").as_str(), "https://users.example/api");
    for wrong in ["127.0.0.1:8080", "ftp://users.example", "http://a:b@users.example", "http://u/?q", "", "/users"] {
        assert!(url(wrong).is_err(), "{wrong}");
    }
}

/// Starts a server that passes each connection to `answer`, and counts them.
fn server(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> (BaseUrl, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("a local address").port();
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

/// The head of the next request; `None` if the client has closed the connection.
fn head(stream: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        (stream.read_line(&mut head).ok()? > 0).then_some(())?;
    }
    Some(head)
}

/// Sends the same response to every request of a connection.
fn always(answer: &'static str) -> impl Fn(TcpStream) + Send + Sync {
    move |stream| {
        let mut stream = BufReader::new(stream);
        while head(&mut stream).is_some() {
            let _ = stream.get_mut().write_all(answer.as_bytes());
        }
    }
}

async fn get(base: BaseUrl, timeout_ms: u64, retries: u32) -> Result<RemoteResponse, RemoteError> {
    RemoteClient::new(base, Duration::from_millis(timeout_ms), retries).get("/a?b=c", "token").await
}

fn reason(outcome: Result<RemoteResponse, RemoteError>) -> String {
    outcome.expect_err("no response").source().expect("a source").to_string()
}

#[actix_web::test]
async fn a_connection_is_reused() {
    let (base, connections) = server(always("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ntrue"));
    for _ in 0..3 {
        let response = get(base.clone(), 5000, 0).await.expect("a response");
        assert!(response.json::<bool>().expect("JSON"));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[actix_web::test]
async fn a_redirect_is_returned_as_a_response() {
    let answer = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let response = get(server(always(answer)).0, 5000, 0).await.expect("a response");
    assert_eq!(response.status, StatusCode::FOUND);
}

#[actix_web::test]
async fn a_request_has_no_headers_but_host_and_token() {
    let heads = Arc::new(Mutex::new(String::new()));
    let received = Arc::clone(&heads);
    let (base, _) = server(move |stream| {
        let mut stream = BufReader::new(stream);
        *received.lock().expect("not poisoned") = head(&mut stream).expect("a request");
        let _ = stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
    });
    get(base.clone(), 5000, 0).await.expect("a response");
    let head = heads.lock().expect("not poisoned").to_lowercase();
    let mut lines: Vec<&str> = head.trim_end().lines().collect();
    lines.sort_unstable();
    let host = base.as_str().replace("http://", "host: ");
    assert_eq!(lines, ["authorization: bearer token", "get /a?b=c http/1.1", &host]);
}

#[actix_web::test]
async fn the_timeout_includes_the_body() {
    // The head after 0.2 s, the body 0.2 s later: each alone would be within the timeout.
    let (base, connections) = server(|stream| {
        let mut stream = BufReader::new(stream);
        head(&mut stream);
        for part in ["HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n", "true"] {
            std::thread::sleep(Duration::from_millis(200));
            let _ = stream.get_mut().write_all(part.as_bytes());
        }
    });
    assert_eq!(reason(get(base, 300, 1).await), "timed out after 300 ms");
    assert_eq!(connections.load(Ordering::SeqCst), 2, "one attempt and one retry");
}

#[actix_web::test]
async fn an_oversized_response_is_an_error() {
    let (base, _) = server(|stream| {
        let mut stream = BufReader::new(stream);
        head(&mut stream);
        let _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        // Until the client closes the connection.
        while stream.get_mut().write_all(chunk.as_bytes()).is_ok() {}
    });
    assert_eq!(reason(get(base, 5000, 0).await), "response body larger than 2097152 bytes");
}

/// Starts a TLS server with a self-signed certificate for `localhost`; returns its port and certificate.
fn tls_server() -> (u16, rustls::pki_types::CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate can be made");
    let certificate = made.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
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
async fn https_requires_a_certificate_from_a_trusted_authority() {
    let (port, certificate) = tls_server();
    let url = format!("https://localhost:{port}");
    let base = BaseUrl::try_from(url.clone()).expect("an address");
    let why = reason(get(base, 5000, 0).await);
    assert!(why.contains("invalid peer certificate"), "{why}");

    let mut authorities = RootCertStore::empty();
    authorities.add(certificate).expect("a certificate");
    let request = hyper::Request::get(url).body(Empty::new()).expect("a request");
    let response = send(client(authorities), request).await.expect("a response");
    assert!(response.json::<bool>().expect("JSON"));
}

#[actix_web::test]
async fn a_refused_connection_is_reported_with_url_and_reason() {
    for scheme in ["http", "https"] {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
        let base = BaseUrl::try_from(format!("{scheme}://127.0.0.1:{port}")).expect("an address");
        let error = RemoteClient::new(base, Duration::from_secs(5), 1)
            .get("/", "token")
            .await
            .expect_err("a refused connection");
        assert_eq!(error.to_string(), format!("request to {scheme}://127.0.0.1:{port} failed"));
        assert!(error.source().expect("a source").to_string().contains("onnect"), "{:?}", error.source());
    }
}
