//! The code follows the architecture in ARCHITECTURE.md: crate dependencies, no import cycles, and use of the Sentry SDK.

mod modules;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use system_tests::scratch;

use modules::Imports;

type Crates = BTreeMap<String, BTreeSet<String>>;

const CRATES: [&str; 10] = [
    "redact",
    "settings",
    "telemetry",
    "sentry",
    "flags",
    "actix",
    "core",
    "blueprint-users",
    "blueprint-orders",
    "app",
];

/// Lower crates first: each crate depends only on crates of the lines above.
const LAYERS: [&[&str]; 7] = [
    &["cyanotype-redact", "cyanotype-settings"],
    &["cyanotype-telemetry"],
    &["cyanotype-sentry", "cyanotype-flags", "cyanotype-actix"],
    &["cyanotype"],
    &["blueprint-users"],
    &["blueprint-orders"],
    &["app"],
];

/// An allowed cycle: a blueprint's root file implements the trait, which names the routes, and defines the path prefix, which
/// the routes use. `cargo blueprint new` generates the same structure.
const ROOT_AND_ROUTES: (&str, &[&str]) = ("blueprint-orders", &["", "api", "routes"]);

#[test]
fn the_diagram_shows_every_crate_and_dependency() {
    let diagram = diagram();
    let (missing, superfluous) = differences(&crates(), &diagram);
    assert!(
        missing.is_empty() && superfluous.is_empty(),
        "ARCHITECTURE.md's first diagram lacks {missing:?}, and has {superfluous:?}, which are not in the code"
    );
}

#[test]
fn crate_dependencies_follow_the_layers() {
    let crates = crates();
    for (layer, names) in LAYERS.iter().enumerate() {
        let below: BTreeSet<&str> = LAYERS[..layer].concat().into_iter().collect();
        for name in *names {
            let others = crates.get(*name).unwrap_or_else(|| panic!("there is no crate {name}"));
            let wrong: Vec<&String> = others.iter().filter(|other| !below.contains(other.as_str())).collect();
            assert!(wrong.is_empty(), "{name} depends on {wrong:?}, which are not below it");
        }
    }
}

#[test]
fn the_document_lists_the_steps_of_the_shutdown() {
    let code = scratch::read(&source("core").join("server/shutdown.rs"));
    let (_, order) = code.split_once("const STOP_ORDER").expect("shutdown.rs has STOP_ORDER");
    let (order, _) = order.split_once("];").expect("it is an array");
    let steps: Vec<&str> = order.split("Step::").skip(1).filter_map(|step| step.split(',').next()).collect();

    let text = scratch::read(&scratch::workspace().join("ARCHITECTURE.md"));
    let (_, section) = text.split_once("\n## Shutdown\n").expect("ARCHITECTURE.md has a section Shutdown");
    let section = section.split("\n## ").next().unwrap_or_default();
    let items = section.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    let listed: Vec<&str> = items.filter_map(|item| item.split('`').nth(1)).collect();
    assert_eq!(listed, steps, "ARCHITECTURE.md, left, and shutdown.rs, right");
}

#[test]
fn modules_have_no_import_cycles() {
    let mut found = BTreeSet::new();
    for name in CRATES {
        let files = modules::imports(&source(name));
        assert!(files.values().any(|others| !others.is_empty()), "no import was found in {name}");
        found.extend(cycles(name, &files));
        found.extend(cycles(name, &modules::by_top_module(&files)));
    }
    let exceptions = [ROOT_AND_ROUTES].map(|(name, modules)| {
        (name.to_owned(), modules.iter().map(|module| (*module).to_owned()).collect::<Vec<_>>())
    });
    assert_eq!(found, BTreeSet::from(exceptions), "import cycles (left) and allowed cycles (right)");
}

#[test]
fn only_the_sentry_crate_and_one_core_file_use_the_sdk() {
    let wiring = source("core").join("sentry.rs");
    let sources = directories().into_iter().filter(|directory| !directory.ends_with("sentry"));
    let files = sources.flat_map(|directory| rust_files(&directory.join("src"))).filter(|path| *path != wiring);
    let mut found = vec![];
    for path in files {
        let text = scratch::read(&path);
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let lines = code.filter(|line| uses_the_sdk(line) || line.contains("feature = \"sentry\""));
        found.extend(lines.map(|line| format!("{}: {}", path.display(), line.trim())));
    }
    assert!(
        found.is_empty(),
        "Sentry is used outside crates/sentry and crates/core/src/sentry.rs:\n{}",
        found.join("\n")
    );
    assert!(
        uses_the_sdk("use sentry::Hub;") && uses_the_sdk("::sentry::init()") && uses_the_sdk("sentry_actix::Sentry")
    );
    assert!(!uses_the_sdk("use crate::sentry::policy;") && !uses_the_sdk("pub use sentry::Sentry;"));
}

