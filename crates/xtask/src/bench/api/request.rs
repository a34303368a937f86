//! The requests and their expected responses.

use serde_json::Value;
use test_harness::http::{Client, Reply, Request};

use super::plan::Operation;
use super::seed::SeedData;

/// The placeholder that the load generator replaces by a unique number.
const UNIQUE: &str = "{unique}";
const LINES: usize = 2;
const PAGE: usize = 20;

pub struct RequestSpec {
    pub method: &'static str,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<String>,
    /// The expected status.
    pub status: u16,
}

impl RequestSpec {
    pub fn of(operation: Operation, seeded: &SeedData, new_order: &str) -> Self {
        let order = format!("/orders/{}", seeded.order);
        let (method, path, status) = match operation {
            Operation::Get => ("GET", order, 200),
            Operation::List => ("GET", format!("/orders?limit={PAGE}"), 200),
            Operation::Place | Operation::Key => ("POST", "/orders".to_owned(), 201),
            Operation::Refused => ("GET", order, 401),
        };
        // The same length as a valid token.
        let token = if operation == Operation::Refused { "0".repeat(64) } else { seeded.token.clone() };
        let mut headers = vec![("authorization", format!("Bearer {token}"))];
        if operation == Operation::Key {
            headers.push(("idempotency-key", format!("bench-{UNIQUE}")));
        }
        let body = (method == "POST").then(|| new_order.to_owned());
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        Self { method, path, headers, body, status }
    }

    /// Sends one request and checks the response. Returns the length of its body.
    pub fn check_once(&self, operation: Operation, port: u16) -> Result<usize, String> {
        let reply = send(self.request(port), self.status)?;
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let count = |value: &Value| value.as_array().map(Vec::len);
        let is_right = match operation {
            Operation::Get | Operation::Place | Operation::Key => count(&body["lines"]) == Some(LINES),
            Operation::List => count(&body["items"]) == Some(PAGE) && body["next"].is_string(),
            Operation::Refused => body["status"] == self.status,
        };
        is_right
            .then_some(reply.body.len())
            .ok_or_else(|| format!("unexpected response to {}: {body}", operation.name()))
    }

    fn request(&self, port: u16) -> Request {
        let request = Client::new(port).request(self.method, &self.path);
        // `Request::body` sets the content type.
        let headers = self.headers.iter().filter(|(name, _)| *name != "content-type");
        let request =
            headers.fold(request, |request, (name, value)| request.header(name, value.replace(UNIQUE, "first")));
        match &self.body {
            Some(body) => request.body("application/json", body.as_str()),
            None => request,
        }
    }
}

/// Sends a request and checks the status of the response.
pub fn send(request: Request, status: u16) -> Result<Reply, String> {
    let reply = request.try_send().map_err(|error| format!("no response: {error}"))?;
    match reply.status == status {
        true => Ok(reply),
        false => Err(format!("status {} instead of {status}: {}", reply.status, String::from_utf8_lossy(&reply.body))),
    }
}
