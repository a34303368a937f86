//! Conditional requests: `If-None-Match` avoids transfers, and `If-Match` prevents lost updates.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};
use system_tests::http::{Reply, Request};

use crate::api::{Engine, member, problem, start, text};

#[track_caller]
fn tag(reply: &Reply) -> String {
    assert!((200..300).contains(&reply.status), "{}", reply.text());
    let tag = reply.header("etag").unwrap_or_else(|| panic!("no etag in {:?}", reply.headers)).to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "a strong tag: {tag}");
    tag
}

/// Sends a request with this tag and expects a 304 with the tag and without a body.
#[track_caller]
fn not_modified(request: Request, tag: &str) {
    let reply = request.header("if-none-match", tag).send();
    assert_eq!((reply.status, reply.body.len(), reply.header("etag")), (304, 0, Some(tag)));
    assert_eq!(reply.header("cache-control"), Some("private, no-cache"));
}

#[test]
fn an_unchanged_user_is_304() {
    let app = start(Engine::Sqlite.single_process());
    let ada = member(&app, "ada");
    let read = || app.get(&format!("/users/{}", ada.id)).bearer(&ada.token);
    let first = read().send();
    let before = tag(&first);
    assert_eq!(first.header("cache-control"), Some("private, no-cache"));
    not_modified(read(), &before);

    let changed = app.patch(&format!("/users/{}", ada.id)).bearer(&ada.token).json(&json!({"name": "Countess"})).send();
    let after = tag(&changed);
    assert_ne!(before, after);
    assert_eq!(read().header("if-none-match", &before).send().json()["name"], "Countess");
    not_modified(read(), &after);

    let records = app.stop().records();
    let unchanged: Vec<&Value> = records.iter().filter(|it| it["http.response.status_code"] == 304).collect();
    assert_eq!(unchanged.len(), 2);
    assert_eq!((&unchanged[0]["outcome"], &unchanged[0]["level"]), (&json!("complete"), &json!("info")));
}

#[test]
fn if_match_prevents_lost_updates() {
    let app = start(Engine::Sqlite.single_process());
    let ada = member(&app, "ada");
    let path = format!("/users/{}", ada.id);
    let rename = |name: &str, tag: &str| {
        app.patch(&path).bearer(&ada.token).header("if-match", tag).json(&json!({"name": name}))
    };
    let first = tag(&app.get(&path).bearer(&ada.token).send());
    let second = tag(&rename("one", &first).send());
    let refused = problem(rename("two", &first), 412);
    assert!(text(&refused, "detail").contains("read it again"), "{refused}");
    problem(rename("two", &format!("W/{second}")), 412);
    let unquoted = problem(rename("two", "second"), 412);
    assert!(text(&unquoted, "detail").contains("in its double quotes"), "{unquoted}");
    assert_eq!(app.get(&path).bearer(&ada.token).send().json()["name"], "one");
    assert_eq!(rename("three", &format!("{first}, {second}")).send().status, 200);
    assert_eq!(rename("four", "*").send().status, 200);
    // Without If-Match any version is changed.
    assert_eq!(app.patch(&path).bearer(&ada.token).json(&json!({"name": "five"})).send().json()["name"], "five");
}

#[test]
fn only_one_concurrent_update_of_a_version_succeeds() {
    let app = start(Engine::Sqlite.single_process());
    let ada = member(&app, "ada");
    let path = format!("/users/{}", ada.id);
    for _ in 0..5 {
        let current = tag(&app.get(&path).bearer(&ada.token).send());
        let all = Barrier::new(8);
        let change = |n: usize| {
            let request = app.patch(&path).bearer(&ada.token).header("if-match", &current);
            let request = request.json(&json!({"name": format!("{n}")}));
            all.wait();
            (n, request.send().status)
        };
        let answers: Vec<(usize, u16)> = thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|n| scope.spawn(move || change(n))).collect();
            all.into_iter().map(|one| one.join().expect("there is a response")).collect()
        });
        let done: Vec<usize> = answers.iter().filter(|(_, status)| *status == 200).map(|(n, _)| *n).collect();
        assert_eq!(done.len(), 1, "{answers:?}");
        assert!(answers.iter().all(|(_, status)| matches!(status, 200 | 412)), "{answers:?}");
        let name = app.get(&path).bearer(&ada.token).send().json()["name"].clone();
        assert_eq!(name, done[0].to_string());
    }
}

#[test]
fn every_update_has_a_distinct_etag() {
    let app = start(Engine::Sqlite.single_process());
    let ada = member(&app, "ada");
    let path = format!("/users/{}", ada.id);
    let change = || tag(&app.patch(&path).bearer(&ada.token).json(&json!({"name": "same"})).send());
    let tags: Vec<String> = thread::scope(|scope| {
        let all: Vec<_> = (0..20).map(|_| scope.spawn(change)).collect();
        all.into_iter().map(|one| one.join().expect("there is a response")).collect()
    });
    assert_eq!(tags.iter().collect::<BTreeSet<_>>().len(), 20, "{tags:?}");
}

#[test]
fn an_unchanged_order_is_304() {
    let app = start(Engine::Sqlite.single_process());
    let ada = member(&app, "ada");
    let lines = json!({"lines": [{"sku": "A-1", "quantity": 1, "unit_price_cents": 100}]});
    let placed = app.post("/orders").bearer(&ada.token).json(&lines).send();
    let path = format!("/orders/{}", text(&placed.json(), "id"));
    let read = || app.get(&path).bearer(&ada.token);
    assert_eq!(tag(&read().send()), tag(&placed), "the response to the creation has the current tag");
    not_modified(read(), &tag(&placed));

    let paid = app.post(&format!("{path}/pay")).bearer(&ada.token).send();
    assert_ne!(tag(&paid), tag(&placed));
    assert_eq!(read().header("if-none-match", tag(&placed)).send().json()["status"], "paid");
    not_modified(read(), &tag(&paid));
    // Another user's order is a 404 even with a matching tag.
    let bob = member(&app, "bob");
    problem(app.get(&path).bearer(&bob.token).header("if-none-match", "*"), 404);
}
