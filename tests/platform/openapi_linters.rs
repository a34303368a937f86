//! Linters of the API document.

use std::path::Path;

use system_tests::binaries;
use system_tests::peers::npm;
use system_tests::scratch::{self, Scratch};
use system_tests::service::Service;
use system_tests::workspace_copy::{WorkspaceCopy, expect_success};

use crate::succeed;

const REDOCLY: &str = include_str!("openapi_linters/redocly.yaml");
const SPECTRAL: &str = include_str!("openapi_linters/spectral.yaml");

/// The API document of this build of the app.
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
fn assert_redocly_accepts(document: &str) {
    lint("redocly", ("redocly.yaml", REDOCLY), &[], document);
}

#[track_caller]
fn assert_spectral_accepts(document: &str) {
    lint("spectral", ("spectral.yaml", SPECTRAL), &["--ruleset=spectral.yaml", "--fail-severity=hint"], document);
}

#[test]
fn redocly_reports_no_problems() {
    assert_redocly_accepts(&document(&binaries::app()));
}

#[test]
fn spectral_reports_no_problems() {
    assert_spectral_accepts(&document(&binaries::app()));
}

#[test]
fn linters_accept_a_generated_blueprint() {
    let (copy, _lock) = WorkspaceCopy::cached();
    let fields = "name:text note:text? count:integer price:decimal? active:boolean day:date? due_at:timestamp? owner:uuid data:json?";
    expect_success(copy.blueprint(&["new", "sample-plain"]));
    expect_success(copy.blueprint(&["new", "sample-open", "--resource", "count:integer"]));
    expect_success(copy.blueprint(&["new", "sample-full", "--resource", fields, "--owned"]));
    let document = document(&copy.build());
    for name in ["sample-plain", "sample-open", "sample-full"] {
        expect_success(copy.blueprint(&["remove", name]));
    }
    assert_redocly_accepts(&document);
    assert_spectral_accepts(&document);
}
