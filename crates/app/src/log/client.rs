//! Requests to the management listener of the running service, which is found by its settings.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use cyanotype::settings::Settings;
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

use crate::failed::Failed;

/// The longest that one request may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Where the listener is.
#[derive(Debug, PartialEq)]
pub(super) enum Place {
    Socket(PathBuf),
    Tcp { host: String, port: u16 },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "the socket {}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "http://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "http://{host}:{port}"),
        }
    }
}

impl Place {
    /// The socket where it is set and there, else the address.
    fn of(settings: &Settings) -> Result<Self, Failed> {
        let management = &settings.management;
        if let Some(path) = management.socket.as_ref().map(PathBuf::from).filter(|path| path.exists()) {
            return Ok(Self::Socket(path));
        }
        let host = match management.host.as_str() {
            // What is listened on is everything; one of it is this machine.
            "0.0.0.0" => "127.0.0.1",
            "::" | "[::]" => "::1",
            host => host.trim_start_matches('[').trim_end_matches(']'),
        };
        match management.port {
            0 => Err(Failed::BadConfiguration(
                "management.port is 0, a free port that only the service knows: set a port, or set management.socket"
                    .into(),
            )),
            port => Ok(Self::Tcp { host: host.to_owned(), port }),
        }
    }

    /// What to look at when it cannot be reached.
    fn check(&self) -> &'static str {
        match self {
            Self::Socket(_) => {
                "check that the service runs, and that this user is its own: only that one may use management.socket"
            }
            Self::Tcp { .. } => {
                "check that the service runs, and that management.host and management.port (or management.socket) are \
                 set here as they are for it"
            }
        }
    }
}

/// The management listener.
pub(super) struct Client {
    place: Place,
    token: Option<HeaderValue>,
    runtime: Runtime,
}

impl Client {
    pub(super) fn new(settings: &Settings) -> Result<Self, Failed> {
        let token = settings.management.token.as_ref().map(|token| {
            HeaderValue::from_str(&format!("Bearer {token}")).map(|mut value| {
                value.set_sensitive(true);
                value
            })
        });
        let token = token.transpose().map_err(|_| Failed::BadConfiguration("management.token is no header".into()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failed::Other(format!("cannot start: {error}")))?;
        Ok(Self { place: Place::of(settings)?, token, runtime })
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, Failed> {
        self.send(Method::GET, path, None, None)
    }

    /// Sends a request, with the version that it is meant for.
    pub(super) fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        version: Option<u64>,
    ) -> Result<Value, Failed> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, "localhost");
        request = request.header(ACCEPT, "application/json, application/problem+json");
        // A socket asks for no token.
        if let (Some(token), Place::Tcp { .. }) = (&self.token, &self.place) {
            request = request.header(AUTHORIZATION, token);
        }
        if let Some(version) = version {
            request = request.header(IF_MATCH, format!("\"{version}\""));
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Failed::Usage(format!("this cannot be sent: {error}")))?;
        let sent = self.runtime.block_on(async { tokio::time::timeout(LIMIT, self.exchange(request)).await });
        let late = || Err(format!("no answer within {} s", LIMIT.as_secs()));
        let (status, body) = sent.unwrap_or_else(|_| late()).map_err(|reason| self.unreachable(&reason))?;
        self.read(status, &body)
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), String> {
        match &self.place {
            Place::Socket(path) => over(UnixStream::connect(path).await.map_err(shown)?, request).await,
            Place::Tcp { host, port } => {
                over(TcpStream::connect((host.as_str(), *port)).await.map_err(shown)?, request).await
            }
        }
    }

    fn read(&self, status: StatusCode, body: &[u8]) -> Result<Value, Failed> {
        let json = if body.is_empty() { Some(Value::Null) } else { serde_json::from_slice(body).ok() };
        match json {
            Some(body) if status.is_success() => Ok(body),
            Some(Value::Object(problem)) => Err(Failed::Other(refusal(status, &Value::Object(problem)))),
            _ => {
                let reason = format!("what answers there (status {status}) is not the management listener");
                Err(self.unreachable(&reason))
            }
        }
    }

    fn unreachable(&self, reason: &str) -> Failed {
        Failed::Unavailable(format!("cannot reach the service at {}: {reason}; {}", self.place, self.place.check()))
    }
}

async fn over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), String> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(shown)?;
    let exchange = async move {
        let response = sender.send_request(request).await.map_err(shown)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(shown)?;
        // The connection ends with its sender.
        Ok((status, body.to_bytes()))
    };
    let (_, answered) = tokio::join!(connection, exchange);
    answered
}

fn shown(error: impl fmt::Display) -> String {
    error.to_string()
}

/// A problem in lines: what is wrong, the fields, and the mend.
fn refusal(status: StatusCode, problem: &Value) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let what = text(&problem["detail"]).or_else(|| text(&problem["title"])).unwrap_or_else(|| status.to_string());
    let mut lines = vec![format!("the service refused: {what}")];
    for error in problem["errors"].as_array().into_iter().flatten() {
        let part = |name: &str| text(&error[name]).unwrap_or_default();
        lines.push(format!("  {}: {}", part("field"), part("message")));
    }
    match status {
        StatusCode::UNAUTHORIZED => lines.push("set management.token here as it is set for the service".into()),
        StatusCode::PRECONDITION_FAILED => {
            lines.push("something else has changed what is on: look, and try again".into())
        }
        _ => {}
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use cyanotype::settings::Loader;
    use serde_json::json;

    use super::*;

    fn place(set: &[(&str, &str)]) -> Result<String, ()> {
        let loader = set.iter().fold(Loader::new("/nonexistent"), |it, (key, value)| it.flag(key, value, "--set"));
        Place::of(&loader.load().expect("good settings")).map(|place| place.to_string()).map_err(|_| ())
    }

    #[test]
    fn the_service_is_where_its_settings_put_it() {
        assert_eq!(place(&[]).as_deref(), Ok("http://127.0.0.1:8081"));
        let everywhere = [("management.host", "0.0.0.0"), ("management.port", "9000")];
        assert_eq!(place(&everywhere).as_deref(), Ok("http://127.0.0.1:9000"));
        assert_eq!(place(&[("management.host", "::")]).as_deref(), Ok("http://[::1]:8081"));
        assert_eq!(place(&[("management.socket", "/nonexistent/app.sock")]).as_deref(), Ok("http://127.0.0.1:8081"));
        assert_eq!(place(&[("management.port", "0")]), Err(()));
    }

    #[test]
    fn a_problem_is_shown_with_its_fields() {
        let problem = json!({"detail": "no", "errors": [{"field": "for", "message": "missing"}]});
        let shown = refusal(StatusCode::UNPROCESSABLE_ENTITY, &problem);
        assert_eq!(shown, "the service refused: no\n  for: missing");
    }
}
