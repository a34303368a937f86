//! The probe: a blueprint that runs the steps of a script, so that tests, and developers, can exercise every row of the
//! table in docs/CONTRACT.md.

mod errors;
mod faults;
mod steps;

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder};
use cyanotype::settings::BlueprintSettings;
use cyanotype::{
    Blueprint, Breadcrumb, Event, LifecycleFuture, Migrations, Problem, Rate, RateLimits, Resources, ResponseLog,
    ResponseLogRules, Result, capture_exception,
};
use futures_util::Stream;
use futures_util::stream;
use serde::Deserialize;

pub use errors::RegisteredError;
use steps::{ProbeError, Step};

/// `POST /probe/run` runs the steps of its body in order and then finishes. So do `/probe/run/quiet`, whose responses are not
/// logged, `/probe/run/brief`, whose bodies are not logged, and `/probe/run/limited`, with a rate limit of two requests an
/// hour. `POST /probe/echo` returns its request body; `GET /probe/endless` streams without end. The module
/// [`errors`] has routes that fail.
pub struct Probe(());

impl Probe {
    /// The probe. The environment variable `PROBE_FAULT` selects a fault outside requests.
    #[expect(clippy::new_without_default, reason = "it may panic")]
    pub fn new() -> Self {
        faults::panic_if("factory panic");
        Self(())
    }
}

impl Blueprint for Probe {
    fn name(&self) -> &'static str {
        "probe"
    }

    fn prefix(&self) -> &str {
        "/probe"
    }

    fn settings(&self) -> BlueprintSettings {
        faults::panic_if("settings panic");
        BlueprintSettings::NONE
    }

    fn migrations(&self) -> Option<Migrations> {
        faults::panic_if("migrations panic");
        None
    }

    fn start<'a>(&'a self, _: &'a Resources) -> LifecycleFuture<'a> {
        faults::start()
    }

    fn stop<'a>(&'a self, _: &'a Resources) -> LifecycleFuture<'a> {
        faults::stop()
    }

    fn routes(&self, scope: &mut ServiceConfig) {
        faults::panic_if("routes panic");
        faults::panic_on_worker_if("worker panic");
        // A script may cause an event that is too large for Sentry.
        let large = web::PayloadConfig::new(16 << 20);
        scope.service(web::resource("/run").app_data(large).route(web::post().to(run)));
        scope.service(web::resource("/run/quiet").route(web::post().to(run)));
        scope.service(web::resource("/run/brief").route(web::post().to(run)).route(web::put().to(run)));
        scope.service(web::resource("/run/limited").route(web::post().to(run)).route(web::put().to(run)));
        scope.service(web::resource("/endless").route(web::get().to(endless)));
        scope.service(web::resource("/echo").route(web::post().to(echo)));
        errors::routes(scope);
    }

    fn rate_limits(&self) -> RateLimits {
        RateLimits::none().route("POST /probe/run/limited", Rate::new(2, Duration::from_secs(3600)))
    }

    fn response_log(&self) -> ResponseLogRules {
        let rules = ResponseLogRules::all(ResponseLog::Body).route("/probe/run/quiet", ResponseLog::Off);
        rules.route("POST /probe/run/brief", ResponseLog::Metadata)
    }
}

/// The `before_breadcrumb` hook of probe-app.
#[must_use]
pub fn before_breadcrumb(crumb: Breadcrumb) -> Option<Breadcrumb> {
    (crumb.category.as_deref() != Some("drop-me")).then_some(crumb)
}

