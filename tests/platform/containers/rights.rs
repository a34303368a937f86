//! The image: who the service is in a container, what it can write to, and how a runtime learns its health.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::{Value, json};
use system_tests::peers::venv;
use system_tests::process_guard;
use system_tests::records;
use system_tests::scratch::{self, Scratch};

use super::image::{self, Image, USER};
use super::life;
use crate::succeed;

#[test]
fn the_containerfile_has_no_findings() {
    let mut hadolint = process_guard::command(venv::containers().with_file_name("hadolint"));
    hadolint.arg(scratch::workspace().join("deploy/container/Containerfile"));
    let scratch = Scratch::new("hadolint");
    assert_eq!(succeed(hadolint, &scratch), "");
}

#[test]
fn a_container_serves_from_a_read_only_root_without_rights() {
    let image = Image::build();
    let config = &image.config;
    assert_eq!((&config["User"], &config["WorkingDir"]), (&json!("65532:65532"), &json!("/etc/cyanotype")));
    assert_eq!(config["Labels"]["org.opencontainers.image.title"], "cyanotype");

    let mut container = image.container("read-only");
    container.read_only = true;
    let health = health_check(config);
    assert_eq!(container.run(&health).0, Some(1), "nothing runs yet");
    let running = container.start();
    assert_eq!(container.run(&health), (Some(0), "ready\n".to_owned()));
    let status = scratch::read(Path::new(&format!("/proc/{}/status", running.pid)));
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        value.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!((field("Uid:"), field("Gid:")), (vec![USER.to_string(); 4], vec![USER.to_string(); 4]));
    assert_eq!(field("CapEff:"), ["0000000000000000"]);
    let root = format!("/proc/{}/root", running.pid);
    let written = fs::write(format!("{root}/etc/cyanotype/test"), "").expect_err("the root is read-only");
    assert_eq!(written.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    assert!(!Path::new(&format!("{root}/bin/sh")).exists(), "there is no shell");

    life::live(container.client());
    let owner = fs::metadata(container.state.join("app.db")).expect("the database is in the volume").uid();
    assert_eq!(owner, USER);
    // buildah itself fails afterwards, when it deletes its mount points, and writes that to the same stderr.
    running.stop();
    let log = scratch::read(&container.log);
    let written = records::parse_all(log.split("panic: runtime error").next().expect("a text has a beginning"));
    let routes: Vec<&str> = written.iter().filter_map(|record| record["http.route"].as_str()).collect();
    let expected = ["/users", "/users/login", "/orders", "/orders/{id}/pay", "/orders/{id}", "/users/{id}"];
    assert_eq!(routes[..6], expected);
    assert_eq!(written.last().map(|it| &it["message"]), Some(&json!("stopped")));
    assert_eq!(scratch::read(&container.log.with_extension("out")), "", "stdout is empty");
}

#[test]
fn the_exit_status_of_the_service_is_that_of_the_container() {
    let image = Image::build();
    let mut container = image.container("misconfigured");
    assert_eq!(container.run(&["config", "--check"]), (Some(0), "configuration OK\n".to_owned()));
    container.env.push("APP__LOG__MODE=loud".to_owned());
    assert_eq!(container.run(&[]).0, Some(78));
}

#[test]
fn the_build_context_has_neither_secrets_nor_build_results() {
    let scratch = Scratch::new("context");
    let tree = scratch.join("tree");
    let sent =
        ["Cargo.lock", "Cargo.toml", "crates/app/src/main.rs", "deploy/container/default.toml", "tests/Cargo.toml"];
    let ignored = [
        ".git/config",
        "README.md",
        "crates/bench/Cargo.toml",
        "crates/redact/fuzz/target/a",
        "data/cyanotype.db",
        "deploy/container/secrets/database_url",
        "target/debug/app",
        "tests/target/a",
    ];
    for path in sent.iter().chain(&ignored).map(|path| tree.join(path)) {
        scratch::make_dir(path.parent().expect("a file is in a directory"));
        scratch::write(&path, "");
    }
    fs::copy(scratch::workspace().join(".dockerignore"), tree.join(".dockerignore")).expect("the tree is writable");
    assert_eq!(image::context_files(&tree, &scratch), sent);
}

/// The arguments of the image's health check, which has no shell.
fn health_check(config: &Value) -> Vec<&str> {
    let test: Vec<&str> =
        config["Healthcheck"]["Test"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert_eq!((test[0], test[1]), ("CMD", "/usr/bin/app"));
    test[2..].to_vec()
}
