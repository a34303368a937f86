//! No record and no event contains a secret, in any format.

use std::fs;

use serde_json::{Value, json};
use system_tests::peers::bugsink::Bugsink;
use system_tests::scratch::{self, Scratch};
use system_tests::service::Stopped;

use crate::support::{of_kind, probe, probe_with, run};

#[test]
fn no_password_token_or_header_reaches_a_sink() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).start();
    let steps = json!([
        {"do": "breadcrumb", "message": "left", "data": {"password": SECRET, "deep": [{"sessionId": SECRET}], "raw": format!("{{\"pin\":\"{SECRET}\"}}")}},
        {"do": "capture_exception", "message": "caught"},
    ]);
    let body = format!(r#"{{"token":"{SECRET}","users":[{{"p\u0061ssword":"{SECRET}"}}]}}"#);
    let script = json!({"steps": steps, "finish": {"respond": {"status": 500, "content_type": "application/json", "body": body}}});
    service
        .post(&format!("/probe/run?api_key={SECRET}&code={SECRET}"))
        .bearer(SECRET)
        .header("cookie", format_args!("sid={SECRET}"))
        .header("x-session", SECRET)
        .header("proxy-authorization", format_args!("Basic {SECRET}"))
        .json(&script)
        .send();
    service.post("/users/login").json(&json!({"email": "a@b.example", "password": SECRET})).send();
    service.post("/users").json(&json!({"email": SECRET, "password": 5, "name": [SECRET]})).send();
    let stopped = service.stop();
    assert!(!stopped.stderr.contains(SECRET), "{}", stopped.stderr);
    let events = project.events();
    assert_eq!(events.len(), 2, "the caught error and the plain 500 response");
    assert!(
        events[0]["request"]["url"]
            .as_str()
            .is_some_and(|url| url.contains("api_key=[redacted]") || url.contains("api_key=%5Bredacted%5D"))
    );
    for event in events {
        assert!(!event.to_string().contains(SECRET), "{event}");
    }
}

/// The fuzzer's seed corpus: name, content type (by extension) and content of each file.
fn corpus() -> Vec<(String, &'static str, String)> {
    let directory = scratch::workspace().join("crates/redact/fuzz/corpus/redactor");
    let files = fs::read_dir(&directory)
        .expect("the corpus is in the repository")
        .map(|file| file.expect("is readable").path());
    let mut bodies: Vec<_> = files
        .map(|path| {
            let content_type = match path.extension().and_then(|it| it.to_str()) {
                Some("json") => "application/json",
                Some("html") => "text/html",
                Some("form") => "application/x-www-form-urlencoded",
                _ => "text/plain",
            };
            (path.display().to_string(), content_type, scratch::read(&path))
        })
        .collect();
    bodies.sort();
    assert!(bodies.len() > 30, "{} files", bodies.len());
    bodies
}

const SECRET: &str = "t0psecret";

/// Secrets in the corpus that no sink may contain.
const SECRETS: [&str; 6] = [SECRET, "4111111111111111", "4111 1111", "5500-0055", "eyJ0Ijox", "eyJhbGci"];

#[track_caller]
fn check(what: &str, text: &str) {
    let leaked: Vec<&str> = SECRETS.into_iter().filter(|secret| text.contains(secret)).collect();
    assert!(leaked.is_empty(), "{what} shows {leaked:?}: {text}");
}

#[test]
fn no_response_body_reveals_a_secret_in_any_format() {
    for env in ["prod", "dev"] {
        let project = Bugsink::shared().project();
        let service = probe_with(&project).env("APP__ENV", env).start();
        for (file, content_type, body) in corpus() {
            let before = service.stderr().len();
            let crumb = json!({"do": "breadcrumb", "message": "left", "data": {"raw": body}});
            let finish = json!({"respond": {"status": 500, "content_type": content_type, "body": body}});
            let reply = run(service.client(), json!([crumb]), finish);
            assert_eq!(reply.text(), body, "the client receives the complete body");
            check(&format!("{env}, {file}"), &service.stderr()[before..]);
        }
        check(env, &service.stop().stderr);
        for event in project.events() {
            check(env, &event.to_string());
        }
    }
}

fn encoded(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        char::from(byte).into()
    } else {
        format!("%{byte:02X}")
    }
}

#[test]
fn no_request_reveals_a_secret() {
    let service = probe().env("APP__LOG__REQUEST__BODY", "redacted").start();
    for (file, content_type, body) in corpus() {
        let before = service.stderr().len();
        service.post("/probe/echo").body(content_type, body.as_bytes()).send();
        let encoded: String = body.bytes().map(encoded).collect();
        let agent = body.replace(['\r', '\n'], "\t");
        service.get(&format!("/probe/{encoded}?{encoded}&a={encoded}")).header("user-agent", agent).send();
        check(&file, &service.stderr()[before..]);
    }
    let records = service.stop().records();
    let responses = of_kind(&records, "response");
    assert!(responses.iter().filter(|record| record.get("http.request.body.content").is_some()).count() > 30);
}

