//! The generated parts of the documents are current. `UPDATE_DOCUMENTS=1` regenerates them.

use std::path::{Path, PathBuf};

use system_tests::service::Service;
use system_tests::{binaries, scratch};

fn stdout(arguments: &[&str]) -> String {
    let stopped =
        arguments.iter().fold(Service::new(&binaries::app()), |service, argument| service.arg(*argument)).run();
    assert_eq!(stopped.code(), Some(0), "{}", stopped.stderr);
    stopped.stdout
}

/// Checks the text between `<!-- NAME -->` and `<!-- end of NAME -->`.
#[track_caller]
fn check(document: &str, name: &str, expected: &str) {
    let path: PathBuf = scratch::workspace().join(document);
    let text = scratch::read(&path);
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let from = text.find(&begin).unwrap_or_else(|| panic!("{document} has no {begin}")) + begin.len();
    let to = from + text[from..].find(&end).unwrap_or_else(|| panic!("{document} has no {end}"));
    if &text[from..to] == expected {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_DOCUMENTS").is_some(),
        "{document} is out of date: run `UPDATE_DOCUMENTS=1 cargo test -p system-tests documents`\n{expected}"
    );
    scratch::write(&path, format!("{}{expected}{}", &text[..from], &text[to..]));
}

#[test]
fn the_readme_shows_the_table() {
    let table = stdout(&["log", "explain", "--set", "sentry.dsn=https://key@sentry.example/1"]);
    check("README.md", "app log explain", &format!("```text\n$ app log explain\n{}\n```\n", table.trim_end()));
}

#[test]
fn the_architecture_lists_the_faults() {
    check("ARCHITECTURE.md", "faults", &crate::faults::rows());
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
            let (module, name) = test.rsplit_once("::").unwrap_or_else(|| panic!("{test} names no module"));
            let file = module.trim_end_matches("::tests").replace("::", "/");
            let sources = ["tests/system", "tests/platform", "crates/core/src"];
            let files = [format!("{file}.rs"), format!("{file}/tests.rs")];
            let paths = sources.iter().flat_map(|place| files.iter().map(move |file| Path::new(place).join(file)));
            let declared = format!("fn {name}(");
            let mut paths = paths.map(|path| scratch::workspace().join(path));
            let exists = paths.any(|path| path.exists() && scratch::read(&path).contains(&declared));
            assert!(exists, "docs/SECURITY.md names {test}, which does not exist");
        }
    }
    assert!(named >= 10, "only {named} tests are named");
}
