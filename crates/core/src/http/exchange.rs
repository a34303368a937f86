//! One request and its answer, and the record that is made of them.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix_web::Error;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use actix_web::http::{Method, StatusCode, Uri};
use jiff::Timestamp;

use super::client_address::client_address;
use super::content_type::ContentType;
use super::failures::{Accounted, Foreign};
use super::recorded_body::Recorded;
use super::request_body::RequestBody;
use super::response_log::Config;
use crate::failure::Failure;
use crate::pipeline::{Pipeline, Report};
use crate::record::{BodyDetail, Detail, Kind, Level, Outcome, Record, ResponseDetail};
use crate::request::{self, RequestContext};
use crate::sampling;
use crate::settings::ResponseLog;

/// Dropped before its end, it is recorded as left by the client.
pub(crate) struct Exchange {
    pipeline: &'static Pipeline,
    config: Rc<Config>,
    pub context: Arc<RequestContext>,
    began: Instant,
    method: Method,
    uri: Uri,
    peer: Option<SocketAddr>,
    /// As found: read only when there is a record to write.
    forwarded: HeaderMap,
    user_agent: Option<HeaderValue>,
    request_body: Option<RequestBody>,
    answer: Option<Answer>,
    ended: bool,
}

/// What is known once the handler has answered.
struct Answer {
    status: StatusCode,
    content_type: ContentType,
    size: BodySize,
    log: ResponseLog,
    /// What a plain 5xx has not told anyone yet.
    failure: Option<Failure>,
}

