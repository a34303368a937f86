//! The response-logging wrapper: what every blueprint returns is recorded.
//!
//! A response never waits for its record, and its record never changes how it is sent: a finished body is taken by
//! reference count, anything else is watched as it goes by.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use actix_web::Error;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use actix_web::http::{Method, StatusCode, Uri};
use actix_web::middleware::Next;
use jiff::Timestamp;

use super::client_address::client_address;
use super::failures::Accounted;
use super::recorded_body::Recorded;
use crate::failure::Failure;
use crate::pipeline::{Pipeline, Report};
use crate::record::{Detail, Kind, Level, Outcome, Record, ResponseDetail};
use crate::redact::{Content, Redactor, Syntax};
use crate::request::{self, RequestContext};
use crate::settings::{Network, ResponseBody, Settings};

/// What is recorded of responses.
#[derive(Debug)]
pub(crate) struct Config {
    body: ResponseBody,
    max_bytes: usize,
    trusted_proxies: Vec<Network>,
}

impl Config {
    pub fn of(settings: &Settings) -> Self {
        Self {
            body: settings.log.response.body,
            max_bytes: settings.log.response.max_bytes,
            trusted_proxies: settings.server.trusted_proxies.clone(),
        }
    }
}

pub(crate) async fn record_response<B: MessageBody + 'static>(
    pipeline: &'static Pipeline,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<Recorded<B>>, Error> {
    let context = request::current().expect("the context layer stands outside this one");
    let exchange = Exchange::begin(pipeline, context, &request);
    match next.call(request).await {
        Ok(response) => Ok(exchange.answered(response)),
        Err(error) => {
            exchange.answered_with_error(&error);
            Err(error)
        }
    }
}

/// One request and its answer. Dropped before its end, it is recorded as left by the client.
pub(crate) struct Exchange {
    pipeline: &'static Pipeline,
    pub context: Arc<RequestContext>,
    began: Instant,
    method: Method,
    uri: Uri,
    peer: Option<SocketAddr>,
    /// As found: read only when there is a record to write.
    forwarded: HeaderMap,
    user_agent: Option<HeaderValue>,
    answer: Option<Answer>,
    ended: bool,
}

/// What is known once the handler has answered.
struct Answer {
    status: StatusCode,
    syntax: Option<Syntax>,
    size: BodySize,
    accounted: bool,
}

impl Exchange {
    fn begin(pipeline: &'static Pipeline, context: Arc<RequestContext>, request: &ServiceRequest) -> Self {
        let mut forwarded = HeaderMap::new();
        if !pipeline.response_log.trusted_proxies.is_empty() {
            for name in ["forwarded", "x-forwarded-for"] {
                for value in request.headers().get_all(name) {
                    forwarded.append(actix_web::http::header::HeaderName::from_static(name), value.clone());
                }
            }
        }
        // Asked now: a request that panics or is left behind is gone with its answer.
        context.set_endpoint(request.method().clone(), request.match_pattern());
        Self {
            pipeline,
            context,
            began: Instant::now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            peer: request.peer_addr(),
            forwarded,
            user_agent: request.headers().get(USER_AGENT).cloned(),
            answer: None,
            ended: false,
        }
    }

    fn answered<B: MessageBody>(mut self, response: ServiceResponse<B>) -> ServiceResponse<Recorded<B>> {
        self.answer = Some(Answer {
            status: response.status(),
            syntax: syntax(response.headers()),
            size: response.response().body().size(),
            accounted: response.response().extensions().get::<Accounted>().is_some(),
        });
        response.map_body(|_, body| Recorded::new(body, self))
    }

    fn answered_with_error(mut self, error: &Error) {
        let response = error.as_response_error().error_response();
        self.answer = Some(Answer {
            status: response.status(),
            syntax: syntax(response.headers()),
            size: response.body().size(),
            accounted: true,
        });
        let body = response.into_body().try_into_bytes().unwrap_or_default();
        self.end(Outcome::Complete, &body, body.len() as u64);
    }

    /// The most bytes of the body that the record needs.
    pub fn wanted(&self) -> usize {
        let shown = self.pipeline.response_log.body == ResponseBody::Redacted && self.syntax().is_some();
        if shown { self.pipeline.response_log.max_bytes } else { 0 }
    }

    fn syntax(&self) -> Option<Syntax> {
        self.answer.as_ref().and_then(|answer| answer.syntax)
    }

