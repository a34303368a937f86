//! rsyslog and syslog-ng send each record as one message, with the severity and the time of the record.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use system_tests::peers::program::program;
use system_tests::peers::syslog_ng;
use system_tests::process_guard::{self, ProcessGuard};
use system_tests::scratch::{self, Scratch};

use super::{Written, configuration, text};
use crate::LIMIT;

/// The facility local0.
const FACILITY: u8 = 16;

/// An RFC 5424 message.
struct Message {
    severity: u8,
    /// In UTC, with `Z`.
    time: String,
    kind: String,
    text: String,
}

impl Message {
    #[track_caller]
    fn parse(text: &str) -> Self {
        let parsed = || {
            let (priority, rest) = text.strip_prefix('<')?.split_once(">1 ")?;
            let mut parts = rest.splitn(6, ' ');
            let (time, _host, app, _process, kind) =
                (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            let rest = parts.next()?;
            let message = match rest.strip_prefix("- ") {
                Some(message) => message,
                // syslog-ng numbers its messages.
                None => rest.strip_prefix("[meta sequenceId=\"")?.split_once("\"] ")?.1,
            };
            let priority: u8 = priority.parse().ok()?;
            let (facility, severity) = (priority / 8, priority % 8);
            let message = Self {
                severity,
                time: time.replace("+00:00", "Z"),
                kind: kind.to_owned(),
                text: message.trim_end_matches('\n').to_owned(),
            };
            (facility == FACILITY && app == "cyanotype").then_some(message)
        };
        parsed().unwrap_or_else(|| panic!("not a message of RFC 5424: {}", text.chars().take(300).collect::<String>()))
    }
}

/// The messages that arrive, in frames of RFC 6587: length, space, message.
#[track_caller]
fn receive(stream: TcpStream, count: usize) -> Vec<Message> {
    stream.set_read_timeout(Some(LIMIT)).expect("the limit is not zero");
    let mut reader = BufReader::new(stream);
    let frame = |n: usize| {
        let mut length = vec![];
        reader.read_until(b' ', &mut length).unwrap_or_else(|e| panic!("after {n} messages of {count}: {e}"));
        let length = String::from_utf8(length).ok().and_then(|text| text.trim_end().parse().ok());
        let mut message = vec![0; length.unwrap_or_else(|| panic!("message {n} of {count} has no length"))];
        reader.read_exact(&mut message).unwrap_or_else(|e| panic!("in message {n} of {count}: {e}"));
        Message::parse(&String::from_utf8_lossy(&message))
    };
    (0..count).map(frame).collect()
}

/// The deployed configuration with paths and an address of the test's own.
#[track_caller]
fn adapted(name: &str, log: &Path, state: &Scratch, port: u16) -> String {
    let mut text = scratch::read(&configuration(name));
    let [log, state] =
        [log, state.path()].map(|path| path.to_str().expect("the target directory's path must be UTF-8"));
    let own = [("/srv/app/log/app.log", log), ("logs.example.org", "127.0.0.1")];
    for (deployed, own) in own {
        assert_eq!(text.matches(&format!("\"{deployed}\"")).count(), 1, "{name} has {deployed} once");
        text = text.replace(deployed, own);
    }
    let port = [("port=\"601\"", format!("port=\"{port}\"")), ("port(601)", format!("port({port})"))];
    port.iter().fold(text.replace("/var/lib/rsyslog", state), |text, (deployed, own)| text.replace(deployed, own))
}

/// Runs a collector, and compares what it sends with what the service wrote.
#[track_caller]
fn assert_each_record_is_a_message(name: &str, command: impl FnOnce(&Path, &Scratch) -> Command) {
    let (written, state) = (Written::shared(), Scratch::new("syslog"));
    let [log, file, output] = ["app.log", "configuration", "output"].map(|name| state.join(name));
    let middle = written.log.len() / 2;
    let (before, after) = written.log.as_bytes().split_at(middle);
    scratch::write(&log, before);
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    scratch::write(&file, adapted(name, &log, &state, port));
    let create = File::create(output).expect("a new directory is writable");
    let mut command = command(&file, &state);
    command.stdout(create.try_clone().expect("an open file can be shared")).stderr(create);
    let _collector = ProcessGuard::spawn(command);
    let (stream, _) = listener.accept().expect("the collector connects");
    // While it reads, in the middle of a line.
    let mut open = File::options().append(true).open(&log).expect("the file was just written");
    open.write_all(after).expect("the test's own file can be written");

    let messages = receive(stream, written.records.len() + 1);
    let (first, rest) = messages.split_first().expect("there is the refusal");
    assert_eq!((first.severity, &first.text), (3, &written.refusal), "a line of text is an error");
    for (message, record) in rest.iter().zip(&written.records) {
        let parsed: Value = serde_json::from_str(&message.text).unwrap_or_else(|e| panic!("{e}: {}", message.text));
        assert_eq!(&parsed, record, "the record is complete, with request_id and trace_id");
        assert_eq!((message.time.as_str(), message.kind.as_str()), (text(record, "timestamp"), text(record, "kind")));
        let severity = match text(record, "level") {
            "critical" => 2,
            "error" => 3,
            "warning" => 4,
            "info" => 6,
            _ => 7,
        };
        assert_eq!(message.severity, severity, "{}", message.text);
    }
}

#[test]
fn rsyslog_sends_each_record_as_one_message() {
    let rsyslog = program("rsyslogd", "rsyslog");
    assert_each_record_is_a_message("rsyslog.conf", |configuration, state| {
        let mut command = process_guard::command(rsyslog);
        command.arg("-n").arg("-i").arg(state.join("pid")).arg("-f").arg(configuration);
        command
    });
}

#[test]
fn syslog_ng_sends_each_record_as_one_message() {
    assert_each_record_is_a_message("syslog-ng.conf", syslog_ng::command);
}
