//! Generated blueprints: built, served, and removed.

use std::time::Instant;

use serde_json::{Value, json};
use system_tests::figures;
use system_tests::service::{Running, Service};
use system_tests::workspace_copy::{WorkspaceCopy, assert_same_files, between, expect_success};

use super::owned;
use crate::api::Engine;
use crate::support::of_kind;

/// Every field type, required and optional, and two sensitive keys.
const FIELDS: &str = "name:text note:text? count:integer spare:integer? price:decimal discount:decimal? active:boolean \
                      maybe:boolean? day:date ends_on:date? due_at:timestamp done_at:timestamp? owner:uuid other:uuid? \
                      data:json extra:json? pin:integer token:text";

fn start(copy: &WorkspaceCopy) -> Running {
    Service::new(&copy.build()).start()
}

#[test]
fn generated_blueprints_are_served_and_removed() {
    let (copy, _lock) = WorkspaceCopy::cached();
    let before = copy.tree();
    drop(start(&copy));
    assert!(expect_success(copy.cargo(&["blueprint", "list"])).contains("crates/blueprint-users"));

    let began = Instant::now();
    expect_success(copy.cargo(&["blueprint", "new", "sample-plain"]));
    let app = start(&copy);
    let first = app.get("/sample-plain").send();
    figures::print(&format!(
        "from `cargo blueprint new` to its first 200, with all else built: {:.1?}",
        began.elapsed()
    ));
    assert_eq!((first.status, first.json()), (200, json!({"items": [], "next": null})));
    drop(app);

    expect_success(copy.blueprint(&["new", "sample-open", "--resource", "count:integer"]));
    let full = ["new", "sample-full", "--resource", FIELDS, "--owned"];
    let stdout = expect_success(copy.blueprint_in("crates/core/src", &full));
    let body: Value = serde_json::from_str(between(&stdout, " -d '", "'")).expect("the example body is JSON");
    let formatted = ["-p", "app", "-p", "blueprint-sample-plain", "-p", "blueprint-sample-open"];
    expect_success(copy.cargo(&[&["fmt"][..], &formatted, &["-p", "blueprint-sample-full", "--check"]].concat()));
    // The complete workspace, with the usual features; only the blueprints' tests.
    expect_success(copy.cargo(&[
        "clippy",
        "--quiet",
        "--workspace",
        "--lib",
        "--test",
        "alone",
        "--",
        "-D",
        "warnings",
    ]));
    expect_success(copy.cargo(&["test", "--quiet", "--workspace", "--test", "alone"]));

    let binary = copy.build();
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let app = engine.service(&binary).start();
        check_open_routes(&app);
        owned::items_are_visible_to_their_owner_only(&app, &body);
        owned::every_field_type_round_trips(&app, &body);
        owned::a_patch_changes_only_the_named_fields(&app, &body);
        owned::invalid_values_are_rejected(&app, &body);
    }
    let listed = expect_success(copy.blueprint(&["list", "--json"]));
    let listed: Value = serde_json::from_str(&listed).expect("--json is JSON");
    let directory = "crates/blueprint-sample-full";
    let own = json!({"name": "sample-full", "prefix": "/sample-full", "crate": directory, "registered": true});
    assert!(listed.as_array().is_some_and(|all| all.contains(&own)), "{listed}");

    for name in ["sample-plain", "sample-open", "sample-full"] {
        expect_success(copy.blueprint(&["remove", name]));
    }
    assert_same_files(&before, &copy.tree(), "after all were removed");
}

/// Sends requests to routes without authentication, and checks their response records.
fn check_open_routes(app: &Running) {
    let added = app.post("/sample-open").json(&json!({"count": 1})).send();
    assert_eq!(added.status, 201, "{}", added.text());
    let path = added.header("location").expect("a new item has a location").to_owned();
    assert_eq!(app.get(&path).send().json(), added.json());
    let changed = app.patch(&path).json(&json!({"count": 2})).send();
    assert_eq!((changed.status, &changed.json()["count"]), (200, &json!(2)));
    let list = app.get("/sample-open?limit=1").send();
    assert_eq!(list.json()["items"], json!([changed.json()]));
    assert!(list.header("link").is_some_and(|link| link.contains("rel=\"first\"")));
    assert_eq!(app.delete(&path).send().status, 204);
    assert_eq!(app.get(&path).send().status, 404);
    let document = app.get("/openapi.json").send().json();
    let operations = document["paths"]["/sample-open/{id}"].as_object().expect("it is in the API document");
    assert_eq!(operations.keys().collect::<Vec<_>>(), ["get", "delete", "patch"]);
    assert_eq!(app.post("/sample-plain").json(&json!({"name": "first"})).send().status, 201);

    app.wait_record("the last response", |record: &Value| record["url.path"] == "/sample-plain");
    let records = app.records();
    let mut responses = of_kind(&records, "response");
    responses.retain(|record| record["blueprint"].is_string());
    let requests: Vec<_> = responses
        .iter()
        .map(|record| (record["http.request.method"].as_str(), record["http.route"].as_str()))
        .collect();
    let (one, all) = (Some("/sample-open/{id}"), Some("/sample-open"));
    let expected = [
        (Some("POST"), all),
        (Some("GET"), one),
        (Some("PATCH"), one),
        (Some("GET"), all),
        (Some("DELETE"), one),
        (Some("GET"), one),
        (Some("POST"), Some("/sample-plain")),
    ];
    assert_eq!(requests, expected);
}

#[test]
fn dry_runs_list_changes_without_making_them() {
    let copy = WorkspaceCopy::fresh();
    let before = copy.tree();
    let stdout = expect_success(copy.blueprint(&["new", "sample-plain", "--dry-run"]));
    assert_same_files(&before, &copy.tree(), "after a dry run");
    let made = expect_success(copy.blueprint(&["new", "sample-plain"]));
    for line in stdout.lines() {
        let done = line.replace("would make", "made").replace("would change", "changed");
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert!(made.lines().any(|other| words(other) == words(&done)), "{line} is not in:\n{made}");
    }
    let with = copy.tree();
    let stdout = expect_success(copy.blueprint(&["remove", "sample-plain", "--dry-run"]));
    assert!(stdout.contains("would remove  crates/blueprint-sample-plain/src/lib.rs"), "{stdout}");
    assert_same_files(&with, &copy.tree(), "after a dry run");

    // Not in the order of their creation.
    expect_success(copy.blueprint(&["new", "sample-other"]));
    expect_success(copy.blueprint(&["remove", "sample-plain"]));
    expect_success(copy.blueprint(&["remove", "sample-other"]));
    assert_same_files(&before, &copy.tree(), "after both were removed");
}

#[test]
fn the_readme_command_works() {
    let copy = WorkspaceCopy::fresh();
    let before = copy.tree();
    let readme = copy.read("README.md");
    let fields = between(&readme, "cargo blueprint new inventory --resource \"", "\"");
    expect_success(copy.blueprint(&["new", "sample", "--resource", fields]));
    let body: Value =
        serde_json::from_str(between(&readme, "/inventory -H 'content-type: application/json' -d '", "'"))
            .expect("the example body is JSON");
    let model = copy.read("crates/blueprint-sample/src/model.rs");
    let item_fields = between(&model, "struct NewItem {", "}");
    for field in fields.split_whitespace().filter(|field| !field.ends_with('?')) {
        let name = field.split(':').next().unwrap_or_default();
        assert!(body.get(name).is_some() && item_fields.contains(&format!("pub {name}: ")), "{name}");
    }
    expect_success(copy.blueprint(&["remove", "sample"]));
    assert_same_files(&before, &copy.tree(), "after it was removed");
}
