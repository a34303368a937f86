//! The generated parts of the documents are those of the program. `UPDATE_DOCUMENTS=1` writes them.

mod doctor;
mod operations;

use std::collections::BTreeSet;
use std::path::Path;

use cyanotype::catalog::{COMMON, SERVICE};
use system_tests::scratch::Scratch;
use system_tests::service::Service;
use system_tests::{binaries, scratch};
use test_harness::documents;

use crate::support::probe;

fn stdout(arguments: &[&str]) -> String {
    let stopped =
        arguments.iter().fold(Service::new(&binaries::app()), |service, argument| service.arg(*argument)).run();
    assert_eq!(stopped.code(), Some(0), "{}", stopped.stderr);
    stopped.stdout
}

/// Compares the text between `<!-- NAME -->` and `<!-- end of NAME -->`.
#[track_caller]
pub fn check(document: &str, name: &str, expected: &str) {
    documents::check(document, name, expected, "system-tests");
}

/// Checks that a test that a document names exists: `module::name`, the module below `tests/system`, `tests/platform` or
/// `crates/core/src`.
#[track_caller]
pub fn assert_test_exists(document: &str, test: &str) {
    let (module, name) = test.rsplit_once("::").unwrap_or_else(|| panic!("{test} names no module"));
    let file = module.trim_end_matches("::tests").replace("::", "/");
    let sources = ["tests/system", "tests/platform", "crates/core/src"];
    let files = [format!("{file}.rs"), format!("{file}/mod.rs"), format!("{file}/tests.rs")];
    let paths = sources.iter().flat_map(|place| files.iter().map(move |file| Path::new(place).join(file)));
    let declared = format!("fn {name}(");
    let mut paths = paths.map(|path| scratch::workspace().join(path));
    let exists = paths.any(|path| path.exists() && scratch::read(&path).contains(&declared));
    assert!(exists, "{document} names the test {test}, which does not exist");
}

#[test]
fn the_readme_shows_the_table() {
    let table = stdout(&["log", "explain", "--set", "sentry.dsn=https://key@sentry.example/1"]);
    check("README.md", "app log explain", &format!("```text\n$ app log explain\n{}\n```\n", table.trim_end()));
}

#[test]
fn the_contract_lists_every_subcommand() {
    let scratch = Scratch::new("man");
    stdout(&["man", &scratch.path().display().to_string()]);
    let pages = std::fs::read_dir(scratch.path()).expect("the pages are written").flatten();
    let names = pages.map(|page| page.file_name().to_string_lossy().trim_end_matches(".1").replace('-', " "));
    let names: BTreeSet<String> = names.collect();
    let has_subcommands = |name: &String| names.iter().any(|other| other.starts_with(&format!("{name} ")));
    let commands: Vec<_> = names.iter().filter(|name| !has_subcommands(name)).map(|name| format!("`{name}`")).collect();
    check("docs/CONTRACT.md", "subcommands", &format!("{}.\n", commands.join(", ")));
}

#[test]
fn the_settings_reference_lists_every_setting() {
    check("docs/SETTINGS.md", "app config --reference", &stdout(&["config", "--reference"]));
}

#[test]
fn the_openapi_file_is_current() {
    let path = scratch::workspace().join("docs/openapi.json");
    let expected = stdout(&["openapi"]);
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        scratch::write(&path, &expected);
    }
    assert!(
        scratch::read(&path) == expected,
        "docs/openapi.json is out of date: run `UPDATE_DOCUMENTS=1 cargo test -p system-tests documents`"
    );
}

#[test]
fn tests_named_in_security_md_exist() {
    let text = scratch::read(&scratch::workspace().join("docs/SECURITY.md"));
    let rows = text.lines().filter(|line| line.starts_with("| API"));
    let mut named = 0;
    for row in rows {
        let tests = row.trim_end_matches([' ', '|']).rsplit(" | ").next().expect("a row has cells");
        for test in tests.split(", ").map(|test| test.trim_matches('`')) {
            named += 1;
            assert_test_exists("docs/SECURITY.md", test);
        }
    }
    assert!(named >= 10, "only {named} tests are named");
}

#[test]
fn the_start_record_has_every_key_of_the_catalog() {
    // Without a DSN, on a file, and with a variable that is not read.
    let records = probe().env("LOG_LEVEL", "debug").start().stop().records();
    let start = records.iter().find(|record| record.get("sinks").is_some()).expect("there is a start record");
    let written: BTreeSet<&str> =
        start.as_object().into_iter().flat_map(|keys| keys.keys()).map(String::as_str).collect();
    let entry = SERVICE.iter().find(|entry| entry.name == "start").expect("the catalog has the start record");
    let listed: BTreeSet<&str> = COMMON.iter().chain(entry.fields).map(|field| field.key).collect();
    assert_eq!(written, listed);
}
