//! The response-logging wrapper does not change a byte of any response. A service without blueprints receives the same
//! requests with and without the wrapper, and the bytes of both connections are compared.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use system_tests::scratch::{self, Scratch};
use system_tests::service::{Running, Service};

use crate::support::of_kind;

/// The service, with all records enabled when it is wrapped.
fn start(files: &Path, arguments: &[&str]) -> Running {
    let service = Service::new(Path::new(env!("CARGO_BIN_EXE_existing-app")))
        .env("FILES", files)
        .env("APP__LOG__REQUEST__BODY", "redacted")
        .env("APP__LOG__LEVEL", "trace");
    arguments.iter().fold(service, |service, argument| service.arg(*argument)).start()
}

struct Both {
    bare: Running,
    wrapped: Running,
    _files: Scratch,
}

impl Both {
    fn start() -> Self {
        let files = Scratch::new("files");
        scratch::write(&files.join("text.txt"), "0123456789".repeat(200));
        scratch::write(&files.join("blob.bin"), "\u{0}\u{1}".repeat(3000));
        let [bare, wrapped] = [&[][..], &["--wrapped"]].map(|arguments| start(files.path(), arguments));
        Self { bare, wrapped, _files: files }
    }

    /// Sends these bytes to both services and compares the responses.
    #[track_caller]
    fn compare(&self, request: &[u8]) -> Vec<u8> {
        let [bare, wrapped] = [&self.bare, &self.wrapped].map(|service| exchange(service, request));
        let (request_text, expected) = (String::from_utf8_lossy(request), String::from_utf8_lossy(&bare));
        assert!(bare == wrapped, "{request_text}\nwithout:\n{expected}\nwith:\n{}", String::from_utf8_lossy(&wrapped));
        bare
    }

    #[track_caller]
    fn compare_text(&self, head: &str) -> Vec<u8> {
        self.compare(format!("{head}\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes())
    }

    /// The response records, except those of liveness probes.
    fn records(self) -> Vec<Value> {
        let records = self.wrapped.stop().records();
        of_kind(&records, "response").into_iter().filter(|it| it["url.path"] != "/health/live").cloned().collect()
    }
}

/// The response without its date and with sorted headers.
fn exchange(service: &Running, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", service.port)).expect("the service listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket accepts a timeout");
    stream.write_all(request).expect("the request is sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the service ends the connection");
    // A `100 Continue` precedes the head.
    let before = if answer.starts_with(b"HTTP/1.1 100 ") { end_of_head(&answer) } else { Some(0) };
    let Some(end) = before.and_then(|before| Some(before + end_of_head(&answer[before..])?)) else { return answer };
    let (head, body) = answer.split_at(end);
    let lines = head.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"date: "));
    let mut lines: Vec<&[u8]> = lines.collect();
    // actix's header map has a different iteration order for each response.
    lines[1..].sort_unstable();
    [lines.concat(), body.to_vec()].concat()
}

fn end_of_head(answer: &[u8]) -> Option<usize> {
    answer.windows(4).position(|it| it == b"\r\n\r\n").map(|at| at + 4)
}

#[test]
fn responses_are_identical_with_the_wrapper() {
    let both = Both::start();
    let mut requests = 0;
    for path in [
        "/plain",
        "/json",
        "/empty",
        "/nothing",
        "/coded",
        "/events",
        "/stream",
        "/sized",
        "/broken",
        "/error",
        "/missing",
        "/files/text.txt",
        "/files/blob.bin",
        "/files/none",
    ] {
        for accepts in ["", "\r\naccept-encoding: gzip", "\r\naccept-encoding: br", "\r\naccept-encoding: zstd"] {
            for method in ["GET", "HEAD"] {
                both.compare_text(&format!("{method} {path} HTTP/1.1{accepts}"));
                requests += 1;
            }
        }
    }
    let compressed = both.compare_text("GET /json HTTP/1.1\r\naccept-encoding: zstd");
    assert!(compressed.len() < 3000, "compressed responses are compared, too");
    let chunked = both.compare_text("GET /stream HTTP/1.1");
    assert!(String::from_utf8_lossy(&chunked).ends_with("6\r\npart 3\r\n6\r\npart 4\r\n0\r\n\r\n"), "chunk by chunk");
    let records = both.records();
    assert_eq!(records.len(), requests + 2, "every request is recorded");
    for record in records.iter().filter(|it| it["http.request.method"] == "HEAD") {
        assert_eq!(record["outcome"], "complete", "{record}");
    }
    let failed: Vec<&Value> =
        records.iter().filter(|it| it["url.path"] == "/broken" && it["outcome"] == "error").collect();
    assert_eq!(failed.len(), 4);
    for (path, kind, coding) in
        [("/coded", "text/plain; charset=utf-8", "gzip"), ("/files/blob.bin", "application/octet-stream", "")]
    {
        let record = records.iter().find(|it| it["url.path"] == path).expect("is recorded");
        assert_eq!(record["http.response.header.content-type"][0], kind);
        assert_eq!(record["http.response.header.content-encoding"][0].as_str().unwrap_or_default(), coding);
        assert_eq!(record.get("http.response.body.content"), None);
    }
}

