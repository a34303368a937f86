//! Errors of `cargo blueprint`: each names its reason, and no file is changed.

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

/// Runs the command, and asserts that it fails and changes nothing.
#[track_caller]
fn assert_no_change(copy: &WorkspaceCopy, arguments: &[&str], code: i32, reason: &str) {
    let before = copy.tree();
    assert_refused(&copy.blueprint(arguments), code, reason);
    assert_same_files(&before, &copy.tree(), &format!("{arguments:?}"));
}

#[test]
fn invalid_arguments_are_usage_errors() {
    let copy = WorkspaceCopy::fresh();
    for (name, reason) in [
        ("Sample", "lower-case words joined by hyphens"),
        ("sample_levels", "lower-case words joined by hyphens"),
        ("../sample", "lower-case words joined by hyphens"),
        ("", "lower-case words joined by hyphens"),
        ("a-name-that-is-longer-than-a-name-may-be", "at most 32 characters"),
        ("match", "a Rust keyword"),
        ("order", "an SQL keyword"),
        ("core", "reserved for the core crate"),
        ("app", "reserved for the app package"),
        ("docs", "reserved for a built-in path"),
        ("probe", "reserved for the test blueprint"),
        ("schema-writers", "reserved for a table of the core crate"),
        ("tokens", "conflicts with one that the generated code uses"),
    ] {
        assert_no_change(&copy, &["new", name], 2, reason);
    }
    for (fields, reason) in [
        ("", "at least one field"),
        ("name", "has no type"),
        ("name:float", "the types are text, integer, decimal, boolean, date, timestamp, uuid, json, followed by `?`"),
        ("name:text??", "the field name has the unknown type `text?`"),
        ("name:text name:text", "is defined twice"),
        ("id:uuid", "already has the field id"),
        ("type:text", "a Rust keyword"),
        ("order:integer", "an SQL keyword"),
        ("Name:text", "lower-case words joined by underscores"),
    ] {
        assert_no_change(&copy, &["new", "sample", "--resource", fields], 2, reason);
    }
    assert_no_change(&copy, &["new", "sample", "--owned"], 2, "--resource <FIELDS>");
    let owned = ["new", "sample", "--resource", "user_id:uuid", "--owned"];
    assert_no_change(&copy, &owned, 2, "--owned adds the field user_id; remove it from --resource");
    assert_no_change(&copy, &["new"], 2, "<NAME>");
    assert_no_change(&copy, &["make", "sample"], 2, "unrecognized subcommand 'make'");
}

#[test]
fn a_conflict_names_the_existing_item() {
    let copy = WorkspaceCopy::fresh();
    assert_no_change(&copy, &["new", "users"], 1, "the blueprint users already exists in crates/blueprint-users");
    assert_no_change(&copy, &["new", "sentry"], 1, "the app already has a feature sentry");
    assert_no_change(&copy, &["new", "clap"], 1, "the app has a dependency clap");
    assert_no_change(
        &copy,
        &["new", "sessions"],
        1,
        "the table sessions already exists: a migration in crates/blueprint-users creates it",
    );
    assert_no_change(&copy, &["new", "order-lines"], 1, "the table order_lines already exists");
    let migrations = "crates/blueprint-users/migrations/postgres";
    copy.write(&format!("{migrations}/V9__sample.sql"), "CREATE INDEX sample_list_user_id ON users (name);\n");
    let owned = ["new", "sample-list", "--resource", "name:text", "--owned"];
    assert_no_change(
        &copy,
        &owned,
        1,
        "the index sample_list_user_id already exists: a migration in crates/blueprint-users creates it",
    );

    copy.replace("crates/blueprint-users/src/lib.rs", "\"/users\"", "\"/sample-people\"");
    assert_no_change(
        &copy,
        &["new", "sample-people"],
        1,
        "the prefix /sample-people conflicts with /sample-people of the blueprint users",
    );

    copy.write("crates/blueprint-sample/notes.txt", "mine");
    assert_no_change(&copy, &["new", "sample"], 1, "crates/blueprint-sample already exists");
    copy.write("crates/sample-warehouse/Cargo.toml", "[package]\nname = \"blueprint-sample-store\"\n");
    assert_no_change(
        &copy,
        &["new", "sample-store"],
        1,
        "the crate blueprint-sample-store already exists in crates/sample-warehouse",
    );
    copy.replace(
        "crates/app/src/blueprints.rs",
        "    service\n}",
        "    // blueprint_sample_shop::SampleShop\n    service\n}",
    );
    assert_no_change(
        &copy,
        &["new", "sample-shop"],
        1,
        "crates/app/src/blueprints.rs already mentions blueprint_sample_shop",
    );
}

