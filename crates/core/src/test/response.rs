//! A response, with the records and events of its request.

use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, to_bytes};
use actix_web::{Error, HttpResponse};
use cyanotype_telemetry::memory::MemorySink;
use cyanotype_telemetry::pipeline;
use serde_json::Value;

/// Symbolizing the first stack of a process loads its debug information, which is slow.
const STACKS_LIMIT: Duration = Duration::from_secs(60);

/// A complete response, with the records and events of its request.
#[derive(Debug, Clone)]
pub struct TestResponse {
    /// Status code.
    pub status: u16,
    /// Body, up to the point where the stream ended or failed.
    pub body: Vec<u8>,
    headers: Vec<(String, String)>,
    records: Vec<Value>,
    events: Vec<Value>,
}

impl TestResponse {
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

    /// The value of the first header with this name, which must be in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The body as text; invalid UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If the body is not JSON.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("the body of the {} response is not JSON ({error}): {}", self.status, self.text())
        })
    }

    /// All records of the request in order, each as the JSON line that stderr receives.
    #[must_use]
    pub fn records(&self) -> &[Value] {
        &self.records
    }

    /// The records of a kind: `line`, `response`, `breadcrumb`, `exception`, `message` or `uncaught`.
    #[must_use]
    pub fn records_of(&self, kind: &str) -> Vec<&Value> {
        self.records.iter().filter(|record| record["kind"] == kind).collect()
    }

    /// The response record.
    ///
    /// # Panics
    /// If there is not exactly one.
    #[must_use]
    #[track_caller]
    pub fn response_record(&self) -> &Value {
        match self.records_of("response")[..] {
            [one] => one,
            ref others => panic!("{} response records instead of one", others.len()),
        }
    }

    /// The body in the response record, redacted, as JSON.
    ///
    /// # Panics
    /// If the record has no body, or it is not JSON.
    #[must_use]
    #[track_caller]
    pub fn recorded_json(&self) -> Value {
        let content = self.response_record()["http.response.body.content"].as_str();
        let content = content.unwrap_or_else(|| panic!("no content in {}", self.response_record()));
        serde_json::from_str(content).unwrap_or_else(|error| panic!("{error}: {content}"))
    }

    /// The events of the request, as Sentry receives them.
    #[must_use]
    pub fn events(&self) -> &[Value] {
        &self.events
    }

    /// Asserts that no record and no event of the request contains the given string.
    ///
    /// # Panics
    /// If one contains it; the message shows the first.
    #[track_caller]
    pub fn assert_never_logged(&self, secret: &str) {
        for shown in self.records.iter().chain(&self.events) {
            assert!(!shown.to_string().contains(secret), "{secret} is in {shown:#}");
        }
    }
}
