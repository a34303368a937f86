//! One request and its answer, and the record that is made of them.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderValue, USER_AGENT};
use actix_web::http::{Method, StatusCode};
use actix_web::{Error, HttpResponse};
use jiff::Timestamp;

use super::asked::Asked;
use super::client_address::ClientAddress;
use super::content_type::ContentType;
use super::failures::{Accounted, Foreign};
use super::recorded_body::Recorded;
use super::request_body::RequestBody;
use super::response_log::Config;
use super::routing;
use super::seen::Seen;
use crate::failure::Failure;
use crate::pipeline::{Pipeline, Report};
use crate::record::{BodyDetail, Kind, Level, Outcome, ResponseRecord};
use crate::refusals::RefusedForLoad;
use crate::request::{self, RequestContext};
use crate::sampling;
use crate::settings::ResponseLog;

/// Dropped before its end, it is recorded as what the client saw of it.
pub(crate) struct Exchange {
    pipeline: &'static Pipeline,
    config: Rc<Config>,
    pub context: Arc<RequestContext>,
    began: Instant,
    request_body: Option<RequestBody>,
    answer: Option<Answer>,
    /// What has gone by of the answer's body.
    pub seen: Seen,
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
    /// Whether the request was refused for load.
    for_load: bool,
}

impl Exchange {
    pub fn begin(
        pipeline: &'static Pipeline,
        config: Rc<Config>,
        context: Arc<RequestContext>,
        request: &mut ServiceRequest,
    ) -> Self {
        // Asked now: a request that panics or is left behind is gone with its answer.
        context.set_route(routing::route(request));
        Self {
            pipeline,
            context,
            began: Instant::now(),
            request_body: RequestBody::watch(request, config.request_body, config.request_max_bytes),
            config,
            answer: None,
            seen: Seen::default(),
            ended: false,
        }
    }

    pub fn answered<B: MessageBody>(mut self: Box<Self>, response: ServiceResponse<B>) -> ServiceResponse<Recorded<B>> {
        let answered = response.response();
        let for_load = is_for_load(answered);
        let accounted = for_load || answered.extensions().get::<Accounted>().is_some();
        let error = answered.error();
        let failure = (!accounted && response.status().is_server_error()).then(|| failure(response.status(), error));
        let answer = self.answer(response.status(), response.headers(), answered.body().size(), failure);
        self.answer = Some(Answer { for_load, ..answer });
        if self.context.asked.method == Method::HEAD {
            // Its body is not sent.
            self.end(Outcome::Complete);
            return response.map_body(|_, body| Recorded::unseen(body));
        }
        self.seen = Seen::new(self.wanted());
        response.map_body(|_, body| Recorded::new(body, self))
    }

    /// An error that passes by becomes its own answer further out.
    pub fn answered_with_error(mut self, error: &Error) {
        let response = error.as_response_error().error_response();
        let for_load = is_for_load(&response);
        let accounted = for_load || error.as_error::<super::failures::Answer>().is_some();
        let failure =
            (!accounted && response.status().is_server_error()).then(|| failure(response.status(), Some(error)));
        let answer = self.answer(response.status(), response.headers(), response.body().size(), failure);
        self.answer = Some(Answer { for_load, ..answer });
        self.seen = Seen::new(self.wanted());
        if self.context.asked.method != Method::HEAD {
            self.seen.pass_whole(&response.into_body().try_into_bytes().unwrap_or_default());
        }
        self.end(Outcome::Complete);
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
        Answer { status, content_type, size, log, failure, for_load: false }
    }

    /// How much is recorded, as far as it is known before there is an answer.
    fn log(&self) -> ResponseLog {
        self.config.rules.of(self.context.blueprint(), self.context.asked.method.as_str(), self.context.route())
    }

    /// The most bytes of the response's body that the record needs.
    fn wanted(&self) -> usize {
        let shown =
            self.answer.as_ref().is_some_and(|it| it.log == ResponseLog::Body && it.content_type.syntax.is_some());
        if shown { self.config.max_bytes } else { 0 }
    }

    /// Whether all of the answer has been passed on, though nobody asked for more.
    fn is_whole(&self) -> bool {
        let Some(answer) = &self.answer else { return false };
        matches!(answer.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || match answer.size {
                BodySize::None => true,
                BodySize::Sized(size) => self.seen.passed >= size,
                BodySize::Stream => false,
            }
    }

    /// Records the response.
    pub fn end(&mut self, outcome: Outcome) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let status = self.answer.as_ref().map(|answer| answer.status);
        let for_load = self.answer.as_ref().is_some_and(|answer| answer.for_load);
        if let Some(status) = status.filter(|_| for_load) {
            self.pipeline.refused(status.as_u16(), &self.context);
        }
        let level = match status {
            _ if outcome == Outcome::Error => Level::Error,
            Some(_) if for_load => Level::Warning,
            Some(status) if status.is_server_error() => Level::Error,
            Some(status) if status.is_client_error() => Level::Warning,
            _ => Level::Info,
        };
        let log = self.answer.as_ref().map_or_else(|| self.log(), |answer| answer.log);
        let succeeded = level == Level::Info && outcome == Outcome::Complete && !self.context.has_failed();
        let failure = self.answer.as_mut().and_then(|answer| answer.failure.take());
        if failure.is_some() || outcome == Outcome::Error {
            // It is reported in a moment, and its event tells of this response.
            self.context.go_on();
        }
        let recorded = log != ResponseLog::Off
            && self.pipeline.wants_response(level, &self.context)
            && (!succeeded || sampling::draws(self.config.sample_rate));
        // What is read of it from now on is no part of the record.
        let asked = self.request_body.as_ref().map(|request| request.seen.take());
        request::sync_scope(&self.context, || {
            let record = recorded.then(|| self.record(level, log, outcome, asked.as_ref()));
            self.pipeline.answered(record.as_ref(), &self.context);
            if let Some(failure) = failure {
                self.report(failure);
            }
        });
    }

