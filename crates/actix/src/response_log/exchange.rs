//! A request with its response, and the record of the two.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderValue, USER_AGENT};
use actix_web::http::{Method, StatusCode};
use actix_web::{Error, HttpResponse};
use cyanotype_telemetry::failure::Failure;
use cyanotype_telemetry::record::{BodyDetail, Outcome, ResponseRecord};
use cyanotype_telemetry::refused_requests::RefusedRequest;
use cyanotype_telemetry::request::{self, RequestContext, RequestParts};
use cyanotype_telemetry::settings::{Env, ResponseLog};
use cyanotype_telemetry::{Kind, Level, Pipeline, Policy, Report, sampling};
use jiff::Timestamp;

use super::actix_error::failure_of;
use super::already_reported::AlreadyReported;
use super::body_prefix::BodyPrefix;
use super::config::Config;
use super::request_body::RequestBody;
use crate::content_type::ContentType;
use crate::route::route;

/// A request with its response. When it is dropped before the end, it is recorded with the outcome so far.
pub(super) struct Exchange {
    pipeline: &'static Pipeline,
    config: Rc<Config>,
    pub context: Arc<RequestContext>,
    request_body: Option<RequestBody>,
    response: Option<Response>,
    /// The response body that has been sent.
    pub prefix: BodyPrefix,
    ended: bool,
}

/// The properties of the response, once the handler has responded.
struct Response {
    status: StatusCode,
    content_type: ContentType,
    size: BodySize,
    log: ResponseLog,
    /// The failure behind a 5xx, when it has not been reported yet.
    failure: Option<Failure>,
    /// Whether the request was refused because of a rate limit or overload.
    is_refused: bool,
}

impl Exchange {
    pub(super) fn begin(
        pipeline: &'static Pipeline,
        config: Rc<Config>,
        context: Arc<RequestContext>,
        request: &mut ServiceRequest,
    ) -> Self {
        // Looked up now: a panic or an abort drops the request.
        context.identity().set_route(route(request));
        pipeline.apply_debug_token(&context);
        let observed = context.snapshot().effective().request_body;
        Self {
            pipeline,
            context,
            request_body: RequestBody::observe(request, observed, config.request_max_bytes),
            config,
            response: None,
            prefix: BodyPrefix::default(),
            ended: false,
        }
    }

    /// Processes the handler's response. Returns itself unless the exchange has ended.
    pub(super) fn on_response<B: MessageBody>(mut self: Box<Self>, response: &ServiceResponse<B>) -> Option<Box<Self>> {
        let response = response.response();
        self.response = Some(self.response(response, response.error()));
        if self.context.identity().parts.method == Method::HEAD {
            // The body of a response to HEAD is not sent.
            self.end(Outcome::Complete);
            return None;
        }
        self.prefix = BodyPrefix::new(self.prefix_limit());
        Some(self)
    }

    /// Processes the handler's error, which an outer layer turns into a response.
    pub(super) fn on_error(mut self, error: &Error) {
        let response = error.as_response_error().error_response();
        self.response = Some(self.response(&response, Some(error)));
        self.prefix = BodyPrefix::new(self.prefix_limit());
        if self.context.identity().parts.method != Method::HEAD {
            self.prefix.push_complete(&response.into_body().try_into_bytes().unwrap_or_default());
        }
        self.end(Outcome::Complete);
    }

    fn response<B: MessageBody>(&self, response: &HttpResponse<B>, error: Option<&Error>) -> Response {
        let status = response.status();
        self.context.begin_response(status.as_u16());
        let is_refused = response.extensions().get::<RefusedRequest>().is_some();
        let is_reported = is_refused || response.extensions().get::<AlreadyReported>().is_some();
        let failure = (!is_reported && status.is_server_error()).then(|| failure(status, error));
        let mut content_type = ContentType::of(response.headers());
        if status == StatusCode::SWITCHING_PROTOCOLS {
            // The following bytes belong to another protocol.
            content_type.syntax = None;
        }
        // The policy at the end of the response may only lower this.
        let mut log = self.log(self.context.snapshot().max_response_body());
        if status.as_u16() < self.config.body_from_status {
            log = log.min(ResponseLog::Metadata);
        }
        Response { status, content_type, size: response.body().size(), log, failure, is_refused }
    }

