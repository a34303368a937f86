//! Rejected commands print a reason and change nothing.

use std::process::{Command, Output};

use system_tests::binaries;
use system_tests::scratch::Scratch;
use system_tests::workspace_copy::{WorkspaceCopy, assert_same_files, expect_success};

#[track_caller]
fn assert_refused(output: &Output, code: i32, reason: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*output.stdout), (Some(code), &b""[..]), "{stderr}");
    assert!(stderr.starts_with("error: ") && stderr.contains(reason), "{stderr} does not contain: {reason}");
}

/// Runs the command, and asserts that it is rejected and that nothing has changed.
#[track_caller]
fn refused(copy: &WorkspaceCopy, arguments: &[&str], code: i32, reason: &str) {
    let before = copy.tree();
    assert_refused(&copy.blueprint(arguments), code, reason);
    assert_same_files(&before, &copy.tree(), &format!("{arguments:?}"));
}

#[test]
fn invalid_names_and_fields_are_usage_errors() {
    let copy = WorkspaceCopy::fresh();
    for (name, reason) in [
        ("Sample", "lower-case words with hyphens"),
        ("sample_levels", "lower-case words with hyphens"),
        ("../sample", "lower-case words with hyphens"),
        ("", "lower-case words with hyphens"),
        ("a-name-that-is-longer-than-a-name-may-be", "at most 32 characters"),
        ("match", "a word of Rust"),
        ("order", "a word of SQL"),
        ("core", "taken by the core crate"),
        ("app", "taken by the package that serves"),
        ("docs", "taken by a path of the service's own"),
        ("probe", "taken by the blueprint of the tests"),
        ("schema-writers", "taken by a table of the core"),
        ("tokens", "would hide another"),
    ] {
        refused(&copy, &["new", name], 2, reason);
    }
    for (fields, reason) in [
        ("", "at least one field"),
        ("name", "has no type"),
        ("name:float", "there are text, integer, decimal, boolean, date, timestamp, uuid, json, each with `?`"),
        ("name:text??", "the field name has the type `text?`"),
        ("name:text name:text", "is there twice"),
        ("id:uuid", "has the field id already"),
        ("type:text", "a word of Rust"),
        ("order:integer", "a word of SQL"),
        ("Name:text", "lower-case words with underscores"),
    ] {
        refused(&copy, &["new", "sample", "--resource", fields], 2, reason);
    }
    refused(&copy, &["new", "sample", "--owned"], 2, "--resource <FIELDS>");
    let owned = ["new", "sample", "--resource", "user_id:uuid", "--owned"];
    refused(&copy, &owned, 2, "with --owned every row has the field user_id already");
    refused(&copy, &["new"], 2, "<NAME>");
    refused(&copy, &["make", "sample"], 2, "unrecognized subcommand 'make'");
}

#[test]
fn a_name_in_use_is_rejected_with_its_owner() {
    let copy = WorkspaceCopy::fresh();
    refused(&copy, &["new", "users"], 1, "there is a blueprint users already, in crates/blueprint-users");
    refused(&copy, &["new", "sentry"], 1, "the app has a feature sentry already");
    refused(&copy, &["new", "clap"], 1, "the app has a dependency clap");
    refused(
        &copy,
        &["new", "sessions"],
        1,
        "the table sessions is taken: a migration of crates/blueprint-users makes it",
    );
    refused(&copy, &["new", "order-lines"], 1, "the table order_lines is taken");
    let migrations = "crates/blueprint-users/migrations/postgres";
    copy.write(&format!("{migrations}/V9__sample.sql"), "CREATE INDEX sample_list_user_id ON users (name);\n");
    let owned = ["new", "sample-list", "--resource", "name:text", "--owned"];
    refused(&copy, &owned, 1, "the index sample_list_user_id is taken: a migration of crates/blueprint-users makes it");

    copy.replace("crates/blueprint-users/src/lib.rs", "\"/users\"", "\"/sample-people\"");
    refused(
        &copy,
        &["new", "sample-people"],
        1,
        "the prefix /sample-people is taken: the blueprint users has /sample-people",
    );

    copy.write("crates/blueprint-sample/notes.txt", "mine");
    refused(&copy, &["new", "sample"], 1, "crates/blueprint-sample exists already");
    copy.write("crates/sample-warehouse/Cargo.toml", "[package]\nname = \"blueprint-sample-store\"\n");
    refused(
        &copy,
        &["new", "sample-store"],
        1,
        "there is a crate blueprint-sample-store already, in crates/sample-warehouse",
    );
    copy.replace(
        "crates/app/src/blueprints.rs",
        "    service\n}",
        "    // blueprint_sample_shop::SampleShop\n    service\n}",
    );
    refused(&copy, &["new", "sample-shop"], 1, "crates/app/src/blueprints.rs has blueprint_sample_shop already");
}