    /// Whether an answer that has passed on so many bytes is whole, though nobody asked for more.
    pub fn is_whole(&self, passed: u64) -> bool {
        let Some(answer) = &self.answer else { return false };
        self.method == Method::HEAD
            || matches!(answer.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || match answer.size {
                BodySize::None => true,
                BodySize::Sized(size) => passed >= size,
                BodySize::Stream => false,
            }
    }

    /// Records the response; `seen` is the beginning of its body, `passed` the bytes of it that were passed on.
    pub fn end(&mut self, outcome: Outcome, seen: &[u8], passed: u64) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let status = self.answer.as_ref().map(|answer| answer.status);
        let level = match status {
            _ if outcome == Outcome::Error => Level::Error,
            Some(status) if status.is_server_error() => Level::Error,
            Some(status) if status.is_client_error() => Level::Warning,
            _ => Level::Info,
        };
        let recorded = self.pipeline.response_log.body != ResponseBody::Off && self.pipeline.wants_response(level);
        let record = recorded.then(|| self.record(level, outcome, seen, passed));
        request::sync_scope(Arc::clone(&self.context), || {
            self.pipeline.answered(record, &self.context);
            let accounted = self.answer.as_ref().is_none_or(|answer| answer.accounted);
            if let Some(status) = status.filter(|status| status.is_server_error() && !accounted) {
                // A plain 5xx is a failure too, and the answer is all that is known of it.
                self.report(Failure::plain("HttpResponse", format!("answered {status}")));
            }
        });
    }

    /// Reports what failed while the body was sent.
    pub fn report(&self, failure: Failure) {
        self.pipeline.report(Report::failure(Kind::Uncaught, "cyanotype::response_log", failure));
    }

    fn record(&self, level: Level, outcome: Outcome, seen: &[u8], passed: u64) -> Record {
        let config = &self.pipeline.response_log;
        let redactor: &Redactor = &self.pipeline.redactor;
        let status = self.answer.as_ref().map(|answer| answer.status.as_u16());
        let path = self.uri.path().to_owned();
        let said = status.map_or_else(|| outcome.as_str().to_owned(), |status| status.to_string());
        let content: Option<Content> =
            (config.body == ResponseBody::Redacted).then(|| self.syntax()).flatten().map(|syntax| {
                let is_all = seen.len() as u64 >= passed;
                let whole = is_all && outcome == Outcome::Complete;
                let content = redactor.content(seen, syntax, config.max_bytes, whole);
                Content { truncated: content.truncated || !is_all, ..content }
            });
        let client = client_address(self.peer, &self.forwarded, &config.trusted_proxies);
        Record {
            at: Timestamp::now(),
            level,
            kind: Kind::Response,
            message: format!("{} {path} {said}", self.method),
            target: "cyanotype::response_log".into(),
            span: None,
            request: Some(Arc::clone(&self.context)),
            failure: None,
            event_id: None,
            detail: Detail::Response(Box::new(ResponseDetail {
                method: self.method.to_string(),
                route: self.context.route().map(str::to_owned),
                path,
                query: self.uri.query().map(|query| redactor.query(query)),
                status,
                duration_ms: self.began.elapsed().as_secs_f64() * 1000.0,
                outcome,
                body_size: passed,
                content,
                client_address: client.map(|address| address.to_string()),
                user_agent: self
                    .user_agent
                    .as_ref()
                    .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
            })),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.end(Outcome::Aborted, &[], 0);
    }
}

/// How a body is to be read, or `None` when only its type and size are for the record.
fn syntax(headers: &HeaderMap) -> Option<Syntax> {
    let is_coded = headers.get(CONTENT_ENCODING).is_some_and(|coding| coding.as_bytes() != b"identity");
    let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?.to_ascii_lowercase();
    let (essence, parameters) = content_type.split_once(';').unwrap_or((&content_type, ""));
    let charset = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("charset="));
    let is_readable = charset.is_none_or(|charset| matches!(charset.trim_matches('"'), "utf-8" | "us-ascii"));
    if is_coded || !is_readable {
        return None;
    }
    match essence.trim() {
        "application/x-www-form-urlencoded" => Some(Syntax::Form),
        "application/json" | "application/x-ndjson" => Some(Syntax::Json),
        json if json.ends_with("+json") => Some(Syntax::Json),
        "application/xml" => Some(Syntax::Text),
        text if text.starts_with("text/") || text.ends_with("+xml") => Some(Syntax::Text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(content_type: &str, coding: Option<&str>) -> Option<Syntax> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().expect("a header"));
        if let Some(coding) = coding {
            headers.insert(CONTENT_ENCODING, coding.parse().expect("a header"));
        }
        syntax(&headers)
    }

    #[test]
    fn texts_are_shown_and_everything_else_is_not() {
        assert_eq!(shown("application/json", None), Some(Syntax::Json));
        assert_eq!(shown("application/problem+json", None), Some(Syntax::Json));
        assert_eq!(shown("text/html; charset=UTF-8", None), Some(Syntax::Text));
        assert_eq!(shown("application/x-www-form-urlencoded", None), Some(Syntax::Form));
        assert_eq!(shown("text/plain; charset=utf-16", None), None);
        assert_eq!(shown("application/json", Some("gzip")), None);
        assert_eq!(shown("application/json", Some("identity")), Some(Syntax::Json));
        for hidden in ["application/octet-stream", "image/png", "multipart/form-data; boundary=x"] {
            assert_eq!(shown(hidden, None), None, "{hidden}");
        }
    }
}