impl Exchange {
    pub fn begin(
        pipeline: &'static Pipeline,
        config: Rc<Config>,
        context: Arc<RequestContext>,
        request: &mut ServiceRequest,
    ) -> Self {
        let mut forwarded = HeaderMap::new();
        if !config.trusted_proxies.is_empty() {
            for name in ["forwarded", "x-forwarded-for"] {
                for value in request.headers().get_all(name) {
                    forwarded.append(HeaderName::from_static(name), value.clone());
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
            request_body: RequestBody::watch(request, config.request_body, config.request_max_bytes),
            config,
            answer: None,
            ended: false,
        }
    }

    pub fn answered<B: MessageBody>(mut self, response: ServiceResponse<B>) -> ServiceResponse<Recorded<B>> {
        let accounted = response.response().extensions().get::<Accounted>().is_some();
        let error = response.response().error();
        let failure = (!accounted && response.status().is_server_error()).then(|| failure(response.status(), error));
        self.answer =
            Some(self.answer(response.status(), response.headers(), response.response().body().size(), failure));
        response.map_body(|_, body| Recorded::new(body, self))
    }

    /// An error that passes by becomes its own answer further out.
    pub fn answered_with_error(mut self, error: &Error) {
        let response = error.as_response_error().error_response();
        let accounted = error.as_error::<super::failures::Answer>().is_some();
        let failure =
            (!accounted && response.status().is_server_error()).then(|| failure(response.status(), Some(error)));
        self.answer = Some(self.answer(response.status(), response.headers(), response.body().size(), failure));
        let body = response.into_body().try_into_bytes().unwrap_or_default();
        self.end(Outcome::Complete, &body, body.len() as u64);
    }

    fn answer(&self, status: StatusCode, headers: &HeaderMap, size: BodySize, failure: Option<Failure>) -> Answer {
        let mut content_type = ContentType::of(headers);
        if status == StatusCode::SWITCHING_PROTOCOLS {
            // What follows is another protocol's.
            content_type.syntax = None;
        }
        let mut log = self.log();
        if status.as_u16() < self.config.body_from_status {
            log = log.min(ResponseLog::Metadata);
        }
        Answer { status, content_type, size, log, failure }
    }

    /// How much is recorded, as far as it is known before there is an answer.
    fn log(&self) -> ResponseLog {
        self.config.rules.of(self.context.blueprint(), self.method.as_str(), self.context.route())
    }

    /// The most bytes of the response's body that the record needs.
    pub fn wanted(&self) -> usize {
        let shown =
            self.answer.as_ref().is_some_and(|it| it.log == ResponseLog::Body && it.content_type.syntax.is_some());
        if shown { self.config.max_bytes } else { 0 }
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
        let log = self.answer.as_ref().map_or_else(|| self.log(), |answer| answer.log);
        let succeeded = level == Level::Info && outcome == Outcome::Complete && !self.context.has_failed();
        let recorded = log != ResponseLog::Off
            && self.pipeline.wants_response(level)
            && (!succeeded || sampling::draws(self.config.sample_rate));
        let record = recorded.then(|| self.record(level, log, outcome, seen, passed));
        let failure = self.answer.as_mut().and_then(|answer| answer.failure.take());
        request::sync_scope(Arc::clone(&self.context), || {
            self.pipeline.answered(record, &self.context);
            if let Some(failure) = failure {
                self.report(failure);
            }
        });
    }

    /// Reports what nobody caught.
    pub fn report(&self, failure: Failure) {
        self.pipeline.report(Report::failure(Kind::Uncaught, "cyanotype::response_log", failure));
    }

    fn record(&self, level: Level, log: ResponseLog, outcome: Outcome, seen: &[u8], passed: u64) -> Record {
        let redactor = &self.pipeline.redactor;
        let status = self.answer.as_ref().map(|answer| answer.status.as_u16());
        let method = redactor.header(self.method.as_str()).into_owned();
        let path = redactor.path(self.uri.path()).into_owned();
        let said = status.map_or_else(|| outcome.as_str().to_owned(), |status| status.to_string());
        let content_type = self.answer.as_ref().map(|answer| answer.content_type.clone()).unwrap_or_default();
        let response = self.body(log, content_type, seen, passed, outcome == Outcome::Complete, self.config.max_bytes);
        let request = self.request_body.as_ref().map(|request| {
            let seen = request.seen.borrow();
            let log = log.min(self.config.request_body);
            let content_type = request.content_type.clone();
            let max_bytes = self.config.request_max_bytes;
            let mut body = self.body(log, content_type, seen.beginning(), seen.passed, seen.ended, max_bytes);
            if let Some(content) = &mut body.content {
                // What the handler did not read, or the client did not send.
                content.truncated |= !seen.ended;
            }
            body
        });
        let client = client_address(self.peer, &self.forwarded, &self.config.trusted_proxies);
        let user_agent = self.user_agent.as_ref().map(|value| String::from_utf8_lossy(value.as_bytes()));
        Record {
            at: Timestamp::now(),
            level,
            kind: Kind::Response,
            message: format!("{method} {path} {said}"),
            target: "cyanotype::response_log".into(),
            span: None,
            request: Some(Arc::clone(&self.context)),
            failure: None,
            event_id: None,
            detail: Detail::Response(Box::new(ResponseDetail {
                method,
                route: self.context.route().map(str::to_owned),
                path,
                query: self.uri.query().map(|query| redactor.query(query)),
                status,
                duration_ms: self.began.elapsed().as_secs_f64() * 1000.0,
                outcome,
                response,
                request,
                client_address: client.map(|address| address.to_string()),
                user_agent: user_agent.map(|text| redactor.header(&text).into_owned()),
            })),
        }
    }

    /// What is told of a body; `ended` says whether `passed` is all of it.
    fn body(
        &self,
        log: ResponseLog,
        of: ContentType,
        seen: &[u8],
        passed: u64,
        ended: bool,
        max_bytes: usize,
    ) -> BodyDetail {
        let is_all = seen.len() as u64 >= passed;
        let shown = of.syntax.filter(|_| log == ResponseLog::Body);
        let content = shown.map(|syntax| {
            let mut content = self.pipeline.redactor.content(seen, syntax, max_bytes, ended && is_all);
            content.truncated |= !is_all;
            content.into_owned()
        });
        // A client chooses those of its request.
        let shown = |text: Option<String>| text.map(|text| self.pipeline.redactor.header(&text).into_owned());
        BodyDetail { content_type: shown(of.content_type), coding: shown(of.coding), size: passed, content }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // A service may have no layer that catches panics.
        let outcome = if std::thread::panicking() { Outcome::Error } else { Outcome::Aborted };
        self.end(outcome, &[], 0);
    }
}

/// The failure behind a 5xx that nobody has reported; where there is no error, the answer is all that is known of it.
fn failure(status: StatusCode, error: Option<&Error>) -> Failure {
    match error {
        Some(error) => Failure::of(&Foreign::of(error), None),
        None => Failure::plain("HttpResponse", format!("answered {status}")),
    }
}
