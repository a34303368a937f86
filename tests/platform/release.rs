//! The files of `cargo xtask dist`: the binary, its debug file, checksums, completions and manual pages.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use system_tests::dist::dist;
use system_tests::peers::program::program;
use system_tests::peers::recording_sentry::RecordingSentry;
use system_tests::process_guard;
use system_tests::scratch::{self, Scratch};
use system_tests::service::Service;
use system_tests::sql::DirectConnection;

use crate::succeed;

/// Runs a program and returns what it prints on stdout.
#[track_caller]
fn output(name: &str, package: &str, arguments: &[&str]) -> String {
    let mut command = process_guard::command(program(name, package));
    command.args(arguments).current_dir(dist().directory());
    succeed(command, &Scratch::new("release"))
}

fn build_id(file: &str) -> String {
    let notes = output("readelf", "binutils", &["--notes", file]);
    let id = notes.lines().find_map(|line| line.trim().strip_prefix("Build ID: "));
    id.unwrap_or_else(|| panic!("{file} has no build id: {notes}")).to_owned()
}

#[test]
fn the_checksums_are_those_of_all_files() {
    let checked = output("sha256sum", "coreutils", &["--check", "--strict", "SHA256SUMS"]);
    let checked: Vec<&str> = checked.lines().filter_map(|line| line.strip_suffix(": OK")).collect();
    assert_eq!(checked, dist().names());
    for name in ["app", "app.debug", "completions/_app", "completions/app.bash", "completions/app.fish", "man/app.1"] {
        assert!(checked.contains(&name), "{name} is missing in {checked:?}");
    }
}

#[test]
fn the_debug_file_belongs_to_the_stripped_binary() {
    let id = build_id("app");
    assert_eq!(id, build_id("app.debug"));
    assert_eq!(dist().answer["build_id"], id);
    let sections = output("readelf", "binutils", &["--sections", "--wide", "app"]);
    assert!(!sections.contains(".debug_info") && !sections.contains(".symtab"), "it is not stripped: {sections}");
    assert!(sections.contains(".dep-v0"), "the list of dependencies is missing: {sections}");
}

#[test]
fn no_file_contains_a_path_of_the_machine() {
    let home = env::home_dir().expect("cargo has a home directory");
    let cargo_home = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), Into::into);
    let toolchains = env::var_os("RUSTUP_HOME").map_or_else(|| home.join(".rustup"), Into::into);
    let places = [scratch::workspace(), scratch::target(), cargo_home, toolchains];
    for name in dist().names() {
        let content = fs::read(dist().path(name)).expect("it was listed");
        for place in &places {
            let place = place.to_str().expect("UTF-8").as_bytes();
            let at = content.windows(place.len()).position(|part| part == place);
            let text = |at: usize| String::from_utf8_lossy(&content[at..content.len().min(at + 200)]).into_owned();
            assert_eq!(at.map(text), None, "{name} contains a path of this machine");
        }
    }
}

/// The event of a failed request, from a service with this binary.
fn event(binary: &Path) -> Value {
    let sentry = RecordingSentry::start(|_| "200 OK");
    let directory = Scratch::new("release-event");
    let url = format!("sqlite://{}", directory.join("app.db").display());
    let service = Service::new(binary).env("APP__DATABASE__URL", &url).env("SENTRY_DSN", sentry.dsn()).start();
    DirectConnection::open(&url).run("DROP TABLE users");
    let reply =
        service.client().post("/users/login").json(&json!({"email": "a@b.example", "password": "unknown"})).send();
    assert_eq!(reply.status, 500, "{}", reply.text());
    let event = sentry.wait_payloads("event", 1).remove(0);
    service.stop();
    event
}

/// The frames that are `in_app`.
fn own_frames(event: &Value) -> Vec<&Value> {
    let values = event["exception"]["values"].as_array().or_else(|| event["exception"].as_array());
    let frames = values.and_then(|values| values.last()?["stacktrace"]["frames"].as_array());
    let frames = frames.unwrap_or_else(|| panic!("the error has no stack: {event}"));
    frames.iter().filter(|frame| frame["in_app"] == true).collect()
}

