//! What the documents mention exists: links, settings, commands with their options, versions; and the two that a newcomer reads
//! first are short.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use cyanotype::{Kind, catalog};
use system_tests::{binaries, scratch};

/// Every document that people write.
fn documents() -> BTreeMap<PathBuf, String> {
    let root = scratch::workspace();
    let in_docs = std::fs::read_dir(root.join("docs")).expect("docs/ can be listed");
    let in_docs = in_docs.map(|entry| entry.expect("docs/ can be listed").path());
    let top = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root.join(name));
    let documents = in_docs.chain(top).filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    documents.map(|path| (path.clone(), scratch::read(&path))).collect()
}

/// The inline code and the lines of shell blocks of a document.
fn code(text: &str) -> Vec<&str> {
    let mut code = Vec::new();
    let mut block = None;
    for line in text.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            block = if block.is_some() { None } else { Some(language) };
        } else if block == Some("sh") {
            code.push(line.split(" #").next().unwrap_or_default().trim());
        } else if block.is_none() {
            code.extend(line.split('`').skip(1).step_by(2));
        }
    }
    code
}

fn for_each(mut check: impl FnMut(&Path, &str)) {
    for (path, text) in documents() {
        check(&path, &text);
    }
}

/// All but the changelog, which mentions former names.
fn for_each_current(mut check: impl FnMut(&Path, &str)) {
    for_each(|path, text| {
        if !path.ends_with("CHANGELOG.md") {
            check(path, text);
        }
    });
}

#[test]
fn every_code_block_is_closed() {
    for_each(|path, text| {
        let mut block = None;
        for (number, line) in text.lines().enumerate() {
            match (line.trim_start().strip_prefix("```"), block) {
                (Some(""), Some(_)) => block = None,
                (Some(_), None) => block = Some(number + 1),
                (Some(_), Some(begin)) => panic!("{}: the code block of line {begin} is not closed", path.display()),
                (None, _) => {}
            }
        }
        assert_eq!(block, None, "{}: a code block is not closed", path.display());
    });
}

#[test]
fn every_relative_link_has_a_target() {
    let mut checked = 0;
    for_each(|path, text| {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            if !link.is_empty() && !link.contains("://") {
                let target = path.parent().expect("a file is in a directory").join(link);
                assert!(target.exists(), "{} links to {link}, which does not exist", path.display());
                checked += 1;
            }
        }
    });
    assert!(checked > 20, "only {checked} links were found");
}

#[test]
fn every_setting_exists() {
    let reference = scratch::read(&scratch::workspace().join("docs/SETTINGS.md"));
    let settings: BTreeSet<&str> =
        reference.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let sections: BTreeSet<&str> = settings.iter().filter_map(|key| key.split('.').next()).collect();
    assert!(settings.len() > 50, "only {} settings were found", settings.len());
    // A section (`server.cors`), the first part of keys that end in names, a `…_file` twin, and both ways to write those of blueprints.
    let exists = |key: &str| {
        let key = key.trim_end_matches(".*");
        settings.contains(key)
            || settings.contains(key.trim_end_matches("_file"))
            || settings.iter().any(|setting| setting.starts_with(&format!("{key}.")))
    };
    /// A key of the Elastic Common Schema, in docs/RECORDS.md.
    const KEY_OF_ECS: &str = "log.logger";
    let mut checked = 0;
    for_each(|path, text| {
        for key in code(text).into_iter().filter_map(|code| code.split([' ', '=']).next()) {
            let is_key = key.contains('.') && key.chars().all(|c| c.is_ascii_lowercase() || "._*".contains(c));
            let first = key.split('.').next().unwrap_or_default();
            let is_file =
                ["rs", "toml", "md", "json", "conf", "sock", "db"].iter().any(|end| key.ends_with(&format!(".{end}")));
            let is_of_record = Kind::ALL.iter().any(|kind| catalog::has_key(kind.as_str(), key));
            if is_key
                && !is_file
                && !is_of_record
                && key != KEY_OF_ECS
                && sections.contains(first)
                && first != "blueprints"
                && !key.starts_with("log.levels")
            {
                assert!(exists(key), "{} mentions the setting {key}, which does not exist", path.display());
                checked += 1;
            }
        }
    });
    assert!(checked > 30, "only {checked} settings were checked");
}

