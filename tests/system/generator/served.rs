//! What the command makes: built, served, and taken back.

use std::ffi::OsString;
use std::fs;
use std::process::{Command, Output};
use std::time::Instant;

use serde_json::{Value, json};
use system_tests::figures::say;
use system_tests::scratch;
use system_tests::service::{Running, Service};

use super::copy::{Copy, assert_same};
use super::done;
use crate::support::of_kind;

/// Every type, optional and not, and keys whose values are no record's business.
const FIELDS: &str = "name:text note:text? count:integer spare:integer? active:boolean maybe:boolean? due_at:timestamp \
                      done_at:timestamp? owner:uuid other:uuid? pin:integer token:text";

/// Cargo in a copy that is kept. It builds the workspace's own crates anew, and takes all others from where this workspace
/// has built them.
fn cargo(copy: &Copy, arguments: &[&str]) -> Output {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(copy.root());
    command.env("CARGO_BUILD_BUILD_DIR", scratch::target()).env("CARGO_TARGET_DIR", built(copy));
    command.output().expect("cargo runs")
}

fn built(copy: &Copy) -> std::path::PathBuf {
    copy.root().with_file_name("built")
}

/// Has Cargo tell the copy's crates from this workspace's: by a profile of their own, in a file that it finds above them.
fn set_apart(copy: &Copy) {
    let crates = fs::read_dir(copy.root().join("crates")).expect("there are crates");
    let folders = crates.flatten().map(|entry| entry.path()).chain([copy.root().join("tests")]);
    let names = folders.map(|folder| {
        let manifest = scratch::read(&folder.join("Cargo.toml"));
        let name = manifest.lines().find_map(|line| line.strip_prefix("name = ")).expect("a crate has a name");
        format!("[profile.dev.package.{name}]\ndebug = false\n")
    });
    let config = copy.root().with_file_name(".cargo");
    scratch::make_dir(&config);
    scratch::write(&config.join("config.toml"), names.collect::<String>());
}

fn start(copy: &Copy) -> Running {
    // As `cargo test --workspace` does, so that all other crates are there already.
    done(cargo(copy, &["build", "--quiet", "--workspace", "--bin", "app"]));
    Service::new(&built(copy).join("debug/app")).start()
}

#[test]
fn from_a_name_to_a_served_route_and_back() {
    let (copy, _lock) = Copy::kept();
    set_apart(&copy);
    let before = copy.tree();
    drop(start(&copy));
    assert!(done(cargo(&copy, &["blueprint", "list"])).contains("crates/blueprint-users"));

    let began = Instant::now();
    done(cargo(&copy, &["blueprint", "new", "inventory"]));
    let app = start(&copy);
    let first = app.get("/inventory").send();
    say(&format!("from `cargo blueprint new` to its first 200, all else being built: {:.1?}", began.elapsed()));
    assert_eq!((first.status, first.json()), (200, json!({"items": [], "next": null})));
    drop(app);

    let said = done(copy.blueprint_in("crates/core/src", &["new", "every-thing", "--resource", FIELDS]));
    let body = said.split(" -d '").nth(1).and_then(|rest| rest.split('\'').next()).expect("a curl that works");
    let body: Value = serde_json::from_str(body).expect("its body is JSON");
    done(cargo(&copy, &["fmt", "--all", "--check"]));
    let both = ["-p", "blueprint-inventory", "-p", "blueprint-every-thing"];
    let workspace = ["-p", "app", "-p", "system-tests"];
    let clippy = [&["clippy", "--quiet", "--all-targets"][..], &both, &["--", "-D", "warnings"]].concat();
    done(cargo(&copy, &clippy));
    done(cargo(&copy, &[&["test", "--quiet", "--test", "alone"][..], &both].concat()));
    let _ = workspace;

    let app = start(&copy);
    everything_is_served(&app, &body);
    let listed = done(copy.blueprint(&["list", "--json"]));
    let listed: Value = serde_json::from_str(&listed).expect("--json is JSON");
    let own = json!({"name": "every-thing", "prefix": "/every-thing", "crate": "crates/blueprint-every-thing", "registered": true});
    assert!(listed.as_array().is_some_and(|all| all.contains(&own)), "{listed}");

    for name in ["inventory", "every-thing"] {
        done(copy.blueprint(&["remove", name]));
    }
    assert_same(&before, &copy.tree(), "after both were removed");
}

/// Asks the routes, and looks at what they leave in the log.
fn everything_is_served(app: &Running, body: &Value) {
    let added = app.post("/every-thing").json(body).send();
    assert_eq!(added.status, 201, "{}", added.text());
    let item = added.json();
    let path = added.header("location").expect("a new item has a place").to_owned();
    assert_eq!(app.get(&path).send().json(), item);
    let changed = app.patch(&path).json(&json!({"active": false, "token": "hunter2"})).send();
    assert_eq!((changed.status, &changed.json()["active"]), (200, &json!(false)));
    let list = app.get("/every-thing?limit=1").send();
    assert_eq!(list.json()["items"], json!([changed.json()]));
    assert!(list.header("link").is_some_and(|link| link.contains("rel=\"first\"")));
    assert_eq!(app.delete(&path).send().status, 204);
    assert_eq!(app.get(&path).send().status, 404);
    assert_eq!(app.post("/inventory").json(&json!({"name": "first"})).send().status, 201);

    let is_last = |record: &Value| record["url.path"] == "/inventory";
    app.wait_record("the last response", is_last);
    let records = app.records();
    let responses = of_kind(&records, "response");
    let said: Vec<_> = responses
        .iter()
        .map(|record| (record["http.request.method"].as_str(), record["http.route"].as_str()))
        .collect();
    let (one, all) = (Some("/every-thing/{id}"), Some("/every-thing"));
    let expected = [
        (Some("POST"), all),
        (Some("GET"), one),
        (Some("PATCH"), one),
        (Some("GET"), all),
        (Some("DELETE"), one),
        (Some("GET"), one),
        (Some("POST"), Some("/inventory")),
    ];
    assert_eq!(said, expected);
    let content = responses[0]["http.response.body.content"].as_str().expect("the item is recorded");
    let recorded: Value = serde_json::from_str(content).expect("it is JSON");
    assert_eq!((&recorded["pin"], &recorded["token"]), (&json!("[redacted]"), &json!("[redacted]")));
    assert_eq!((&recorded["id"], &recorded["name"]), (&item["id"], &item["name"]));
    assert!(!app.stderr().contains("hunter2"));
}

#[test]
fn what_would_be_done_is_said_and_not_done() {
    let copy = Copy::new();
    let before = copy.tree();
    let said = done(copy.blueprint(&["new", "inventory", "--dry-run"]));
    assert_same(&before, &copy.tree(), "after a dry run");
    let made = done(copy.blueprint(&["new", "inventory"]));
    for line in said.lines() {
        let done = line.replace("would make", "made").replace("would change", "changed");
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert!(made.lines().any(|other| words(other) == words(&done)), "{line} is not in:\n{made}");
    }
    let with = copy.tree();
    let said = done(copy.blueprint(&["remove", "inventory", "--dry-run"]));
    assert!(said.contains("would remove  crates/blueprint-inventory/src/lib.rs"), "{said}");
    assert_same(&with, &copy.tree(), "after a dry run");

    // In another order than they were made in.
    done(copy.blueprint(&["new", "stock-levels"]));
    done(copy.blueprint(&["remove", "inventory"]));
    done(copy.blueprint(&["remove", "stock-levels"]));
    assert_same(&before, &copy.tree(), "after both were removed");
}
