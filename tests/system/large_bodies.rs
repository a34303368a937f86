//! Large bodies are not buffered for their records, and under load every line is one record.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::figures;
use system_tests::service::{Running, Service};

use crate::support::{of_kind, probe, run};

const MIB: u64 = 1 << 20;
/// The memory for one chunk, its copies and the socket buffers, in MiB.
const LEEWAY: f64 = 24.0;

fn connect(service: &Running, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", service.port)).expect("the service listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket accepts a timeout");
    write!(stream, "{head}\r\nhost: x\r\nconnection: close\r\n").expect("the request is sent");
    stream
}

/// Reads to the end, and returns the number of bytes.
fn drain(mut stream: TcpStream) -> u64 {
    let mut buffer = vec![0; 1 << 18];
    let mut read = 0;
    loop {
        match stream.read(&mut buffer).expect("the response is readable") {
            0 => return read,
            n => read += n as u64,
        }
    }
}

#[test]
fn streaming_a_gigabyte_uses_constant_memory() {
    const CHUNK: u64 = 1 << 17;
    let service = probe().start();
    let script = |chunks: u64| {
        let stream = json!({"chunks": chunks, "chunk": "a".repeat(CHUNK as usize), "content_type": "text/plain"});
        json!({"finish": {"stream": stream}}).to_string()
    };
    let download = |chunks: u64| {
        let body = script(chunks);
        let mut stream = connect(&service, "POST /probe/run HTTP/1.1");
        write!(stream, "content-length: {}\r\n\r\n{body}", body.len()).expect("the request is sent");
        drain(stream)
    };
    download(64);
    let (before, _) = figures::memory(service.pid);
    let began = Instant::now();
    let received = download(1024 * MIB / CHUNK);
    let seconds = began.elapsed().as_secs_f64();
    let (_, peak) = figures::memory(service.pid);
    figures::print(&format!(
        "{received} bytes streamed in {seconds:.1} s; memory {before:.1} MiB before, {peak:.1} MiB peak"
    ));
    assert!(received > 1024 * MIB);
    assert!(peak - before < LEEWAY, "memory grew from {before:.1} to {peak:.1} MiB");
    let records = service.stop().records();
    let last = of_kind(&records, "response").last().copied().cloned().expect("is recorded");
    assert_eq!((&last["http.response.body.size"], &last["outcome"]), (&json!(1024 * MIB), &json!("complete")));
    assert_eq!(last["http.response.body.content"].as_str().map(str::len), Some(8192));
    assert_eq!(last["http.response.body.truncated"], true);
}

#[test]
fn a_large_upload_is_not_buffered_for_its_record() {
    let service = Service::new(Path::new(env!("CARGO_BIN_EXE_existing-app")))
        .arg("--wrapped")
        .env("APP__LOG__REQUEST__BODY", "redacted")
        .start();
    let send = |mebibytes: u64| {
        let mut stream = connect(&service, "POST /count HTTP/1.1");
        write!(stream, "content-type: text/plain\r\ncontent-length: {}\r\n\r\n", mebibytes * MIB)
            .expect("the request is sent");
        let chunk = vec![b'a'; MIB as usize];
        for _ in 0..mebibytes {
            stream.write_all(&chunk).expect("the service reads the body");
        }
        drain(stream)
    };
    send(8);
    let (before, _) = figures::memory(service.pid);
    send(256);
    let (_, peak) = figures::memory(service.pid);
    figures::print(&format!("256 MiB uploaded; memory {before:.1} MiB before, {peak:.1} MiB peak"));
    assert!(peak - before < LEEWAY, "memory grew from {before:.1} to {peak:.1} MiB");
    let records = service.stop().records();
    let last = of_kind(&records, "response").last().copied().cloned().expect("is recorded");
    assert_eq!(
        (&last["http.request.body.size"], &last["http.response.body.content"]),
        (&json!(256 * MIB), &json!("268435456"))
    );
    assert_eq!(last["http.request.body.content"].as_str().map(str::len), Some(8192));
    assert_eq!(last["http.request.body.truncated"], true);
}

#[test]
fn every_line_of_a_mixed_load_is_one_record() {
    const CLIENTS: usize = 8;
    const ROUNDS: usize = 40;
    let service = probe().env("APP__LOG__REQUEST__BODY", "redacted").start();
    let client = service.client();
    let port = service.port;
    thread::scope(|scope| {
        for n in 0..CLIENTS {
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let long = "ä\n\u{1b}\"".repeat(round * 100);
                    let step = json!([{"do": "log", "level": "warning", "message": format!("{n} {round} {long}")}]);
                    let finish = match round % 6 {
                        0 => json!({"respond": {"status": 200, "content_type": "application/json", "body": json!({"a": long}).to_string()}}),
                        1 => json!({"respond": {"status": 404, "content_type": "text/html", "body": long}}),
                        2 => json!({"error": long}),
                        3 => json!({"panic": long}),
                        4 => json!({"stream": {"chunks": 9, "chunk": long}}),
                        _ => Value::Null,
                    };
                    run(client, step, finish);
                    // Another client disconnects within its request.
                    let mut disconnecting = TcpStream::connect(("127.0.0.1", port)).expect("the service listens");
                    disconnecting.write_all(b"POST /probe/run HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{").expect("the request is sent");
                }
            });
        }
    });
    // `records` panics for a line that is not JSON, and for an unterminated last line.
    let records = service.stop().records();
    let of = |kind: &str| of_kind(&records, kind).len();
    let all = CLIENTS * ROUNDS;
    assert_eq!(of("line"), all);
    assert_eq!(of_kind(&records, "response").iter().filter(|it| it["http.request.body.size"] != 1).count(), all);
    assert_eq!(
        of("uncaught"),
        of_kind(&records, "response").iter().filter(|it| it["http.response.status_code"] == 500).count()
    );
}
