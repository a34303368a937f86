//! HTTP client for the management listener of the running service. Its address comes from the settings of the service.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use cyanotype::settings::{ListenHost, Settings};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, IF_MATCH};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Runtime;

use crate::error::CommandError;

/// Timeout of a request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout of a health check; the service itself gives up on its database and its blueprints earlier.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);

/// The address of the listener.
#[derive(Debug, PartialEq)]
pub(crate) enum Endpoint {
    Socket(PathBuf),
    Tcp { host: ListenHost, port: u16 },
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "the socket {}", path.display()),
            Self::Tcp { host, port } => write!(f, "http://{}", host.with_port(*port)),
        }
    }
}

impl Endpoint {
    /// The socket if it is configured and exists, otherwise the TCP address.
    fn of(settings: &Settings) -> Result<Self, CommandError> {
        match settings.management.socket.as_ref().map(PathBuf::from) {
            Some(path) if path.exists() => Ok(Self::Socket(path)),
            _ => Self::tcp(settings),
        }
    }

    /// The socket if it is configured, otherwise the TCP address: another process may have the port.
    fn of_this_service(settings: &Settings) -> Result<Self, CommandError> {
        match &settings.management.socket {
            Some(path) => Ok(Self::Socket(PathBuf::from(path))),
            None => Self::tcp(settings),
        }
    }

    fn tcp(settings: &Settings) -> Result<Self, CommandError> {
        let management = &settings.management;
        match management.port {
            0 => Err(CommandError::BadConfiguration(
                "management.port is 0, so the service chose a free port that this command cannot determine; set a port or \
                 management.socket"
                    .into(),
            )),
            port => Ok(Self::Tcp { host: management.host.reachable(), port }),
        }
    }

    /// What to check when the listener cannot be reached.
    fn hint(&self) -> &'static str {
        match self {
            Self::Socket(_) => {
                "check that the service is running, and run this command as the user of the service: only that user can \
                 connect to management.socket"
            }
            Self::Tcp { .. } => {
                "check that the service is running, and that management.host and management.port (or management.socket) have \
                 the same values as in the service"
            }
        }
    }
}

/// A client for the management listener.
pub(crate) struct Client {
    endpoint: Endpoint,
    token: Option<HeaderValue>,
    runtime: Runtime,
}

impl Client {
    pub(crate) fn new(settings: &Settings) -> Result<Self, CommandError> {
        Self::with_endpoint(Endpoint::of(settings)?, settings)
    }

    fn with_endpoint(endpoint: Endpoint, settings: &Settings) -> Result<Self, CommandError> {
        let token = settings.management.token.as_ref().map(|token| {
            HeaderValue::from_str(&format!("Bearer {token}")).map(|mut value| {
                value.set_sensitive(true);
                value
            })
        });
        let token = token.transpose().map_err(|_| {
            CommandError::BadConfiguration(
                "management.token contains characters that an HTTP header cannot contain".into(),
            )
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| CommandError::Other(format!("cannot start the async runtime: {error}")))?;
        Ok(Self { endpoint, token, runtime })
    }

    /// Asks a health check of the service. Returns the status and the response, or why there is none.
    pub(crate) fn health(settings: &Settings, path: &str) -> Result<Result<(StatusCode, Value), String>, CommandError> {
        let client = Self::with_endpoint(Endpoint::of_this_service(settings)?, settings)?;
        let request = client.request(Method::GET, path, None, None)?;
        let exchanged = client.exchange(request, HEALTH_TIMEOUT);
        Ok(exchanged.and_then(|(status, body)| match serde_json::from_slice(&body) {
            Ok(Value::Object(body)) => Ok((status, Value::Object(body))),
            _ => Err(client.unreachable(&not_management(status))),
        }))
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value, CommandError> {
        self.send(Method::GET, path, None, None)
    }

    /// Sends a request, with the expected version as `if-match`.
    pub(crate) fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        version: Option<u64>,
    ) -> Result<Value, CommandError> {
        let request = self.request(method, path, body, version)?;
        let (status, body) = self.exchange(request, TIMEOUT).map_err(CommandError::Unavailable)?;
        self.read(status, &body)
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        version: Option<u64>,
    ) -> Result<Request<Full<Bytes>>, CommandError> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, "localhost");
        request = request.header(ACCEPT, "application/json, application/problem+json");
        // The socket requires no token.
        if let (Some(token), Endpoint::Tcp { .. }) = (&self.token, &self.endpoint) {
            request = request.header(AUTHORIZATION, token);
        }
        if let Some(version) = version {
            request = request.header(IF_MATCH, format!("\"{version}\""));
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| CommandError::Usage(format!("cannot create the request: {error}")))
    }

    /// Sends a request, and returns the response, or why there is none.
    fn exchange(&self, request: Request<Full<Bytes>>, limit: Duration) -> Result<(StatusCode, Bytes), String> {
        let exchange = async { tokio::time::timeout(limit, self.exchange_unlimited(request)).await };
        let timeout = |_| Err(format!("no response within {} s", limit.as_secs()));
        self.runtime.block_on(exchange).unwrap_or_else(timeout).map_err(|reason| self.unreachable(&reason))
    }

    async fn exchange_unlimited(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), String> {
        match &self.endpoint {
            Endpoint::Socket(path) => over(UnixStream::connect(path).await.map_err(to_text)?, request).await,
            Endpoint::Tcp { host, port } => {
                over(TcpStream::connect((host.as_str(), *port)).await.map_err(to_text)?, request).await
            }
        }
    }

    fn read(&self, status: StatusCode, body: &[u8]) -> Result<Value, CommandError> {
        let json = if body.is_empty() { Some(Value::Null) } else { serde_json::from_slice(body).ok() };
        match json {
            Some(body) if status.is_success() => Ok(body),
            Some(Value::Object(problem)) => Err(CommandError::Other(problem_text(status, &Value::Object(problem)))),
            _ => Err(CommandError::Unavailable(self.unreachable(&not_management(status)))),
        }
    }

    fn unreachable(&self, reason: &str) -> String {
        format!("cannot reach the service at {}: {reason}; {}", self.endpoint, self.endpoint.hint())
    }
}