const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.t0psecret";
const BLOCK: &str = "-----BEGIN PRIVATE KEY-----t0psecret-----END PRIVATE KEY-----";

/// Texts with each kind of secret that is recognized by its form.
fn texts_with_secrets() -> Vec<String> {
    ["Bearer t0psecret", JWT, "4111 1111 1111 1111", BLOCK].iter().map(|secret| format!("sent {secret} on")).collect()
}

#[test]
fn secrets_in_free_text_are_redacted() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).env("APP__ENV", "dev").env("APP__LOG__FORMAT", "json").start();
    for text in texts_with_secrets() {
        let steps = json!([
            {"do": "log", "level": "info", "message": text},
            {"do": "log", "level": "warning", "message": "failed", "error": text},
            {"do": "breadcrumb", "message": text},
            {"do": "capture_exception", "message": text, "cause": text},
            {"do": "capture_event", "message": text},
        ]);
        let reply = run(service.client(), steps, json!({"error": format!("last {text}")}));
        assert_eq!(reply.status, 500);
    }
    let stopped = service.stop();
    check("stderr", &stopped.stderr);
    let lines = stopped
        .records()
        .iter()
        .filter(|record| record["message"].as_str().is_some_and(|it| it.contains("[redacted]")))
        .count();
    assert_eq!(lines, texts_with_secrets().len() * 4, "the rest of each text is logged, and each failure once");
    let events = project.events();
    assert_eq!(events.len(), texts_with_secrets().len() * 3);
    for event in events {
        check("Sentry", &event.to_string());
    }
}

#[test]
fn each_pattern_can_be_disabled() {
    let body = Value::from(texts_with_secrets()).to_string();
    for (pattern, unredacted) in
        [("bearer", "Bearer t0psecret"), ("jwt", JWT), ("card", "4111 1111 1111 1111"), ("private_key", BLOCK)]
    {
        let service = probe().env(&format!("APP__LOG__REDACT__{}", pattern.to_uppercase()), "false").start();
        run(
            service.client(),
            json!([]),
            json!({"respond": {"status": 200, "content_type": "application/json", "body": body}}),
        );
        let records = service.stop().records();
        let shown = of_kind(&records, "response")[0]["http.response.body.content"].as_str().expect("a text").to_owned();
        assert!(shown.contains(unredacted) && shown.matches("[redacted]").count() == 3, "{pattern}: {shown}");
    }
}

#[test]
fn own_patterns_hide_matches_in_every_record() {
    let service = probe().env("APP__LOG__REDACT__PATTERNS", "EMP-[0-9]{4}, badge ([a-z]+)").start();
    let steps = json!([{"do": "log", "level": "info", "message": "EMP-1234 has badge blue"}]);
    let body = json!({"employee": "EMP-1234", "note": "badge blue"}).to_string();
    run(service.client(), steps, json!({"respond": {"status": 200, "content_type": "application/json", "body": body}}));
    let records = service.stop().records();
    assert_eq!(of_kind(&records, "line")[0]["message"], "[redacted] has badge [redacted]");
    assert_eq!(
        of_kind(&records, "response")[0]["http.response.body.content"],
        r#"{"employee":"[redacted]","note":"badge [redacted]"}"#
    );
}

#[test]
fn an_invalid_own_pattern_prevents_startup() {
    for (pattern, reason) in
        [("a(", "`a(` is not a regular expression: unclosed group"), ("a*", "`a*` matches the empty text")]
    {
        let Stopped { status, stderr, .. } = probe().env("APP__LOG__REDACT__PATTERNS", pattern).run();
        assert_eq!(status.code(), Some(78), "{stderr}");
        let expected = format!("log.redact.patterns (set by APP__LOG__REDACT__PATTERNS): {reason}");
        assert!(stderr.contains(&expected), "{stderr}");
    }
}

#[test]
fn pseudonym_settings_are_checked_at_startup() {
    let scratch = Scratch::new("pseudonyms");
    scratch::write(&scratch.join("keys"), "k1:0001");
    let file = scratch.join("keys").display().to_string();
    for (keys, file, reason) in [
        (
            "email",
            None,
            "log.redact.pseudonymize (set by APP__LOG__REDACT__PSEUDONYMIZE): log.redact.pseudonym_key_file is not set",
        ),
        ("password", None, "values of `password` are redacted"),
        ("email", Some(&file), "line 1: the key is shorter than 16 bytes"),
    ] {
        let mut service = probe().env("APP__LOG__REDACT__PSEUDONYMIZE", keys);
        if let Some(file) = file {
            service = service.env("APP__LOG__REDACT__PSEUDONYM_KEY_FILE", file);
        }
        let Stopped { status, stderr, .. } = service.run();
        assert!(status.code() == Some(78) && stderr.contains(reason), "{stderr}");
        assert!(file.is_none_or(|file| stderr.contains(file.as_str())), "{stderr}");
    }
}
