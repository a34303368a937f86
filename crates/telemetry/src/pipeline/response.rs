//! The end of a response: its record, its breadcrumb, and the events that were held for it.

use serde_json::Map;

use super::Pipeline;
use crate::effective::EffectiveValues;
use crate::level::Level;
use crate::policy::{Kind, Policy, ToSentry};
use crate::record::{RecordedBreadcrumb, ResponseRecord};
use crate::refused_requests::RefusedRequests;
use crate::report::Report;
use crate::request::RequestContext;
use crate::settings::Env;
use crate::symbolizer::Job;

/// The maximum response content in a breadcrumb, in bytes.
const BREADCRUMB_CONTENT_BYTES: usize = 1024;

impl Pipeline {
    /// The values in effect for the response of a request.
    #[must_use]
    pub fn response_values(&self, request: &RequestContext) -> EffectiveValues {
        self.snapshot_for(request).values_for_request(Some(request.identity()), ResponseRecord::TARGET)
    }

    /// Whether a sink receives a response of this level.
    #[must_use]
    pub fn response_enabled(&self, policy: &Policy, level: Level, request: &RequestContext) -> bool {
        let destinations = policy.destinations(Kind::Response, level);
        destinations.stderr || destinations.sentry == ToSentry::Breadcrumb && request.may_still_send_event()
    }

    /// Records a response that has ended under this policy, and sends the events that were held for it.
    pub fn end_response(&self, policy: &Policy, record: Option<&ResponseRecord<'_>>, request: &RequestContext) {
        if let Some(record) = record {
            let destinations = policy.destinations(Kind::Response, record.level);
            // Most requests have no event that could carry it.
            if destinations.sentry == ToSentry::Breadcrumb && request.may_still_send_event() {
                self.store_breadcrumb(Some(request), breadcrumb(record));
            }
            if destinations.stderr && policy.env == Env::Dev && record.level >= Level::Error {
                self.symbolizer.resolve(Job::Respond(Box::new(record.to_static())));
            } else if destinations.stderr {
                self.sinks.write_response(record);
            }
        }
        for mut delivery in request.end_response() {
            delivery.event.breadcrumbs = self.breadcrumbs(Some(request));
            self.symbolizer.resolve(Job::Send(delivery));
        }
    }

    /// Counts a request refused because of a rate limit or overload.
    pub fn count_refused(&'static self, status: u16, request: &RequestContext) {
        let route = request.identity().transaction();
        self.refused_requests.count(status, route, |refused| self.report_refused(refused));
    }

    pub(super) fn report_refused(&self, refused: RefusedRequests) {
        let (message, data) = refused.into_report();
        self.report(Report { data, ..Report::service(Level::Warning, message) });
    }
}

fn breadcrumb(response: &ResponseRecord<'_>) -> RecordedBreadcrumb {
    let mut data = Map::new();
    data.insert("http.request.method".into(), (*response.method).into());
    data.insert("url.path".into(), (*response.path).into());
    if let Some(status) = response.status {
        data.insert("http.response.status_code".into(), status.into());
    }
    data.insert("http.response.body.size".into(), response.response.size.into());
    data.insert("outcome".into(), response.outcome.as_str().into());
    if let Some(content) = &response.response.content {
        let end = content.text.floor_char_boundary(BREADCRUMB_CONTENT_BYTES);
        data.insert("http.response.body.content".into(), content.text[..end].into());
    }
    let (at, level) = (response.at, response.level);
    RecordedBreadcrumb { at, level, category: "response".into(), message: response.message(), data }
}