#[test]
fn no_module_uses_a_path_attribute() {
    let mut found = vec![];
    for path in directories().iter().flat_map(|directory| rust_files(directory)) {
        let text = scratch::read(&path);
        let lines = text.lines().filter(|line| line.trim_start().starts_with("#[path"));
        found.extend(lines.map(|line| format!("{}: {}", path.display(), line.trim())));
    }
    assert!(found.is_empty(), "modules with a #[path] attribute:\n{}", found.join("\n"));
}

/// `use sentry::…` imports the SDK; `pub use sentry::…` re-exports the crate's own module.
fn uses_the_sdk(line: &str) -> bool {
    let line = line.trim_start();
    let in_place = line.match_indices("::sentry::").any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric()));
    in_place
        || line.contains("sentry_actix::")
        || ["use sentry::", "use sentry;", "extern crate sentry"].iter().any(|import| line.starts_with(import))
}

fn cycles(name: &str, imports: &Imports) -> Vec<(String, Vec<String>)> {
    let path = |module: Vec<String>| module.join("::");
    let named = |cycle: Vec<Vec<String>>| (name.to_owned(), cycle.into_iter().map(path).collect());
    modules::cycles(imports).into_iter().map(named).collect()
}

/// The crates in the first diagram: each line is `name ← dependency, dependency`, or only a name.
fn diagram() -> Crates {
    let text = scratch::read(&scratch::workspace().join("ARCHITECTURE.md"));
    let diagram = text.split("```text\n").nth(1).and_then(|rest| rest.split("```").next());
    let lines = diagram.expect("ARCHITECTURE.md begins with a diagram").lines().filter(|line| !line.trim().is_empty());
    let entry = |line: &str| {
        let (name, others) = line.split_once('←').unwrap_or((line, ""));
        let others = others.split(',').map(|other| other.trim().to_owned()).filter(|other| !other.is_empty());
        (name.trim().to_owned(), others.collect())
    };
    lines.map(entry).collect()
}

fn crates() -> Crates {
    let packages = packages();
    let names: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let dependencies = |package: &Value| {
        let all = package["dependencies"].as_array().expect("a package has dependencies").clone();
        let normal = all.into_iter().filter(|dependency| dependency["kind"].is_null());
        let own =
            normal.filter_map(|it| Some(it["name"].as_str()?.to_owned())).filter(|name| names.contains(name.as_str()));
        own.collect()
    };
    packages
        .iter()
        .map(|it| (it["name"].as_str().expect("a package has a name").to_owned(), dependencies(it)))
        .collect()
}

fn differences(code: &Crates, diagram: &Crates) -> (BTreeSet<String>, BTreeSet<String>) {
    let edges = |crates: &Crates| -> BTreeSet<String> {
        let own = crates.iter().flat_map(|(name, others)| others.iter().map(move |other| format!("{name} ← {other}")));
        own.chain(crates.keys().cloned()).collect()
    };
    let (code, diagram) = (edges(code), edges(diagram));
    (&code - &diagram, &diagram - &code)
}

fn directories() -> Vec<PathBuf> {
    let manifests =
        packages().into_iter().filter_map(|package| Some(PathBuf::from(package["manifest_path"].as_str()?)));
    manifests.filter_map(|path| Some(path.parent()?.to_owned())).filter(|path| !path.ends_with("tests")).collect()
}

fn packages() -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--no-deps", "--format-version", "1", "--offline"];
    let output = Command::new(cargo).args(arguments).current_dir(scratch::workspace()).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo's metadata is JSON");
    metadata["packages"].as_array().expect("there are packages").clone()
}

fn source(name: &str) -> PathBuf {
    scratch::workspace().join("crates").join(name).join("src")
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = vec![];
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.expect("a directory can be listed").path();
        if path.is_dir() && !path.ends_with("target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