    /// Reports what nobody caught.
    pub fn report(&self, failure: Failure) {
        self.pipeline.report(Report::failure(Kind::Uncaught, "cyanotype::response_log", failure));
    }

    fn record<'a>(
        &'a self,
        level: Level,
        log: ResponseLog,
        outcome: Outcome,
        asked: Option<&'a Seen>,
    ) -> ResponseRecord<'a> {
        let redactor = &self.pipeline.redactor;
        let Asked { method, uri, client, .. } = &self.context.asked;
        let content_type = self.answer.as_ref().map(|answer| &answer.content_type);
        let ended = outcome == Outcome::Complete;
        let response = self.body(log, content_type, &self.seen, ended, self.config.max_bytes);
        let asked = self.request_body.as_ref().zip(asked).map(|(request, seen)| {
            let most = if self.context.withholds_body() { ResponseLog::Metadata } else { self.config.request_body };
            let log = log.min(most);
            let max_bytes = self.config.request_max_bytes;
            let mut body = self.body(log, Some(&request.content_type), seen, seen.ended, max_bytes);
            if let Some(content) = &mut body.content {
                // What the handler did not read, or the client did not send.
                content.truncated |= !seen.ended;
            }
            body
        });
        ResponseRecord {
            at: Timestamp::now(),
            level,
            request: &self.context,
            method: redactor.header(method.as_str()),
            path: redactor.path(uri.path()),
            query: uri.query().map(|query| redactor.query(query)),
            status: self.answer.as_ref().map(|answer| answer.status.as_u16()),
            duration: self.began.elapsed(),
            outcome,
            response,
            asked,
            client_address: client.map(ClientAddress::ip),
            user_agent: self.context.asked.header(&USER_AGENT).map(|value| self.shown(value)),
        }
    }

    /// What is told of a body; `ended` says whether all of it has gone by.
    fn body<'a>(
        &'a self,
        log: ResponseLog,
        of: Option<&'a ContentType>,
        seen: &'a Seen,
        ended: bool,
        max_bytes: usize,
    ) -> BodyDetail<'a> {
        let is_all = seen.beginning().len() as u64 >= seen.passed;
        let shown = of.and_then(|of| of.syntax).filter(|_| log == ResponseLog::Body);
        let content = shown.map(|syntax| {
            let mut content = self.pipeline.redactor.content(seen.beginning(), syntax, max_bytes, ended && is_all);
            content.truncated |= !is_all;
            content
        });
        BodyDetail {
            content_type: of.and_then(|of| Some(self.shown(of.content_type.as_ref()?))),
            coding: of.and_then(|of| Some(self.shown(of.coding.as_ref()?))),
            size: seen.passed,
            content,
        }
    }

    /// A header's value, which a client may have chosen.
    fn shown<'a>(&self, value: &'a HeaderValue) -> Cow<'a, str> {
        const MOST_ANSWERS: &str = "application/json";
        if value == MOST_ANSWERS {
            return Cow::Borrowed(MOST_ANSWERS);
        }
        match String::from_utf8_lossy(value.as_bytes()) {
            Cow::Borrowed(text) => self.pipeline.redactor.header(text),
            Cow::Owned(text) => Cow::Owned(self.pipeline.redactor.header(&text).into_owned()),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let outcome = match self.answer {
            Some(_) if self.is_whole() => Outcome::Complete,
            Some(_) => Outcome::Aborted,
            // A service may have no layer that catches panics.
            None if std::thread::panicking() => Outcome::Error,
            None => Outcome::Aborted,
        };
        self.end(outcome);
    }
}

fn is_for_load<B>(response: &HttpResponse<B>) -> bool {
    response.extensions().get::<RefusedForLoad>().is_some()
}

/// The failure behind a 5xx that nobody has reported; where there is no error, the answer is all that is known of it.
fn failure(status: StatusCode, error: Option<&Error>) -> Failure {
    match error {
        Some(error) => Failure::of(&Foreign::of(error), None),
        None => Failure::plain("HttpResponse", format!("answered {status}")),
    }
}

#[cfg(all(test, feature = "sentry"))]
mod tests {
    use actix_web::http::header::CONTENT_TYPE;
    use actix_web::test::TestRequest;

    use super::super::rules::Rules;
    use super::*;
    use crate::pipeline::fixture;

    #[test]
    fn no_more_of_a_body_is_stored_than_its_record_shows() {
        for (body, content_type, expected) in [
            ("redacted", "application/json", 100),
            ("redacted", "application/octet-stream", 0),
            ("metadata", "application/json", 0),
            ("metadata", "application/octet-stream", 0),
        ] {
            let settings = fixture::settings(&[("log.response.body", body)]);
            let rules = Rules::new(settings.log.response.body, &[]);
            let config = Config { max_bytes: 100, ..Config::new(&settings, rules) };
            let service = fixture::pipeline(&[]);
            let mut request = TestRequest::default().to_srv_request();
            let mut exchange = Exchange::begin(service.pipeline, Rc::new(config), service.request("one"), &mut request);
            assert_eq!(exchange.wanted(), 0, "there is no response yet");
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
            exchange.answer = Some(exchange.answer(StatusCode::OK, &headers, BodySize::Stream, None));
            assert_eq!(exchange.wanted(), expected, "{body} {content_type}");
        }
    }
}
