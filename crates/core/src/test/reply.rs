//! An answer, and all that its request has left in the sinks.

use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, to_bytes};
use actix_web::{Error, HttpResponse};
use cyanotype_telemetry::memory::MemorySink;
use cyanotype_telemetry::pipeline;
use serde_json::Value;

/// Reading a process's debug information for its first stack takes its time.
const STACKS_LIMIT: Duration = Duration::from_secs(60);

/// An answer that has been read.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code of the response.
    pub status: u16,
    /// The body as it came, as far as it did.
    pub body: Vec<u8>,
    headers: Vec<(String, String)>,
    records: Vec<Value>,
    events: Vec<Value>,
}

impl Reply {
    pub(super) async fn read(answered: Result<HttpResponse<BoxBody>, Error>, memory: &MemorySink) -> Self {
        let response = answered.unwrap_or_else(|error| error.error_response());
        let status = response.status().as_u16();
        let shown = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers: Vec<(String, String)> =
            response.headers().iter().map(|(name, value)| (name.to_string(), shown(value.as_bytes()))).collect();
        let body = to_bytes(response.into_body()).await.map(|bytes| bytes.to_vec()).unwrap_or_default();
        if let Some(pipeline) = pipeline() {
            pipeline.wait_for_stacks(Instant::now() + STACKS_LIMIT);
        }
        let id = headers.iter().find(|(name, _)| name == "x-request-id").map_or("", |(_, id)| id);
        let (records, events) = memory.of_request(id);
        Self { status, body, headers, records, events }
    }

    /// The first header of this name, given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The body as text; what is no UTF-8 in it is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{} with a body that is no JSON ({error}): {}", self.status, self.text()))
    }

    /// All records of the request, in their order, as stderr has them: a line of JSON each.
    #[must_use]
    pub fn records(&self) -> &[Value] {
        &self.records
    }

    /// The records of this kind: `line`, `response`, `breadcrumb`, `exception`, `message`, `uncaught`.
    #[must_use]
    pub fn records_of(&self, kind: &str) -> Vec<&Value> {
        self.records.iter().filter(|record| record["kind"] == kind).collect()
    }

    /// The record of the response.
    ///
    /// # Panics
    /// When there is not exactly one.
    #[must_use]
    #[track_caller]
    pub fn response_record(&self) -> &Value {
        match self.records_of("response")[..] {
            [one] => one,
            ref others => panic!("{} response records instead of one", others.len()),
        }
    }

    /// The content of the response, as its record shows it: redacted, as JSON.
    ///
    /// # Panics
    /// When there is none, or it is no JSON.
    #[must_use]
    #[track_caller]
    pub fn recorded_json(&self) -> Value {
        let content = self.response_record()["http.response.body.content"].as_str();
        let content = content.unwrap_or_else(|| panic!("no content in {}", self.response_record()));
        serde_json::from_str(content).unwrap_or_else(|error| panic!("{error}: {content}"))
    }

    /// The events of the request, as Sentry gets them. A build without Sentry has none.
    #[must_use]
    pub fn events(&self) -> &[Value] {
        &self.events
    }

    /// Asserts that a text is in no record and no event of the request.
    ///
    /// # Panics
    /// With the first that shows it.
    #[track_caller]
    pub fn assert_never_logged(&self, secret: &str) {
        for shown in self.records.iter().chain(&self.events) {
            assert!(!shown.to_string().contains(secret), "{secret} is in {shown:#}");
        }
    }
}