#[test]
fn range_and_conditional_file_requests_are_identical() {
    let both = Both::start();
    let response = both.compare_text("GET /files/text.txt HTTP/1.1");
    let text = String::from_utf8_lossy(&response).into_owned();
    let etag = text.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a file has an etag");
    for (condition, status) in [
        ("range: bytes=2-5", "206"),
        ("range: bytes=-3", "206"),
        ("range: bytes=9000-", "416"),
        (&format!("if-none-match: {etag}"), "304"),
        ("if-modified-since: Fri, 01 Jan 2100 00:00:00 GMT", "304"),
        ("if-unmodified-since: Sat, 01 Jan 2000 00:00:00 GMT", "412"),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = both.compare_text(&format!("{method} /files/text.txt HTTP/1.1\r\n{condition}"));
            // Ranges do not apply to HEAD (RFC 9110, 14.2).
            let has_status = answer.starts_with(format!("HTTP/1.1 {status}").as_bytes());
            assert!(has_status || method == "HEAD", "{condition}: {}", String::from_utf8_lossy(&answer));
        }
    }
    for record in both.records() {
        assert_eq!(record["outcome"], "complete", "{record}");
    }
}

#[test]
fn request_bodies_arrive_unchanged() {
    let both = Both::start();
    let mut echoed = 0;
    for (content_type, body) in [
        ("application/json", r#"{"password":"t0psecret","n":1}"#),
        ("text/plain", ""),
        (
            "multipart/form-data; boundary=x",
            "--x\r\ncontent-disposition: form-data; name=a\r\n\r\nt0psecret\r\n--x--\r\n",
        ),
    ] {
        for path in ["/echo", "/unread"] {
            let head =
                format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {content_type}\r\n");
            both.compare(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes());
            let (one, other) = body.split_at(body.len() / 2);
            let chunks: String = [one, other]
                .iter()
                .filter(|it| !it.is_empty())
                .map(|it| format!("{:x}\r\n{it}\r\n", it.len()))
                .collect();
            both.compare(format!("{head}transfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n").as_bytes());
            both.compare(
                format!("{head}expect: 100-continue\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes(),
            );
        }
        echoed += 3;
    }
    let records = both.records();
    let echoes: Vec<&Value> = records.iter().filter(|it| it["url.path"] == "/echo").collect();
    assert_eq!(echoes.len(), echoed);
    for record in echoes {
        assert_eq!(
            record["http.request.body.size"].as_u64().unwrap_or(0),
            record["http.response.body.size"].as_u64().unwrap_or(1)
        );
        assert!(!record.to_string().contains("t0psecret"), "{record}");
    }
}

#[test]
fn web_sockets_work_with_the_wrapper() {
    let both = Both::start();
    let mut request = b"GET /socket HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\naccept-encoding: gzip\r\n\r\n"
        .to_vec();
    // With a zero mask: a text message and a close message.
    request.extend(b"\x81\x85\0\0\0\0hello");
    request.extend(b"\x88\x82\0\0\0\0\x03\xe8");
    let answer = both.compare(&request);
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    assert!(answer.ends_with(b"\x81\x05hello\x88\x02\x03\xe8"), "{:?}", String::from_utf8_lossy(&answer));
    let records = both.records();
    assert_eq!(records.len(), 1);
    assert_eq!(
        (&records[0]["http.response.status_code"], records[0].get("http.response.body.content")),
        (&101.into(), None)
    );
}

#[test]
fn malformed_requests_get_identical_responses() {
    let both = Both::start();
    for request in [
        &b"GET /plain?a=%00%ff&password=%zz HTTP/1.1"[..],
        b"GET /%00%1b%c2%9b HTTP/1.1",
        b"GET /pl\xc3\xa4in HTTP/1.1",
        b"GET /\xff\xfe HTTP/1.1",
        b"GET http://other/plain HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"CONNECT x:1 HTTP/1.1",
        b"BREW /plain HTTP/1.1",
        b"GET /plain HTTP/1.0",
        b"GET /plain HTTP/1.1\r\nuser-agent: \xff\xfe\x80 Bearer t0psecret\r\ncookie: a=b",
        b"GET /plain HTTP/1.1\r\nx: a\x01b",
        b"GET /plain HTTP/9.9",
        b"\x16\x03\x01\x00\x01",
        b"POST /echo HTTP/1.1\r\ncontent-length: -1",
        b"POST /echo HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked",
        b"POST /echo HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz",
        b"POST /echo HTTP/1.1\r\ncontent-type: \xff/\xfe\r\ncontent-length: 0",
    ] {
        let head = [request, b"\r\nhost: x\r\nconnection: close\r\n\r\n"].concat();
        both.compare(&head);
    }
    assert_eq!(both.wrapped.get("/plain").send().status, 200, "the service still responds");
    let stopped = both.wrapped.stop();
    assert!(!stopped.stderr.contains("t0psecret"), "{}", stopped.stderr);
    let uncaught = of_kind(&stopped.records(), "uncaught").len();
    assert_eq!(uncaught, 0, "{}", stopped.stderr);
}

#[test]
fn an_aborted_upload_is_logged() {
    let both = Both::start();
    for service in [&both.bare, &both.wrapped] {
        let mut stream = TcpStream::connect(("127.0.0.1", service.port)).expect("the service listens");
        let head = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: 100\r\n\r\nhalf";
        stream.write_all(head.as_bytes()).expect("the request is sent");
        stream.shutdown(Shutdown::Both).expect("it is open");
    }
    let is_it = |record: &Value| record["url.path"] == "/echo";
    let record = both.wrapped.wait_record("the record of the disconnected client", is_it);
    assert_eq!(record["http.request.body.content"], "half", "{record}");
    assert_eq!(record["http.request.body.truncated"], true, "the body is incomplete: {record}");
}
