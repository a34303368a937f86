//! The requests of the load generator: always the same bytes, except for an optional unique number.

/// The placeholder in a header for a number unique to each request of a run.
pub const UNIQUE: &str = "{unique}";
/// The same length as the placeholder, so that all requests have the same length.
const DIGITS: usize = UNIQUE.len();

/// The request from the command line.
pub struct RequestSpec<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub port: u16,
    /// Each `name: value`.
    pub headers: &'a [String],
    pub body: Option<&'a str>,
}

pub struct Request {
    bytes: Vec<u8>,
    unique_at: Option<usize>,
    count: u64,
}

impl Request {
    pub fn new(spec: &RequestSpec<'_>) -> Self {
        let RequestSpec { method, path, port, headers, body } = spec;
        let mut text =
            format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nuser-agent: bench-load\r\naccept: */*\r\n");
        for header in *headers {
            text.push_str(header);
            text.push_str("\r\n");
        }
        if let Some(body) = body {
            text.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        let unique_at = text.find(UNIQUE);
        text.push_str(body.unwrap_or_default());
        Self { bytes: text.into_bytes(), unique_at, count: 0 }
    }

    /// The bytes of the next request.
    pub fn next(&mut self) -> &[u8] {
        if let Some(at) = self.unique_at {
            self.count += 1;
            let mut rest = self.count;
            for digit in self.bytes[at..at + DIGITS].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_has_a_unique_number() {
        let headers = ["idempotency-key: k{unique}".to_owned()];
        let spec = RequestSpec { method: "POST", path: "/orders", port: 80, headers: &headers, body: Some("{}") };
        let mut request = Request::new(&spec);
        let next = |request: &mut Request| String::from_utf8(request.next().to_vec()).unwrap();
        let first = next(&mut request);
        assert!(first.starts_with("POST /orders HTTP/1.1\r\nhost: 127.0.0.1:80\r\n"), "{first}");
        assert!(first.ends_with("idempotency-key: k00000001\r\ncontent-length: 2\r\n\r\n{}"), "{first}");
        assert!(next(&mut request).contains("key: k00000002\r\n"));
    }
}
