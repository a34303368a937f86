//! Asking another process over HTTP, as part of the request in hand: its id and its trace go along.
//!
//! For a blueprint whose neighbour runs elsewhere. Questions are GETs, so that one may be asked again.

use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

use actix_web::http::header::AUTHORIZATION;
use actix_web::http::{StatusCode, Uri};
use actix_web::web::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::capture::{Breadcrumb, add_breadcrumb};
use crate::record::Level;
use crate::request;

/// Before the first try again; twice as long before the next one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

thread_local! {
    /// Connections belong to the worker that made them; one that is idle is used again.
    static CLIENT: awc::Client = awc::Client::builder().disable_redirects().no_default_headers().finish();
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
    /// `timeout` is for each try; after one that brought no answer, or 502, 503 or 504, up to `retries` more follow.
    #[must_use]
    pub fn new(base: BaseUrl, timeout: Duration, retries: u32) -> Self {
        Self { base, timeout, retries }
    }

    /// Asks for a path, with this bearer token. Any other answer than those above is an answer.
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
        let mut asked = CLIENT.with(|client| client.get(url)).timeout(self.timeout);
        asked = asked.insert_header((AUTHORIZATION, format!("Bearer {token}")));
        for header in request::current().iter().flat_map(|request| request.outgoing()) {
            asked = asked.insert_header(header);
        }
        let mut reply = asked.send().await.map_err(|error| error.to_string())?;
        let status = reply.status();
        // The head came in time; so must the body.
        let body = tokio::time::timeout(self.timeout, reply.body()).await;
        let body = body.map_err(|_| "its answer did not end in time".to_owned())?;
        Ok(Reply { status, body: body.map_err(|error| error.to_string())? })
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

/// Whether the process may answer better in a moment.
fn is_passing(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

/// What the other process answered.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
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

    #[actix_web::test]
    async fn nobody_there_is_told_by_the_address_and_the_reason() {
        for scheme in ["http", "https"] {
            let port =
                std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
            let base = BaseUrl::try_from(format!("{scheme}://127.0.0.1:{port}")).expect("an address");
            let error =
                Remote::new(base, Duration::from_secs(5), 1).get("/", "token").await.expect_err("nobody is there");
            assert_eq!(error.to_string(), format!("no answer from {scheme}://127.0.0.1:{port}"));
            assert!(error.source().expect("the reason").to_string().contains("onnect"), "{:?}", error.source());
        }
    }
}