#[test]
fn a_foreign_workspace_is_not_changed() {
    let nowhere = Scratch::new("nowhere");
    let xtask = |arguments: &[&str]| {
        let mut command = Command::new(binaries::xtask());
        command.arg("blueprint").args(arguments).current_dir(nowhere.path()).output().expect("the binary runs")
    };
    // The target directory is inside this workspace, so the directory needs its own workspace root.
    std::fs::write(nowhere.join("Cargo.toml"), "[workspace]\n").expect("the directory can be written");
    for arguments in [&["new", "sample"][..], &["list"], &["remove", "users"]] {
        assert_refused(&xtask(arguments), 1, "is no workspace of Cyanotype: crates/core/Cargo.toml cannot be read");
    }
    let entries = std::fs::read_dir(nowhere.path()).expect("the directory can be read").count();
    assert_eq!(entries, 1, "nothing was written");

    let copy = WorkspaceCopy::fresh();
    copy.replace("crates/core/Cargo.toml", "name = \"cyanotype\"", "name = \"other\"");
    refused(&copy, &["new", "sample"], 1, "crates/core is not the package cyanotype");
    let copy = WorkspaceCopy::fresh();
    copy.write("crates/app/src/blueprints.rs", "pub fn all() {}\n");
    refused(&copy, &["new", "sample"], 1, "crates/app/src/blueprints.rs is not the list of blueprints");
}

#[test]
fn a_failed_step_rolls_back_the_others() {
    let copy = WorkspaceCopy::fresh();
    let before = copy.tree();
    let broken = |arguments: &[&str]| {
        let mut command = Command::new(binaries::xtask());
        // Replaces Cargo with a program that always fails.
        command.arg("blueprint").args(arguments).current_dir(copy.root()).env("CARGO", "false");
        command.output().expect("the binary runs")
    };
    assert_refused(&broken(&["new", "sample"]), 1, "nothing was changed");
    assert_same_files(&before, &copy.tree(), "after a new that failed");
    assert!(!copy.root().join("crates/blueprint-sample").exists());

    expect_success(copy.blueprint(&["new", "sample"]));
    let with = copy.tree();
    assert_refused(&broken(&["remove", "sample"]), 1, "nothing was changed");
    assert_same_files(&with, &copy.tree(), "after a remove that failed");
}

#[test]
fn blueprints_in_use_or_not_generated_are_not_removed() {
    let copy = WorkspaceCopy::fresh();
    refused(&copy, &["remove", "sample"], 1, "there is no blueprint sample: there are ");
    refused(&copy, &["remove", "users"], 1, "was not made by this command");
    refused(&copy, &["remove", "orders", "--force"], 1, "was not made by this command");

    let before = copy.tree();
    expect_success(copy.blueprint(&["new", "sample"]));
    for (path, from, to, reason) in [
        (
            "crates/blueprint-orders/Cargo.toml",
            "[dependencies]\n",
            "[dependencies]\nblueprint-sample.workspace = true\n",
            "crates/blueprint-orders still depends on blueprint-sample",
        ),
        (
            "crates/blueprint-orders/src/lib.rs",
            "Dependency::on(\"users\")",
            "Dependency::on(\"sample\"), Dependency::on(\"users\")",
            "crates/blueprint-orders/src/lib.rs still needs the blueprint sample",
        ),
        (
            "crates/app/Cargo.toml",
            "[dependencies]\n",
            "sample-shop = [\"sample\"]\n\n[dependencies]\n",
            "the feature sample-shop of the app still asks for sample",
        ),
        (
            "config/dev.toml",
            "",
            "[blueprints.sample]\nlog_level = \"debug\"\n",
            "config/dev.toml still has settings for the blueprint sample",
        ),
        (
            "crates/app/src/blueprints.rs",
            "blueprint_sample::Sample)",
            "blueprint_sample::Sample::default())",
            "has blueprint_sample in other words",
        ),
    ] {
        let text = copy.read(path);
        let changed = if from.is_empty() { format!("{text}\n{to}") } else { text.replacen(from, to, 1) };
        assert_ne!(text, changed);
        copy.write(path, &changed);
        refused(&copy, &["remove", "sample"], 1, reason);
        refused(&copy, &["remove", "sample", "--force"], 1, reason);
        copy.write(path, &text);
    }
    expect_success(copy.blueprint(&["remove", "sample"]));
    assert_same_files(&before, &copy.tree(), "after it was removed");
}

#[test]
fn a_modified_blueprint_is_removed_only_with_force() {
    let copy = WorkspaceCopy::fresh();
    let before = copy.tree();
    expect_success(copy.blueprint(&["new", "sample"]));
    copy.replace("crates/blueprint-sample/src/routes.rs", "item added", "article added");
    copy.write("crates/blueprint-sample/src/more.rs", "");
    refused(&copy, &["remove", "sample"], 1, "src/routes.rs\n  src/more.rs (is new)");
    refused(&copy, &["remove", "sample", "--dry-run"], 1, "src/routes.rs");
    expect_success(copy.blueprint(&["remove", "sample", "--force"]));
    assert_same_files(&before, &copy.tree(), "after it was removed");
    assert!(!copy.root().join("crates/blueprint-sample").exists());
}
