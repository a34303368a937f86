//! `app redact check`: what it finds, what it prints, and its exit status.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use system_tests::binaries;
use system_tests::scratch::{self, Scratch};
use system_tests::service::{Service, Stopped};

/// A log in which another service wrote secrets in several places.
const LOG: &str = concat!(
    "{\"level\":\"info\",\"msg\":\"login ok\",\"user_id\":1001}\n",
    "{\"level\":\"warn\",\"msg\":\"wrong password\",\"token\":\"t0psecret\"}\n",
    "{\"level\":\"warn\",\"header\":\"Bearer t0psecret\",\"pin\":4711}\n",
);

fn check(content: &str, arguments: &[&str]) -> Stopped {
    let scratch = Scratch::new("redact-check");
    let file = scratch.join("input");
    scratch::write(&file, content);
    let service = Service::new(&binaries::app()).dir(scratch.path()).arg("redact").arg("check");
    arguments.iter().fold(service, |service, argument| service.arg(*argument)).arg(file.display().to_string()).run()
}

#[test]
fn each_finding_of_a_log_is_listed_without_the_secret() {
    let stopped = check(LOG, &[]);
    assert_eq!((stopped.code(), stopped.stderr.trim_end()), (Some(1), "3 values are redacted"));
    assert_eq!(
        stopped.stdout,
        "LINE:COLUMN  RULE               OUTPUT\n\
         2:49         key token          …:\"warn\",\"msg\":\"wrong password\",\"token\":\"[redacted]\"}\n\
         3:34         log.redact.bearer  {\"level\":\"warn\",\"header\":\"Bearer [redacted]\",\"pin\":\"[redacted]\"…\n\
         3:51         key pin            …rn\",\"header\":\"Bearer [redacted]\",\"pin\":\"[redacted]\"}\n"
    );
}

#[test]
fn json_output_names_place_and_rule() {
    let stopped = check("{\n  \"apiKey\": \"t0psecret\"\n}", &["--json"]);
    assert_eq!(stopped.code(), Some(1));
    let findings: Value = serde_json::from_str(&stopped.stdout).expect("--json is JSON");
    let finding =
        json!({"line": 2, "column": 14, "rule": "key", "name": "apiKey", "shown": "\"apiKey\": \"[redacted]\""});
    assert_eq!(findings, json!([finding]));
    let clean = check("{\"a\":1}", &["--json"]);
    assert_eq!((clean.code(), clean.stdout.trim(), &*clean.stderr), (Some(0), "[]", ""));
}

#[test]
fn exit_statuses_tell_the_result() {
    for (content, arguments, status) in [
        ("{\"user\":\"ada\"}", &[][..], 0),
        ("{\"password\":\"t0psecret\"}", &[], 1),
        ("token=t0psecret&a=1", &["--type", "application/x-www-form-urlencoded"], 1),
        ("{\"code\":\"123\"}", &["--set", "log.response.redact=code"], 1),
        ("x", &["--type", "nonsense"], 2),
        ("x", &["--type", "image/png"], 2),
        ("x", &["--no-such-flag"], 2),
        ("x", &["--level", "loud"], 78),
    ] {
        let stopped = check(content, arguments);
        assert_eq!(stopped.code(), Some(status), "{content} {arguments:?}: {} {}", stopped.stdout, stopped.stderr);
        assert!(!stopped.stdout.contains("t0psecret") && !stopped.stderr.contains("t0psecret"));
    }
    let missing = Service::new(&binaries::app()).arg("redact").arg("check").arg("/no/such/file").run();
    assert_eq!((missing.code(), &*missing.stdout), (Some(66), ""));
    assert!(missing.stderr.starts_with("cannot read /no/such/file: "), "{}", missing.stderr);
}

#[test]
fn standard_input_is_read_without_a_file() {
    let scratch = Scratch::new("redact-stdin");
    for arguments in [&[][..], &["-"]] {
        let mut child = Command::new(binaries::app())
            .args(["redact", "check"])
            .args(arguments)
            .current_dir(scratch.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the app starts");
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        stdin.write_all(b"see Bearer t0psecret\n").expect("the app reads its stdin");
        drop(stdin);
        let output = child.wait_with_output().expect("the app ends");
        assert_eq!(output.status.code(), Some(1));
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            shown.contains("1:12") && shown.contains("log.redact.bearer") && !shown.contains("t0psecret"),
            "{shown}"
        );
    }
}