/// The help of a command line's subcommand, and the options that the line gives.
fn invoked(line: &str) -> Option<(PathBuf, Vec<&str>, Vec<&str>)> {
    let (binary, rest) = [
        ("cargo run -q -- ", binaries::app as fn() -> PathBuf),
        ("app ", binaries::app),
        ("cargo xtask ", binaries::xtask),
        ("cargo blueprint ", binaries::xtask),
    ]
    .into_iter()
    .find_map(|(prefix, binary)| Some((binary, line.strip_prefix(prefix)?)))?;
    let mut path: Vec<&str> = if line.starts_with("cargo blueprint ") { vec!["blueprint"] } else { Vec::new() };
    let is_word = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-');
    path.extend(rest.split_whitespace().take_while(is_word));
    let options = rest.split([' ', '`', '[', ']']).filter(|word| word.starts_with("--") && word.len() > 2);
    Some((binary(), path, options.map(|option| option.split('=').next().unwrap_or(option)).collect()))
}

#[test]
fn every_command_has_its_subcommand_and_options() {
    let mut checked = 0;
    for_each_current(|path, text| {
        for line in code(text) {
            let Some((binary, subcommand, options)) = invoked(line) else { continue };
            // The last word may be an argument (`cargo xtask soak hangups`).
            let help = |words: &[&str]| {
                let output = Command::new(&binary).args(words).arg("--help").output().expect("the binary runs");
                output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
            };
            let shown = help(&subcommand).unwrap_or_else(|| panic!("{}: `{line}` is not a command", path.display()));
            for option in options {
                assert!(shown.contains(option), "{}: `{line}`: {option} is not an option:\n{shown}", path.display());
            }
            checked += 1;
        }
    });
    assert!(checked > 15, "only {checked} commands were checked");
}

#[test]
fn every_path_in_the_repository_exists() {
    let root = scratch::workspace();
    let mut checked = 0;
    for_each_current(|path, text| {
        for named in code(text) {
            let is_path =
                ["crates/", "tests/", "docs/", "deploy/", ".ci/"].iter().any(|start| named.starts_with(start))
                    && named.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            if is_path {
                let exists = root.join(named).exists() || root.join(format!("{named}.rs")).exists();
                assert!(exists, "{} names {named}, which does not exist", path.display());
                checked += 1;
            }
        }
    });
    assert!(checked > 20, "only {checked} paths were found");
}

#[test]
fn every_item_of_the_code_exists() {
    let tracked = Command::new("git").args(["ls-files", "*.rs"]).current_dir(scratch::workspace()).output();
    let tracked = String::from_utf8(tracked.expect("git runs").stdout).expect("paths are UTF-8");
    let sources = tracked.lines().map(|path| scratch::read(&scratch::workspace().join(path)));
    let words = |text: String| {
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(str::to_owned).collect::<Vec<_>>()
    };
    let words: BTreeSet<String> = sources.flat_map(words).collect();
    let mut checked = 0;
    for_each_current(|path, text| {
        for named in code(text) {
            let named = named.split(['(', '<', '!', ' ']).next().unwrap_or_default();
            let is_item = named.contains("::") && named.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c));
            if is_item {
                for part in named.split("::").filter(|part| !part.is_empty()) {
                    assert!(words.contains(part), "{} names `{named}`; {part} does not exist", path.display());
                }
                checked += 1;
            }
        }
    });
    assert!(checked > 20, "only {checked} items were found");
}

#[test]
fn the_readme_states_the_version_of_rust() {
    let root = scratch::workspace();
    let manifest = scratch::read(&root.join("Cargo.toml"));
    let version = manifest.split("rust-version = \"").nth(1).and_then(|rest| rest.split('"').next());
    let stated = format!("Rust {} or later", version.expect("Cargo.toml has a rust-version"));
    assert!(scratch::read(&root.join("README.md")).contains(&stated), "README.md does not state: {stated}");
}

#[test]
fn the_first_documents_are_short() {
    for (name, limit) in [("README.md", 900), ("ARCHITECTURE.md", 1200)] {
        let words = scratch::read(&scratch::workspace().join(name)).split_whitespace().count();
        assert!(words < limit, "{name} has {words} words; the limit is {limit}");
    }
}
