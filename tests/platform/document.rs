//! The API document as linters see it.

use std::path::Path;

use system_tests::binaries;
use system_tests::peers::npm;
use system_tests::scratch::{self, Scratch};
use system_tests::service::Service;

use crate::succeed;

const REDOCLY: &str = include_str!("document/redocly.yaml");
const SPECTRAL: &str = include_str!("document/spectral.yaml");

/// The document of this build of the app.
fn document(binary: &Path) -> String {
    let stopped = Service::new(binary).arg("openapi").run();
    assert_eq!(stopped.code(), Some(0), "{}", stopped.stderr);
    stopped.stdout
}

/// Runs a linter in a directory that holds the document and the linter's rules.
#[track_caller]
fn lint(tool: &str, (rules, content): (&str, &str), arguments: &[&str], document: &str) {
    let scratch = Scratch::new(tool);
    scratch::write(&scratch.join(rules), content);
    scratch::write(&scratch.join("openapi.json"), document);
    let mut command = npm::tool(tool);
    command.args(["lint", "openapi.json"]).args(arguments).current_dir(scratch.path());
    succeed(command, &scratch);
}

#[track_caller]
fn redocly_finds_nothing_in(document: &str) {
    lint("redocly", ("redocly.yaml", REDOCLY), &[], document);
}

#[track_caller]
fn spectral_finds_nothing_in(document: &str) {
    lint("spectral", ("spectral.yaml", SPECTRAL), &["--ruleset=spectral.yaml", "--fail-severity=hint"], document);
}

#[test]
fn redocly_finds_nothing() {
    redocly_finds_nothing_in(&document(&binaries::app()));
}

#[test]
fn spectral_finds_nothing() {
    spectral_finds_nothing_in(&document(&binaries::app()));
}