#[test]
fn other_workspaces_are_not_changed() {
    let nowhere = Scratch::new("nowhere");
    let xtask = |arguments: &[&str]| {
        let mut command = Command::new(binaries::xtask());
        command.arg("blueprint").args(arguments).current_dir(nowhere.path()).output().expect("the binary runs")
    };
    // The scratch directory is inside this workspace, so it needs a workspace root of its own.
    std::fs::write(nowhere.join("Cargo.toml"), "[workspace]\n").expect("the directory can be written");
    for arguments in [&["new", "sample"][..], &["list"], &["remove", "users"]] {
        assert_refused(&xtask(arguments), 1, "is not a Cyanotype workspace: cannot read crates/core/Cargo.toml");
    }
    let entries = std::fs::read_dir(nowhere.path()).expect("the directory can be read").count();
    assert_eq!(entries, 1, "nothing was written");

    let copy = WorkspaceCopy::fresh();
    copy.replace("crates/core/Cargo.toml", "name = \"cyanotype\"", "name = \"other\"");
    assert_no_change(&copy, &["new", "sample"], 1, "the package in crates/core is not cyanotype");
    let copy = WorkspaceCopy::fresh();
    copy.write("crates/app/src/blueprints.rs", "pub fn all() {}\n");
    assert_no_change(&copy, &["new", "sample"], 1, "crates/app/src/blueprints.rs does not contain the blueprint list");
}

#[test]
fn a_failed_step_reverts_the_others() {
    let copy = WorkspaceCopy::fresh();
    let before = copy.tree();
    let broken = |arguments: &[&str]| {
        let mut command = Command::new(binaries::xtask());
        // Replaces Cargo with a command that always fails.
        command.arg("blueprint").args(arguments).current_dir(copy.root()).env("CARGO", "false");
        command.output().expect("the binary runs")
    };
    assert_refused(&broken(&["new", "sample"]), 1, "no files were changed");
    assert_same_files(&before, &copy.tree(), "after a new that failed");
    assert!(!copy.root().join("crates/blueprint-sample").exists());

    expect_success(copy.blueprint(&["new", "sample"]));
    let with = copy.tree();
    assert_refused(&broken(&["remove", "sample"]), 1, "no files were changed");
    assert_same_files(&with, &copy.tree(), "after a remove that failed");
}

#[test]
fn only_generated_blueprints_without_dependents_are_removed() {
    let copy = WorkspaceCopy::fresh();
    assert_no_change(&copy, &["remove", "sample"], 1, "there is no blueprint sample; the blueprints are ");
    assert_no_change(&copy, &["remove", "users"], 1, "was not generated by `cargo blueprint new`");
    assert_no_change(&copy, &["remove", "orders", "--force"], 1, "was not generated by `cargo blueprint new`");

    let before = copy.tree();
    expect_success(copy.blueprint(&["new", "sample"]));
    for (path, from, to, reason) in [
        (
            "crates/blueprint-orders/Cargo.toml",
            "[dependencies]\n",
            "[dependencies]\nblueprint-sample.workspace = true\n",
            "crates/blueprint-orders depends on blueprint-sample",
        ),
        (
            "crates/blueprint-orders/src/lib.rs",
            "Dependency::on(\"users\")",
            "Dependency::on(\"sample\"), Dependency::on(\"users\")",
            "crates/blueprint-orders/src/lib.rs depends on the blueprint sample",
        ),
        (
            "crates/app/Cargo.toml",
            "[dependencies]\n",
            "sample-shop = [\"sample\"]\n\n[dependencies]\n",
            "the app's feature sample-shop enables sample",
        ),
        (
            "config/dev.toml",
            "",
            "[blueprints.sample]\nlog_level = \"debug\"\n",
            "config/dev.toml has settings for the blueprint sample",
        ),
        (
            "crates/app/src/blueprints.rs",
            "blueprint_sample::Sample)",
            "blueprint_sample::Sample::default())",
            "mentions blueprint_sample outside the generated lines",
        ),
    ] {
        let text = copy.read(path);
        let changed = if from.is_empty() { format!("{text}\n{to}") } else { text.replacen(from, to, 1) };
        assert_ne!(text, changed);
        copy.write(path, &changed);
        assert_no_change(&copy, &["remove", "sample"], 1, reason);
        assert_no_change(&copy, &["remove", "sample", "--force"], 1, reason);
        copy.write(path, &text);
    }
    expect_success(copy.blueprint(&["remove", "sample"]));
    assert_same_files(&before, &copy.tree(), "after it was removed");
}

#[test]
fn modified_files_are_deleted_only_with_force() {
    let copy = WorkspaceCopy::fresh();
    let before = copy.tree();
    expect_success(copy.blueprint(&["new", "sample"]));
    copy.replace("crates/blueprint-sample/src/routes.rs", "item created", "article created");
    copy.write("crates/blueprint-sample/src/more.rs", "");
    assert_no_change(&copy, &["remove", "sample"], 1, "src/routes.rs\n  src/more.rs (new)");
    assert_no_change(&copy, &["remove", "sample", "--dry-run"], 1, "src/routes.rs");
    expect_success(copy.blueprint(&["remove", "sample", "--force"]));
    assert_same_files(&before, &copy.tree(), "after it was removed");
    assert!(!copy.root().join("crates/blueprint-sample").exists());
}
