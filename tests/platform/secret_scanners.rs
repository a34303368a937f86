//! Scanners for secrets, on output that is full of planted ones. They must find nothing in the output, and the plants in the
//! input. Rules that measure entropy are off: the redactor has none, because they would hide ids and hashes as well.

mod plants;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::{Value, json};
use system_tests::http::{Client, Request};
use system_tests::peers::{npm, venv};
use system_tests::process_guard;
use system_tests::scratch::{self, Scratch};
use system_tests::service::Service;

use crate::{percent_encoded, probe_app, succeed};
use plants::{Plant, plants};

/// The lines to produce.
const LINES: usize = 100_000;
/// The lines of one request.
const BATCH: usize = 500;
/// The recommended rules; a URL may have the redactor's mark as its password.
const SECRETLINT: &str = r#"{"rules": [{"id": "@secretlint/secretlint-rule-preset-recommend", "rules": [
    {"id": "@secretlint/secretlint-rule-database-connection-string", "options": {"allows": ["/:\\[redacted\\]@/"]}}
]}]}"#;
const PLUGINS: &str = include_str!("secret_scanners/detect_secrets_plugins.py");

/// A sentence with the secret.
fn sentence(plant: &Plant, n: usize) -> String {
    format!("request {n} sent {} and failed: connection refused", plant.text)
}

/// A step that logs the text in one of the places of a record.
fn step(n: usize, text: &str) -> Value {
    match n % 8 {
        0 => json!({"do": "breadcrumb", "message": "b", "data": {"note": text, "list": [text]}}),
        1 => json!({"do": "breadcrumb", "message": text}),
        2 => json!({"do": "capture_event", "message": text}),
        3 | 4 => json!({"do": "log", "level": "info", "message": "m", "error": text}),
        _ => json!({"do": "log", "level": "info", "message": text}),
    }
}

/// Requests that have the text in each part that is logged.
fn requests(client: Client, plant: &Plant) -> Vec<Request> {
    let text = sentence(plant, 0);
    let run = |script: Value| client.post("/probe/run").json(&script);
    let mut requests = vec![
        client.get(&format!("/probe/{}", percent_encoded(&text))),
        client.get(&format!("/probe/nowhere?note={}", percent_encoded(&text))),
        client.get("/probe/nowhere").header("user-agent", text.replace('\n', " ")),
        run(json!({"steps": [{"do": "capture_exception", "message": &text, "cause": &text}]})),
        run(json!({"finish": {"error": &text, "cause": &text}})),
        run(json!({"finish": {"panic": &text}})),
    ];
    for content_type in ["text/plain", "text/html", "application/xml", "text/csv", "application/json"] {
        requests.push(client.post("/probe/echo").body(content_type, text.clone()));
    }
    requests.push(client.post("/probe/echo").json(&json!({"note": &text, "list": [&text], &text: 1})));
    requests
}

/// The output of the service, with the plants everywhere.
#[track_caller]
fn output(plants: &[Plant]) -> String {
    let service = Service::new(probe_app())
        .env("APP__LOG__REQUEST__BODY", "redacted")
        .env("APP__LOG__FLOOD__LIMIT", "1000")
        .env("APP__LOG__STDERR__QUEUE_BYTES", (256 << 20).to_string())
        .start();
    for plant in plants {
        requests(service.client(), plant).into_iter().for_each(|request| drop(request.send()));
    }
    let lines = (0..LINES).zip(plants.iter().cycle()).map(|(n, plant)| step(n / plants.len(), &sentence(plant, n)));
    let lines: Vec<Value> = lines.collect();
    for steps in lines.chunks(BATCH) {
        assert_eq!(service.post("/probe/run").json(&json!({ "steps": steps })).send().status, 204);
    }
    service.stop().stderr
}

/// The lines, from 1, where a scanner found something.
type Found = BTreeSet<u64>;

#[track_caller]
fn detect_secrets(file: &Path, output: &Scratch) -> Found {
    let mut command = process_guard::command(venv::scanners());
    command.args(["-c", PLUGINS]);
    let shown = succeed_in(command, file, output);
    serde_json::from_str(&shown).unwrap_or_else(|e| panic!("the findings are not JSON ({e}): {shown}"))
}

/// Secretlint, which ends with 1 when it has found something.
#[track_caller]
fn secretlint(file: &Path, output: &Scratch) -> Found {
    let configuration = output.join("secretlint.json");
    scratch::write(&configuration, SECRETLINT);
    let mut command = process_guard::command("sh");
    command.args(["-c", r#""$@" || [ $? = 1 ]"#, "sh"]).arg(npm::packages().join("node_modules/.bin/secretlint"));
    command.args(["--format", "json", "--no-glob", "--secretlintrc"]).arg(configuration);
    let shown: Value = serde_json::from_str(&succeed_in(command, file, output)).expect("secretlint prints JSON");
    let messages = shown[0]["messages"].as_array().expect("secretlint prints a list of messages");
    messages.iter().filter_map(|found| found["loc"]["start"]["line"].as_u64()).collect()
}

/// Runs a scanner in the directory of the file: secretlint reads no other.
#[track_caller]
fn succeed_in(mut command: Command, file: &Path, output: &Scratch) -> String {
    let directory = file.parent().expect("the file lies in a directory");
    command.args(file.file_name()).current_dir(directory);
    succeed(command, output)
}

/// What the scanners find in a file.
#[track_caller]
fn scan(file: &Path) -> [Found; 2] {
    let [first, second] = ["detect-secrets", "secretlint"].map(Scratch::new);
    thread::scope(|scope| {
        let first = scope.spawn(|| detect_secrets(file, &first));
        let second = scope.spawn(|| secretlint(file, &second));
        [first, second].map(|scan| scan.join().expect("a scanner failed, as shown above"))
    })
}

#[test]
fn scanners_find_the_plants_in_the_input_and_none_in_the_output() {
    let plants = plants();
    let scratch = Scratch::new("scanned");
    let (mut input, mut places) = (String::new(), vec![]);
    for plant in &plants {
        let first = input.lines().count() as u64 + 1;
        input += &format!("{}\n", sentence(plant, 0));
        places.push(first..=input.lines().count() as u64);
    }
    let file = scratch.join("input.txt");
    scratch::write(&file, &input);
    let found = scan(&file);
    let missed: Vec<&str> = plants
        .iter()
        .zip(&places)
        .filter(|(plant, lines)| plant.is_known && !found.iter().flatten().any(|line| lines.contains(line)))
        .map(|(plant, _)| &*plant.text)
        .collect();
    assert!(missed.is_empty(), "no scanner finds {missed:#?}");
    assert!(found.iter().all(|found| found.len() > 10), "a scanner found little: {found:?}");

    let output = output(&plants);
    let lines: Vec<&str> = output.lines().collect();
    assert!(lines.len() >= LINES, "{} lines", lines.len());
    let leak = |plant: &Plant| {
        let secret = plant.secret.replace('\n', "\\n");
        let line = lines.iter().find(|line| line.contains(&secret))?;
        Some(format!("{}: {}", plant.text, line.chars().take(2000).collect::<String>()))
    };
    let leaks: Vec<String> = plants.iter().filter_map(leak).collect();
    assert!(leaks.is_empty(), "the output shows {leaks:#?}");
    let file = scratch.join("output.log");
    scratch::write(&file, &output);
    let found = scan(&file);
    let shown = |line: &u64| lines.get(*line as usize - 1).copied().unwrap_or_default().to_owned();
    let shown: Vec<String> = found.iter().flatten().take(10).map(shown).collect();
    assert!(shown.is_empty(), "scanners found secrets in the output: {shown:#?}");
}
