//! Client input cannot forge a line, move a terminal's cursor, or control supervisord.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::service::{Running, Service};

use crate::support::{of_kind, probe, probe_app, run};

/// Clears the screen, sets the title, forges a line, changes the text direction, and starts supervisord's capture mode.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\n{\"kind\":\"forged\"}\n\u{0}\u{8}\u{7f}\u{85}\u{9b}1A\u{202e}\u{2066}\u{200f}\u{61c}\u{2028}\u{2029}\u{feff}<!--XSUPERVISOR:BEGIN--><!--XSUPERVISOR:END-->";

fn is_hostile(c: char) -> bool {
    // The service itself ends each record with a line feed.
    c != '\n' && HOSTILE.chars().any(|hostile| hostile == c && (c.is_control() || !c.is_ascii()))
}

/// Sends raw bytes, and reads the response to the end.
fn send(service: &Running, bytes: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", service.port)).expect("the service listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket accepts a timeout");
    stream.write_all(bytes).expect("it is sent");
    stream.read_to_end(&mut Vec::new()).expect("the service ends the connection");
}

/// Puts the hostile text in every place that a client controls.
fn attack(service: &Running) {
    let steps = json!([
        {"do": "log", "level": "info", "message": HOSTILE},
        {"do": "log", "level": "warning", "message": "m", "error": HOSTILE},
        {"do": "breadcrumb", "message": HOSTILE, "category": HOSTILE, "data": {HOSTILE: [HOSTILE]}},
        {"do": "capture_event", "message": HOSTILE},
        {"do": "capture_exception", "message": HOSTILE, "cause": HOSTILE},
    ]);
    for content_type in ["text/plain", "application/json", "text/event-stream"] {
        run(
            service.client(),
            steps.clone(),
            json!({"respond": {"status": 200, "content_type": content_type, "body": HOSTILE}}),
        );
    }
    run(service.client(), json!([]), json!({"error": HOSTILE}));
    run(service.client(), json!([]), json!({"panic": HOSTILE}));
    service.post("/probe/echo").body("text/plain", HOSTILE).send();
    let encoded: String = HOSTILE.bytes().map(|byte| format!("%{byte:02x}")).collect();
    service.get(&format!("/probe/{encoded}?{encoded}={encoded}")).send();
    // Unencoded, where the HTTP parser accepts it.
    let raw = HOSTILE.replace(['\r', '\n', '\0', ' '], "");
    for head in [
        format!("GET /probe/{raw}?{raw} HTTP/1.1\r\n"),
        format!("{raw} /probe HTTP/1.1\r\n"),
        format!("GET!#$%&'*+-.^_`|~ /probe HTTP/1.1\r\nforwarded: for=\"{raw}\"\r\n"),
        format!(
            "GET /probe HTTP/1.1\r\nuser-agent: {raw}\r\nx-forwarded-for: {raw}\r\ntraceparent: {raw}\r\nx-request-id: {raw}\r\n"
        ),
        "GET /probe HTTP/1.1\r\nuser-agent: a\tb\u{9b}c<!--XSUPERVISOR:BEGIN-->\u{202e}\r\n".into(),
        "GET /probe/<!--XSUPERVISOR:BEGIN--> HTTP/1.1\r\n".into(),
        format!("GET /probe HTTP/1.1\r\ncontent-type: {raw}\r\n"),
    ] {
        send(service, format!("{head}host: {raw}\r\nconnection: close\r\n\r\n").as_bytes());
        send(service, format!("{head}host: x\r\nconnection: close\r\n\r\n").as_bytes());
    }
}

fn service(format: &str) -> Running {
    let service = probe().env("APP__LOG__FORMAT", format).env("APP__LOG__REQUEST__BODY", "redacted");
    service.env("APP__SERVER__TRUSTED_PROXIES", "127.0.0.1").start()
}