    /// The recorded detail by the rules, before there is a response; at most `max`.
    fn log(&self, max: ResponseLog) -> ResponseLog {
        let request = self.context.identity();
        self.config.rules.resolve(max, request.blueprint(), request.parts.method.as_str(), request.route())
    }

    /// The number of bytes of the response body that the record needs.
    fn prefix_limit(&self) -> usize {
        let shown =
            self.response.as_ref().is_some_and(|it| it.log == ResponseLog::Body && it.content_type.syntax.is_some());
        if shown { self.config.max_bytes } else { 0 }
    }

    /// Whether the complete response has been sent, although its end was not polled.
    fn is_fully_sent(&self) -> bool {
        let Some(response) = &self.response else { return false };
        matches!(response.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || match response.size {
                BodySize::None => true,
                BodySize::Sized(size) => self.prefix.size >= size,
                BodySize::Stream => false,
            }
    }

    /// Records the response.
    pub(super) fn end(&mut self, outcome: Outcome) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let status = self.response.as_ref().map(|response| response.status.as_u16());
        let is_refused = self.response.as_ref().is_some_and(|response| response.is_refused);
        if let Some(status) = status.filter(|_| is_refused) {
            self.pipeline.count_refused(status, &self.context);
        }
        let level = Policy::response_level(status, outcome, is_refused);
        // One version of the policy decides about this record.
        let effective = self.pipeline.response_values(&self.context);
        let max = effective.response_body;
        let log = self.response.as_ref().map_or_else(|| self.log(max), |response| response.log.min(max));
        let succeeded = level == Level::Info && outcome == Outcome::Complete && !self.context.has_failed();
        let failure = self.response.as_mut().and_then(|response| response.failure.take());
        if failure.is_some() || outcome == Outcome::Error {
            // Reported below, with an event that has this response as a breadcrumb.
            self.context.mark_detached();
        }
        let recorded = log != ResponseLog::Off
            && self.pipeline.response_enabled(&effective.policy, level, &self.context)
            && (!succeeded || sampling::is_sampled(effective.response_sample_rate));
        // Later reads of the request body are not recorded.
        let request_prefix = self.request_body.as_ref().map(|request| request.prefix.take());
        request::run_in_sync(&self.context, || {
            if level >= Level::Error {
                self.pipeline.write_retroactive_lines(&self.context);
            }
            // In development, the reason of a failed response is read before the response.
            let (before, after) = if effective.policy.env == Env::Dev { (failure, None) } else { (None, failure) };
            if let Some(failure) = before {
                self.report(failure);
            }
            let record =
                recorded.then(|| self.record(level, log, effective.request_body, outcome, request_prefix.as_ref()));
            self.pipeline.end_response(&effective.policy, record.as_ref(), &self.context);
            if let Some(failure) = after {
                self.report(failure);
            }
            self.context.end(status, outcome == Outcome::Error);
        });
    }

    /// Reports an uncaught failure.
    pub(super) fn report(&self, failure: Failure) {
        self.pipeline.report(Report::failure(Kind::Uncaught, "cyanotype::response_log", failure));
    }

