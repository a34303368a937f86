//! The API of a generated blueprint with every field type and with an owner for each item.
//!
//! Each function registers its own users, so that all of them can share one app.

use serde_json::{Value, json};
use system_tests::http::Request;
use system_tests::service::Running;

use crate::api::{Member, UNKNOWN_ID, invalid_fields, member, problem, text};
use crate::support::of_kind;

const ALL: &str = "/sample-full";

/// The optional fields, each with a value and its representation in responses.
fn optional() -> Vec<(&'static str, Value, Value)> {
    let id = "018f3f6e-5ab8-7708-979c-4a9937d49941";
    vec![
        ("note", json!("ä\n😀"), json!("ä\n😀")),
        ("spare", json!(i64::MIN), json!(i64::MIN)),
        ("discount", json!("-0.005"), json!("-0.005")),
        ("maybe", json!(false), json!(false)),
        ("ends_on", json!("2028-02-29"), json!("2028-02-29")),
        ("done_at", json!("2031-01-02T03:04:05.5+02:00"), json!("2031-01-02T01:04:05.500000Z")),
        ("other", json!(id.to_uppercase()), json!(id)),
        ("extra", json!([null, {"a": "b"}]), json!([null, {"a": "b"}])),
    ]
}

#[track_caller]
fn add(app: &Running, member: &Member, body: &Value) -> Value {
    let added = app.post(ALL).bearer(&member.token).json(body).send();
    assert_eq!(added.status, 201, "{}", added.text());
    let item = added.json();
    assert_eq!(added.header("location"), Some(&*path(&item)));
    item
}

#[track_caller]
fn change(app: &Running, member: &Member, item: &Value, change: &Value) -> Value {
    let changed = app.patch(&path(item)).bearer(&member.token).json(change).send();
    assert_eq!(changed.status, 200, "{change}: {}", changed.text());
    changed.json()
}

#[track_caller]
fn path(item: &Value) -> String {
    format!("{ALL}/{}", text(item, "id"))
}

/// An item without its timestamps, which change with each update.
fn timeless(item: &Value) -> Value {
    let mut item = item.clone();
    item.as_object_mut().expect("an item is an object").retain(|name, _| !name.ends_with("ed_at"));
    item
}

/// Another user's items are 404, and without a valid token everything is 401.
pub fn items_are_visible_to_their_owner_only(app: &Running, body: &Value) {
    let (ada, bob) = (member(app, "owner-ada"), member(app, "owner-bob"));
    let first = add(app, &ada, body);
    let bobs = add(app, &bob, body);
    let second = add(app, &ada, body);
    let path = path(&first);

    let no_change = json!({});
    let requests_by = |token: &str| -> Vec<Request> {
        vec![
            app.get(&path).bearer(token),
            app.patch(&path).bearer(token).json(&no_change),
            app.patch(&path).bearer(token).header("if-match", "*").json(&no_change),
            app.delete(&path).bearer(token),
        ]
    };
    for request in requests_by(&bob.token) {
        assert_eq!(
            problem(request, 404)["detail"],
            problem(app.get(&format!("{ALL}/{UNKNOWN_ID}")).bearer(&bob.token), 404)["detail"]
        );
    }
    for request in
        requests_by("no-such-token").into_iter().chain([app.get(ALL), app.post(ALL).json(body), app.get(&path)])
    {
        problem(request, 401);
    }
    let list = |member: &Member, query: &str| app.get(&format!("{ALL}{query}")).bearer(&member.token).send().json();
    assert_eq!(list(&ada, ""), json!({"items": [second, first], "next": null}));
    assert_eq!(list(&bob, ""), json!({"items": [bobs], "next": null}));
    assert_eq!(list(&ada, "?limit=1"), json!({"items": [second], "next": second["id"]}));
    // A cursor from another user's item works, and lists only the caller's items.
    assert_eq!(list(&bob, &format!("?after={}", text(&second, "id")))["items"], json!([bobs]));

    assert_eq!(app.delete(&path).bearer(&ada.token).send().status, 204);
    problem(app.get(&path).bearer(&ada.token), 404);
    assert_eq!(list(&ada, "")["items"], json!([second]));
}

/// Sent values, responses, and values read later are equal on both databases, and the API document describes them.
pub fn every_field_type_round_trips(app: &Running, body: &Value) {
    let ada = member(app, "types-ada");
    let plain = add(app, &ada, body);
    for (name, ..) in optional() {
        assert_eq!(plain[name], Value::Null, "{name}");
    }
    let expected = [
        ("name", json!("first")),
        ("count", json!(1)),
        ("price", json!("12.50")),
        ("active", json!(true)),
        ("day", json!("2026-01-31")),
        ("due_at", json!("2030-01-02T03:04:05.000000Z")),
        ("data", json!({"sizes": [1, 2.5], "tag": null})),
    ];
    for (name, stored) in &expected {
        assert_eq!((*name, &plain[name]), (*name, stored));
    }
    let mut complete = body.clone();
    for (name, value, _) in optional() {
        complete[name] = value;
    }
    let item = add(app, &ada, &complete);
    for (name, _, stored) in optional() {
        assert_eq!((name, &item[name]), (name, &stored));
    }
    assert_eq!(app.get(&path(&item)).bearer(&ada.token).send().json(), item);

    // The limits of both databases.
    for (name, value, stored) in [
        ("price", "9999999999999999999999999.99", "9999999999999999999999999.99"),
        ("price", "-0.00", "0"),
        ("price", "007.10", "7.10"),
        ("day", "0000-01-01", "0000-01-01"),
        ("day", "9999-12-31", "9999-12-31"),
        ("due_at", "0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000000Z"),
        ("due_at", "9999-12-30T22:00:00.999999Z", "9999-12-30T22:00:00.999999Z"),
    ] {
        let changed = change(app, &ada, &item, &json!({name: value}));
        assert_eq!((name, &changed[name]), (name, &json!(stored)));
        assert_eq!(app.get(&path(&item)).bearer(&ada.token).send().json(), changed);
    }
    for data in [json!(0), json!(""), json!(false), json!(0.1234567890123456), json!({"b": {"a": []}, "a": "\\u0000"})]
    {
        assert_eq!(change(app, &ada, &item, &json!({"data": data}))["data"], data);
    }

    let document = app.get("/openapi.json").send().json();
    let schema = &document["components"]["schemas"]["SampleFullItem"];
    // A response contains every field; a missing value is null.
    let required = schema["required"].as_array().expect("some fields are required");
    let fields = schema["properties"].as_object().expect("an item has fields");
    assert!(required.iter().filter_map(Value::as_str).eq(fields.keys()), "{required:?}");
    assert_eq!(fields["extra"].get("type"), None, "any JSON, null too");
    assert_eq!(fields["data"], json!({"type": ["object", "array", "string", "number", "boolean"]}));
    assert_eq!(fields["price"], json!({"type": "string"}));
    assert_eq!(fields["day"], json!({"type": "string", "format": "date"}));
    assert_eq!(fields["ends_on"], json!({"type": ["string", "null"], "format": "date"}));
}

