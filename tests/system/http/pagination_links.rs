//! Pagination by the `Link` header alone.

use std::collections::HashMap;

use serde_json::{Value, json};
use system_tests::http::Reply;
use system_tests::service::Running;

use crate::api::{Engine, Member, admin, member, register, start, text};

/// The links of a response by their relation.
fn links(reply: &Reply) -> HashMap<String, String> {
    let header = reply.header("link").unwrap_or_else(|| panic!("no link in {:?}", reply.headers));
    let links = header.split(", ").map(|link| {
        let (target, rel) = link.split_once(">; rel=").unwrap_or_else(|| panic!("not a link: {link}"));
        (rel.trim_matches('"').to_owned(), target.trim_start_matches('<').to_owned())
    });
    links.collect()
}

/// Follows the links from this page; returns all ids and the number of pages.
#[track_caller]
fn walk(app: &Running, by: &Member, path: &str) -> (Vec<String>, usize) {
    let (mut ids, mut pages) = (Vec::new(), 0);
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let reply = app.get(&path).bearer(&by.token).send();
        assert_eq!(reply.status, 200, "{}", reply.text());
        let page = reply.json();
        ids.extend(page["items"].as_array().expect("a page has items").iter().map(|item| text(item, "id")));
        pages += 1;
        next = links(&reply).remove("next");
        assert_eq!(next.is_some(), page["next"] != Value::Null, "the link and the body agree");
    }
    (ids, pages)
}

#[test]
fn order_links_preserve_the_filter() {
    let app = start(Engine::Sqlite.single_process());
    let ada = member(&app, "ada");
    let lines = json!({"lines": [{"sku": "A-1", "quantity": 1, "unit_price_cents": 100}]});
    let place = || text(&app.post("/orders").bearer(&ada.token).json(&lines).send().json(), "id");
    let mut all: Vec<String> = (0..7).map(|_| place()).collect();
    all.reverse();
    for id in &all[..5] {
        assert_eq!(app.post(&format!("/orders/{id}/pay")).bearer(&ada.token).send().status, 200);
    }
    assert_eq!(walk(&app, &ada, "/orders?limit=3"), (all.clone(), 3));
    assert_eq!(walk(&app, &ada, "/orders?status=paid&limit=2"), (all[..5].to_vec(), 3));

    let page = app.get("/orders?status=paid&limit=2").bearer(&ada.token).send();
    let next = &links(&page)["next"];
    assert_eq!(next, &format!("/orders?status=paid&limit=2&after={}", text(&page.json(), "next")));
    let second = app.get(next).bearer(&ada.token).send();
    assert_eq!(links(&second)["first"], "/orders?status=paid&limit=2");
}

#[test]
fn user_links_lead_through_all_pages() {
    let app = start(Engine::Sqlite.single_process());
    let ada = admin(&app, "ada");
    let others: Vec<String> = ["bob", "eve"].map(|name| text(&register(&app, name), "id")).into();
    let newest_first: Vec<String> = [vec![ada.id.clone()], others].concat().into_iter().rev().collect();
    assert_eq!(walk(&app, &ada, "/users?limit=1"), (newest_first, 3));
    let single_page = app.get("/users").bearer(&ada.token).send();
    assert_eq!(links(&single_page), HashMap::from([("first".to_owned(), "/users".to_owned())]));
}