    fn record<'a>(
        &'a self,
        level: Level,
        log: ResponseLog,
        max_request_detail: ResponseLog,
        outcome: Outcome,
        request_prefix: Option<&'a BodyPrefix>,
    ) -> ResponseRecord<'a> {
        let redactor = &self.pipeline.redactor;
        let request = self.context.identity();
        let RequestParts { method, uri, client, .. } = &request.parts;
        let content_type = self.response.as_ref().map(|response| &response.content_type);
        let ended = outcome == Outcome::Complete;
        let response = self.body(log, content_type, &self.prefix, ended, self.config.max_bytes);
        let observed = self.request_body.as_ref().filter(|_| max_request_detail != ResponseLog::Off);
        let request_body = observed.zip(request_prefix).map(|(request, prefix)| {
            let log = log.min(max_request_detail).min(request.log);
            let log = if self.context.withholds_body() { log.min(ResponseLog::Metadata) } else { log };
            let max_bytes = self.config.request_max_bytes;
            let mut body = self.body(log, Some(&request.content_type), prefix, prefix.ended, max_bytes);
            if let Some(content) = &mut body.content {
                // The handler did not read the rest, or the client did not send it.
                content.truncated |= !prefix.ended;
            }
            body
        });
        let mut record = ResponseRecord {
            at: Timestamp::now(),
            level,
            request: Arc::clone(request),
            scope: self.context.event_scope(),
            method: redactor.header(method.as_str()),
            path: redactor.path(uri.path()),
            query: uri.query().map(|query| redactor.query(query).into()),
            status: self.response.as_ref().map(|response| response.status.as_u16()),
            duration: self.context.started().elapsed(),
            outcome,
            response,
            request_body,
            client_address: *client,
            client_pseudonym: client.and_then(|address| redactor.pseudonym("client.address", &address)),
            user_agent: request.parts.header(&USER_AGENT).map(|value| self.redacted_header(value)),
            truncated: Vec::new(),
        };
        record.cut_client_texts(self.config.client_text_limits);
        record
    }

    /// The body's part of the record; `ended` is whether the body has ended.
    fn body<'a>(
        &'a self,
        log: ResponseLog,
        content_type: Option<&'a ContentType>,
        prefix: &'a BodyPrefix,
        ended: bool,
        max_bytes: usize,
    ) -> BodyDetail<'a> {
        let is_complete = prefix.bytes().len() as u64 >= prefix.size;
        let syntax = content_type.and_then(|it| it.syntax).filter(|_| log == ResponseLog::Body);
        let content = syntax.map(|syntax| {
            let mut content = self.pipeline.redactor.content(prefix.bytes(), syntax, max_bytes, ended && is_complete);
            content.truncated |= !is_complete;
            content
        });
        BodyDetail {
            content_type: content_type.and_then(|it| Some(self.redacted_header(it.content_type.as_ref()?))),
            coding: content_type.and_then(|it| Some(self.redacted_header(it.coding.as_ref()?))),
            size: prefix.size,
            content,
        }
    }

    /// The redacted value of a header, which a client may have chosen.
    fn redacted_header<'a>(&self, value: &'a HeaderValue) -> Cow<'a, str> {
        const COMMON_VALUE: &str = "application/json";
        if value == COMMON_VALUE {
            return Cow::Borrowed(COMMON_VALUE);
        }
        match String::from_utf8_lossy(value.as_bytes()) {
            Cow::Borrowed(text) => self.pipeline.redactor.header(text),
            Cow::Owned(text) => Cow::Owned(self.pipeline.redactor.header(&text).into_owned()),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let outcome = match self.response {
            Some(_) if self.is_fully_sent() => Outcome::Complete,
            Some(_) => Outcome::Aborted,
            // The service may have no middleware that catches panics.
            None if std::thread::panicking() => Outcome::Error,
            None => Outcome::Aborted,
        };
        self.end(outcome);
    }
}

/// The failure behind an unreported 5xx; without an error, only the status is known.
fn failure(status: StatusCode, error: Option<&Error>) -> Failure {
    match error {
        Some(error) => failure_of(error),
        None => Failure::from_message("HttpResponse", format!("responded with {status}")),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::client_address::ClientAddressResolver;
    use crate::response_log::Rules;
    use crate::test_support::{self, Fixture};

    #[test]
    fn only_the_recorded_part_of_a_body_is_stored() {
        for (body, content_type, expected) in [
            ("redacted", "application/json", 100),
            ("redacted", "application/octet-stream", 0),
            ("metadata", "application/json", 0),
            ("metadata", "application/octet-stream", 0),
        ] {
            let settings = test_support::settings(&[("log.response.body", body), ("log.response.max_bytes", "100")]);
            let config = Config::new(&settings.log, ClientAddressResolver::new(&settings.server), Rules::new([]));
            let service = Fixture::new(&[("log.response.body", body)]);
            let mut request = TestRequest::default().to_srv_request();
            let mut exchange = Exchange::begin(service.pipeline, Rc::new(config), service.request("one"), &mut request);
            assert_eq!(exchange.prefix_limit(), 0, "there is no response yet");
            let response = HttpResponse::Ok().content_type(content_type).finish();
            exchange.response = Some(exchange.response(&response, None));
            assert_eq!(exchange.prefix_limit(), expected, "{body} {content_type}");
        }
    }
}