fn not_management(status: StatusCode) -> String {
    format!("the response (status {status}) is not from a management listener")
}

async fn over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), String> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(to_text)?;
    let exchange = async move {
        let response = sender.send_request(request).await.map_err(to_text)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(to_text)?;
        // Dropping the sender closes the connection.
        Ok((status, body.to_bytes()))
    };
    let (_, response) = tokio::join!(connection, exchange);
    response
}

fn to_text(error: impl fmt::Display) -> String {
    error.to_string()
}

/// The text of a problem: its detail, the invalid fields, and the remedy.
fn problem_text(status: StatusCode, problem: &Value) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let detail = text(&problem["detail"]).or_else(|| text(&problem["title"])).unwrap_or_else(|| status.to_string());
    let mut lines = vec![format!("the service rejected the request: {detail}")];
    for error in problem["errors"].as_array().into_iter().flatten() {
        let part = |name: &str| text(&error[name]).unwrap_or_default();
        lines.push(format!("  {}: {}", part("field"), part("message")));
    }
    match status {
        StatusCode::UNAUTHORIZED => lines.push("set management.token to the same value as in the service".into()),
        StatusCode::PRECONDITION_FAILED => lines
            .push("the overrides were changed in the meantime; check them with `app log show` and try again".into()),
        _ => {}
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use cyanotype::settings::Loader;
    use serde_json::json;

    use super::*;

    fn endpoint(set: &[(&str, &str)]) -> Result<String, ()> {
        let loader = set.iter().fold(Loader::new("/nonexistent"), |it, (key, value)| it.flag(key, value, "--set"));
        Endpoint::of(&loader.load().expect("valid settings")).map(|endpoint| endpoint.to_string()).map_err(|_| ())
    }

    #[test]
    fn the_endpoint_comes_from_the_settings() {
        assert_eq!(endpoint(&[]).as_deref(), Ok("http://127.0.0.1:8081"));
        let everywhere = [("management.host", "0.0.0.0"), ("management.port", "9000")];
        assert_eq!(endpoint(&everywhere).as_deref(), Ok("http://127.0.0.1:9000"));
        for host in ["::", "[::]", "[::1]"] {
            assert_eq!(endpoint(&[("management.host", host)]).as_deref(), Ok("http://[::1]:8081"));
        }
        assert_eq!(endpoint(&[("management.socket", "/nonexistent/app.sock")]).as_deref(), Ok("http://127.0.0.1:8081"));
        assert_eq!(endpoint(&[("management.port", "0")]), Err(()));
        let socket = Loader::new("/nonexistent").flag("management.socket", "/nonexistent/app.sock", "--set");
        let own = Endpoint::of_this_service(&socket.load().expect("valid settings"));
        assert_eq!(
            own.map_err(|_| ()),
            Ok(Endpoint::Socket("/nonexistent/app.sock".into())),
            "the port may be that of another process"
        );
    }

    #[test]
    fn a_problem_is_shown_with_its_fields() {
        let problem = json!({"detail": "no", "errors": [{"field": "for", "message": "missing"}]});
        let text = problem_text(StatusCode::UNPROCESSABLE_ENTITY, &problem);
        assert_eq!(text, "the service rejected the request: no\n  for: missing");
    }
}