#[test]
fn json_records_escape_hostile_input_without_loss() {
    let service = service("json");
    attack(&service);
    let stopped = service.stop();
    let shown: Vec<char> = stopped.stderr.chars().filter(|c| is_hostile(*c)).collect();
    assert!(shown.is_empty(), "{shown:?}");
    assert!(!stopped.stderr.contains("<!--XSUPERVISOR"), "{}", stopped.stderr);
    let records = stopped.records();
    assert_eq!(of_kind(&records, "forged").len(), 0);
    assert_eq!(of_kind(&records, "line")[0]["message"], HOSTILE, "the message is complete");
    let echoed = records.iter().find(|record| record["url.path"] == "/probe/echo").expect("is recorded");
    for key in ["http.request.body.content", "http.response.body.content"] {
        assert_eq!(echoed[key], HOSTILE, "{key}");
    }
    let agents: Vec<&Value> = records.iter().filter_map(|record| record.get("user_agent.original")).collect();
    assert!(agents.iter().any(|agent| agent.as_str().is_some_and(|agent| agent.contains('\u{202e}'))), "{agents:?}");
}

#[test]
fn ascii_records_escape_hostile_input_without_loss() {
    let service = probe().env("APP__LOG__ASCII", "true").env("APP__LOG__REQUEST__BODY", "redacted").start();
    attack(&service);
    let stopped = service.stop();
    assert!(stopped.stderr.is_ascii());
    assert!(!stopped.stderr.contains(is_hostile) && !stopped.stderr.contains("<!--XSUPERVISOR"));
    let records = stopped.records();
    assert_eq!(of_kind(&records, "line")[0]["message"], HOSTILE, "the message is complete");
    let echoed = records.iter().find(|record| record["url.path"] == "/probe/echo").expect("is recorded");
    assert_eq!(echoed["http.response.body.content"], HOSTILE);
}

#[test]
fn pretty_output_shows_hostile_input_as_escapes() {
    let service = service("pretty");
    attack(&service);
    let written = service.stop().stderr;
    // A body's block contains line feeds and tabs.
    let shown: Vec<char> = written.chars().filter(|c| is_hostile(*c)).collect();
    assert!(shown.is_empty(), "{shown:?} in {written}");
    assert!(!written.contains("<!--XSUPERVISOR") && written.contains("\\u{1b}[2J"), "{written}");
    for line in written.lines() {
        // No line of client input starts like a line of the service.
        let is_own = line.starts_with("      ")
            || line.get(..12).is_some_and(|it| it.bytes().filter(u8::is_ascii_digit).count() == 9);
        assert!(is_own, "{line}");
    }
}

/// Runs a program with a terminal of 40 columns as its stderr, and copies what the terminal receives.
const IN_TERMINAL: &str = "
import fcntl, os, pty, signal, struct, subprocess, sys, termios
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 40, 0, 0))
child = subprocess.Popen(sys.argv[1:], stderr=slave)
os.close(slave)
signal.signal(signal.SIGTERM, lambda *_: child.terminate())
try:
    while data := os.read(master, 65536):
        os.write(2, data)
except OSError:
    pass
sys.exit(child.wait())
";

#[test]
fn a_narrow_terminal_shows_no_text_of_a_client_in_its_first_column() {
    let python = Service::new(Path::new("python3")).arg("-c").arg(IN_TERMINAL).arg(probe_app());
    let service = python.env("APP__LOG__FORMAT", "pretty").env("TERM", "xterm").start();
    for padding in 0..40 {
        let forged = format!("{}12:00:00.000Z critical line forged", "x".repeat(padding));
        run(service.client(), json!([{"do": "log", "level": "warning", "message": forged}]), json!(null));
    }
    let body = json!({"id": "x".repeat(30), "forged": "12:00:00.000Z critical line forged ".repeat(5)}).to_string();
    let respond = json!({"respond": {"status": 200, "content_type": "application/json", "body": body}});
    run(service.client(), json!([]), respond);
    let written = service.stop().stderr;
    assert!(written.contains("\x1b[33mwarning \x1b[0m"), "a terminal is colored: {written}");
    for line in written.lines() {
        let mut parts = line.split('\x1b');
        let first = parts.next().unwrap_or_default().to_owned();
        let shown = parts.fold(first, |shown, part| shown + part.split_once('m').map_or(part, |(_, text)| text));
        assert!(shown.trim_end_matches('\r').chars().count() <= 40, "{shown}");
        assert!(shown.starts_with("      ") || line.starts_with("\x1b[2m"), "only the service writes there: {line:?}");
    }
}