/// The `before_send` hook of probe-app: it holds back failures and messages that begin with `hold-back`,
/// and tags those with `tag-me`.
#[must_use]
pub fn before_send(mut event: Event) -> Option<Event> {
    let failure = event.failure.as_ref().map(|failure| failure.first().message.as_str());
    let text = failure.or(event.message.as_deref()).unwrap_or_default();
    let (is_held_back, is_tagged) = (text.starts_with("hold-back"), text.starts_with("tag-me"));
    if is_tagged {
        event.scope_mut().tag("hook", "before_send");
    }
    (!is_held_back).then_some(event)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    #[serde(default)]
    steps: Vec<Step>,
    #[serde(default)]
    finish: Option<Finish>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Finish {
    Respond {
        respond: Respond,
    },
    Error {
        error: String,
        cause: Option<String>,
        #[serde(default)]
        report: Reporting,
    },
    Panic {
        panic: String,
        /// Panics again while the first panic unwinds, which aborts the process.
        #[serde(default)]
        twice: bool,
    },
    Stream {
        stream: Chunks,
    },
    Refuse {
        refuse: Refuse,
    },
}

/// A rejection because of load, with the time until a retry.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Refuse {
    TooManyRequests { retry_after_ms: u64 },
    Overloaded { retry_after_ms: u64 },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Respond {
    #[serde(default = "ok")]
    status: u16,
    content_type: Option<String>,
    body: Option<String>,
}

/// Whether the handler reports the error before it returns it.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Reporting {
    #[default]
    None,
    Capture,
    Log,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Chunks {
    chunks: u32,
    chunk: String,
    #[serde(default = "plain")]
    content_type: String,
    #[serde(default)]
    interval_ms: u64,
    /// The stream fails after this many chunks.
    fail_after: Option<u32>,
}

fn ok() -> u16 {
    200
}

fn plain() -> String {
    "text/plain".into()
}

async fn echo(request: HttpRequest, body: Bytes) -> HttpResponse {
    HttpResponse::Ok().content_type(request.content_type().to_owned()).body(body)
}

/// An endless stream, or an error with `fail=true`.
async fn endless(request: HttpRequest) -> Result {
    if request.query_string() == "fail=true" {
        return Err(ProbeError::of_stream().into());
    }
    let chunks = stream::repeat_with(|| Ok::<_, ProbeError>(Bytes::from_static(b"again ")));
    Ok(HttpResponse::Ok().content_type("text/plain").streaming(chunks))
}

async fn run(body: Bytes) -> Result {
    let script: Script = serde_json::from_slice(&body).map_err(|error| Problem::bad_request(error.to_string()))?;
    steps::run_all(script.steps).await?;
    match script.finish {
        None => Ok(HttpResponse::NoContent().finish()),
        Some(Finish::Respond { respond }) => respond.into_response(),
        Some(Finish::Error { error, cause, report }) => {
            let error = ProbeError::new(error, cause);
            match report {
                Reporting::None => {}
                Reporting::Capture => {
                    capture_exception(&error);
                }
                Reporting::Log => {
                    tracing::error!(error = &error as &dyn std::error::Error, "the probe is about to fail")
                }
            }
            Err(error.into())
        }
        Some(Finish::Panic { panic, twice }) => {
            let _again = twice.then(|| PanicsOnDrop);
            panic!("{panic}")
        }
        Some(Finish::Refuse { refuse }) => Err(refuse.problem()),
        Some(Finish::Stream { stream }) => {
            Ok(HttpResponse::Ok().content_type(stream.content_type.clone()).streaming(stream.into_stream()))
        }
    }
}

struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("a second panic");
    }
}

impl Refuse {
    fn problem(self) -> Problem {
        match self {
            Self::TooManyRequests { retry_after_ms } => {
                Problem::too_many_requests(Duration::from_millis(retry_after_ms), "this is too much")
            }
            Self::Overloaded { retry_after_ms } => {
                Problem::overloaded(Duration::from_millis(retry_after_ms), "too many are waiting")
            }
        }
    }
}

impl Respond {
    fn into_response(self) -> Result {
        let status = StatusCode::from_u16(self.status).map_err(|error| Problem::bad_request(error.to_string()))?;
        let mut response = HttpResponseBuilder::new(status);
        if let Some(content_type) = self.content_type {
            response.content_type(content_type);
        }
        Ok(match self.body {
            Some(body) => response.body(body),
            None => response.finish(),
        })
    }
}

impl Chunks {
    fn into_stream(self) -> impl Stream<Item = Result<Bytes, ProbeError>> {
        let interval = Duration::from_millis(self.interval_ms);
        stream::unfold(0, move |sent| {
            let failing = self.fail_after == Some(sent);
            let chunk = (sent < self.chunks || failing).then(|| self.chunk.clone());
            async move {
                if sent > 0 && !interval.is_zero() {
                    tokio::time::sleep(interval).await;
                }
                let item = chunk.map(|chunk| if failing { Err(ProbeError::of_stream()) } else { Ok(chunk.into()) });
                Some((item?, sent + 1))
            }
        })
    }
}