/// A change affects only the named fields, and null clears an optional field.
pub fn a_patch_changes_only_the_named_fields(app: &Running, body: &Value) {
    let ada = member(app, "changes-ada");
    let mut item = add(app, &ada, body);
    assert_eq!(timeless(&change(app, &ada, &item, &json!({}))), timeless(&item));
    for (name, value, stored) in optional() {
        item[name] = stored;
        assert_eq!(timeless(&change(app, &ada, &item, &json!({name: value}))), timeless(&item), "{name}");
    }
    for (name, ..) in optional() {
        item[name] = Value::Null;
        assert_eq!(timeless(&change(app, &ada, &item, &json!({name: null}))), timeless(&item), "{name}");
    }
    for (name, value) in [
        ("name", json!("second")),
        ("count", json!(-2)),
        ("price", json!("0.1")),
        ("active", json!(false)),
        ("day", json!("2027-01-01")),
        ("due_at", json!("2031-01-02T01:04:05.500000Z")),
        ("owner", json!(UNKNOWN_ID)),
        ("data", json!([])),
        ("token", json!("hunter2")),
    ] {
        item[name] = value.clone();
        assert_eq!(timeless(&change(app, &ada, &item, &json!({name: value}))), timeless(&item), "{name}");
    }

    let read = app.get(&path(&item)).bearer(&ada.token).send();
    let tag = read.header("etag").expect("an item has a tag").to_owned();
    let patch = || app.patch(&path(&item)).bearer(&ada.token).header("if-match", &tag).json(&json!({"active": true}));
    assert_eq!(patch().send().status, 200);
    problem(patch(), 412);

    let last = text(&add(app, &ada, body), "id");
    app.wait_record("the last item", |record| {
        record["http.response.body.content"].as_str().is_some_and(|it| it.contains(&last))
    });
    let records = app.records();
    let responses = of_kind(&records, "response");
    let mut contents = responses.iter().filter_map(|record| record["http.response.body.content"].as_str());
    let content = contents.rfind(|content| content.contains(&last)).expect("the item is recorded");
    let recorded: Value = serde_json::from_str(content).expect("it is JSON");
    assert_eq!((&recorded["pin"], &recorded["token"]), (&json!("[redacted]"), &json!("[redacted]")));
    assert_eq!((&recorded["name"], &recorded["price"]), (&body["name"], &body["price"]));
    assert!(!app.stderr().contains("hunter2"));
}

/// A 422 names the field, both for a new item and for a change.
pub fn invalid_values_are_rejected(app: &Running, body: &Value) {
    let ada = member(app, "wrong-ada");
    let item = add(app, &ada, body);
    for (name, value) in [
        ("name", json!("")),
        ("name", json!("\0")),
        ("note", json!("x".repeat(201))),
        ("count", json!(1.5)),
        ("price", json!(12.5)),
        ("price", json!("1e3")),
        ("price", json!("")),
        ("discount", json!("1".repeat(29))),
        ("discount", json!(0)),
        ("active", json!("true")),
        ("day", json!("2026-02-30")),
        ("day", json!("-000001-01-01")),
        ("ends_on", json!(20260131)),
        ("due_at", json!("-000001-01-01T00:00:00Z")),
        ("done_at", json!("tomorrow")),
        ("owner", json!("1")),
        ("data", json!({"a": ["\0"]})),
        ("extra", json!("\0")),
        ("user_id", json!(ada.id)),
        ("version", json!(1)),
    ] {
        let mut new = body.clone();
        new[name] = value.clone();
        assert_eq!(invalid_fields(app.post(ALL).bearer(&ada.token).json(&new)), [name], "{value}");
        let change = json!({name: value});
        assert_eq!(invalid_fields(app.patch(&path(&item)).bearer(&ada.token).json(&change)), [name], "{value}");
    }
    for (name, _) in body.as_object().expect("a body is an object") {
        for missing in [None, Some(Value::Null)] {
            let mut new = body.clone();
            let members = new.as_object_mut().expect("a body is an object");
            members.remove(name);
            members.extend(missing.map(|null| (name.clone(), null)));
            assert_eq!(invalid_fields(app.post(ALL).bearer(&ada.token).json(&new)), [name.as_str()]);
        }
    }
    assert_eq!(app.get(&path(&item)).bearer(&ada.token).send().json(), item);
}