#[test]
fn beside_the_debug_file_only_the_workspace_is_in_app() {
    let event = event(&dist().app());
    let own = own_frames(&event);
    let text = |frame: &Value, key: &str| frame[key].as_str().unwrap_or_default().to_owned();
    assert!(own.iter().any(|frame| text(frame, "module").starts_with("blueprint_users")), "{own:?}");
    for frame in own {
        let path = text(frame, "abs_path");
        assert!(path.starts_with("/usr/src/cyanotype/crates/"), "{path}: {frame}");
        assert!(!text(frame, "module").starts_with("cyanotype"), "the framework is not the application: {frame}");
    }
}

#[test]
fn the_debug_file_names_the_frames_of_the_binary_elsewhere() {
    let elsewhere = Scratch::new("release-binary");
    let binary = elsewhere.join("app");
    fs::copy(dist().app(), &binary).expect("the binary can be copied");
    let event = event(&binary);
    let own = own_frames(&event);
    assert!(own.iter().all(|frame| frame.get("function").is_none()), "{own:?}");
    let images = event["debug_meta"]["images"].as_array().expect("the event has images");
    let image = images.iter().find(|image| image["code_id"] == build_id("app")).expect("one is the binary");
    assert!(own.iter().all(|frame| frame["image_addr"] == image["image_addr"]), "{own:#?} {image:#}");
    let address = |value: &Value| {
        let digits = value.as_str().and_then(|text| text.strip_prefix("0x")).expect("a hexadecimal address");
        u64::from_str_radix(digits, 16).expect("a hexadecimal address")
    };
    let offsets: Vec<String> = own
        .iter()
        .map(|frame| format!("{:#x}", address(&frame["instruction_addr"]) - address(&image["image_addr"])))
        .collect();
    let mut arguments = vec!["-f", "-C", "-i", "-e", "app.debug"];
    arguments.extend(offsets.iter().map(String::as_str));
    let names = output("addr2line", "binutils", &arguments);
    assert!(names.contains("blueprint_users::"), "{names}");
    assert!(names.contains("/usr/src/cyanotype/crates/blueprint-users/src/"), "{names}");
}

#[test]
fn the_shells_accept_the_completions_and_complete_with_them() {
    output("bash", "bash", &["-n", "completions/app.bash"]);
    output("zsh", "zsh", &["-n", "completions/_app"]);
    output("fish", "fish", &["--no-execute", "completions/app.fish"]);

    let bash =
        "source completions/app.bash; COMP_WORDS=(app log se) COMP_CWORD=2; _app app se log; echo ${COMPREPLY[@]}";
    assert_eq!(output("bash", "bash", &["-c", bash]).trim(), "set");
    let zsh = "autoload -U compinit; compinit -D; source completions/_app; whence -w _app";
    assert_eq!(output("zsh", "zsh", &["-f", "-c", zsh]).trim(), "_app: function");
    let fish = "source completions/app.fish; complete --do-complete 'app log se'";
    let completed = output("fish", "fish", &["--no-config", "-c", fish]);
    assert!(completed.lines().any(|line| line.split('\t').next() == Some("set")), "{completed}");
}

#[test]
fn each_command_has_a_manual_page_without_errors() {
    let pages: Vec<&str> = dist().names().into_iter().filter(|name| name.starts_with("man/")).collect();
    for page in ["man/app.1", "man/app-config.1", "man/app-log.1", "man/app-log-set.1", "man/app-completions.1"] {
        assert!(pages.contains(&page), "{page} is missing in {pages:?}");
    }
    let mut lint = Command::new(program("mandoc", "mandoc"));
    lint.args(["-T", "lint", "-W", "warning"]).args(&pages).current_dir(dist().directory());
    let lint = lint.output().expect("mandoc was found");
    // clap_mangen writes line breaks beside vertical space, which have no effect.
    let lint = String::from_utf8_lossy(&lint.stdout).into_owned();
    let has_no_effect = |line: &&str| {
        ["after", "before"].iter().any(|at| line.ends_with(&format!("skipping paragraph macro: br {at} sp")))
    };
    let warnings: Vec<&str> = lint.lines().filter(|line| !has_no_effect(line)).collect();
    assert_eq!(warnings, <[&str; 0]>::default());
    let mut man = process_guard::command(program("man", "man-db"));
    man.args(["--warnings", "--local-file", "man/app.1"]).current_dir(dist().directory()).env("MANPAGER", "cat");
    let text = succeed(man, &Scratch::new("release-manual"));
    for part in ["NAME", "SYNOPSIS", "--config", "app-log(1)"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}
