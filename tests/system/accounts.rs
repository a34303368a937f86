//! Account protection: passwords, sessions, roles, and entity tags.

use serde_json::{Value, json};

use crate::api::{
    Member, PASSWORD, Setup, admin, in_each_setup, invalid_fields, login, member, problem, start, text, token,
};

const NEW_PASSWORD: &str = "staple battery horse correct";

fn changing_email_or_password_requires_the_current_password(on: Setup) {
    let app = start(on);
    let ada = member(&app, "ada");
    let change = |body: Value| app.patch(&format!("/users/{}", ada.id)).bearer(&ada.token).json(&body);
    for change_body in [json!({"password": NEW_PASSWORD}), json!({"email": "eve@example.org"})] {
        let mut body = change_body;
        assert_eq!(invalid_fields(change(body.clone())), ["current_password"]);
        body["current_password"] = json!("something else");
        assert_eq!(invalid_fields(change(body)), ["current_password"]);
    }
    assert_eq!(change(json!({"name": "Countess"})).send().status, 200, "a new name requires no password");
    let new = json!({"password": NEW_PASSWORD, "current_password": PASSWORD});
    assert_eq!(change(new).send().status, 200);
    assert_eq!(login(&app, "ada@example.org", NEW_PASSWORD).status, 200);
    let stopped = app.stop();
    for secret in [PASSWORD, NEW_PASSWORD, "something else"] {
        assert!(!stopped.stderr.contains(secret), "stderr contains {secret}");
    }
}

fn sessions_are_listed_and_revoked(on: Setup) {
    let app = start(on);
    let (ada, bob) = (member(&app, "ada"), member(&app, "bob"));
    let credentials = json!({"email": "ada@example.org", "password": PASSWORD});
    let phone = app.post("/users/login").header("user-agent", "a phone").json(&credentials).send().json();
    let third = token(&app, "ada@example.org", PASSWORD);
    let list = |of: &Member| app.get("/users/me/sessions").bearer(&of.token).send().json()["items"].clone();
    let sessions = list(&ada);
    let shown: Vec<(&Value, &Value)> =
        sessions.as_array().expect("a list").iter().map(|it| (&it["user_agent"], &it["is_current"])).collect();
    assert_eq!(
        shown,
        [(&Value::Null, &json!(false)), (&json!("a phone"), &json!(false)), (&Value::Null, &json!(true))]
    );
    assert!(!sessions.to_string().contains(&text(&phone, "token")));

    let path = format!("/users/me/sessions/{}", text(&sessions[1], "id"));
    problem(app.delete(&path).bearer(&bob.token), 404);
    assert_eq!(app.delete(&path).bearer(&ada.token).send().status, 204);
    problem(app.delete(&path).bearer(&ada.token), 404);
    problem(app.get("/users/me").bearer(&text(&phone, "token")), 401);

    assert_eq!(app.delete("/users/me/sessions").bearer(&ada.token).send().status, 204);
    problem(app.get("/users/me").bearer(&third), 401);
    assert_eq!(list(&ada).as_array().map(Vec::len), Some(1));
    assert_eq!(list(&bob).as_array().map(Vec::len), Some(1));
}

fn only_the_operator_grants_roles(on: Setup) {
    let app = start(on);
    let (ada, bob) = (member(&app, "ada"), member(&app, "bob"));
    let role = || text(&app.get("/users/me").bearer(&ada.token).send().json(), "role");
    let users = |arguments: &[&str]| {
        let command = ["users"].iter().chain(arguments).fold(app.sibling(), |command, argument| command.arg(argument));
        let ended = command.run();
        (ended.code(), ended.stdout, ended.stderr)
    };
    problem(app.patch(&format!("/users/{}", ada.id)).bearer(&ada.token).json(&json!({"role": "admin"})), 422);

    let (code, stdout, _) = users(&["grant", "Ada@Example.org", "--by", "carol"]);
    assert_eq!((code, stdout.trim()), (Some(0), format!("ada@example.org ({}) is now an admin", ada.id).as_str()));
    assert_eq!(role(), "admin", "existing sessions have the new role");
    let (code, stdout, _) = users(&["grant", &ada.id]);
    assert!(code == Some(0) && stdout.contains("was already an admin"), "{stdout}");
    let (_, admins, _) = users(&["admins", "--json"]);
    let admins: Value = serde_json::from_str(&admins).expect("is JSON");
    assert_eq!((&admins[0]["email"], &admins[0]["granted_by"]), (&json!("ada@example.org"), &json!("carol")));
    assert!(users(&["admins"]).1.contains("carol"));

    let path = format!("/users/{}", bob.id);
    assert_eq!(app.get(&path).bearer(&ada.token).send().json()["name"], "bob");
    problem(app.patch(&path).bearer(&ada.token).json(&json!({"name": "Bobby"})), 403);
    problem(app.delete(&path).bearer(&ada.token), 403);

    let (code, stdout, stderr) = users(&["grant", &bob.id, "--by", "eve\nroot@example.org"]);
    assert!(code == Some(2) && stdout.is_empty() && stderr.contains("--by"), "{stderr}");
    assert_eq!(users(&["revoke", &ada.id]).0, Some(0));
    assert_eq!(role(), "member");
    problem(app.get(&path).bearer(&ada.token), 404);
    let (code, stdout, stderr) = users(&["grant", "eve@example.org"]);
    assert!(code == Some(1) && stdout.is_empty() && stderr.contains("there is no user eve@example.org"), "{stderr}");
}

fn deletion_honours_if_match(on: Setup) {
    let app = start(on);
    let ada = member(&app, "ada");
    let path = format!("/users/{}", ada.id);
    let old = app.get(&path).bearer(&ada.token).send().header("etag").expect("a user has a tag").to_owned();
    let change = app.patch(&path).bearer(&ada.token).json(&json!({"name": "Countess"})).send();
    let new = change.header("etag").expect("a user has a tag");
    problem(app.delete(&path).bearer(&ada.token).header("if-match", &old), 412);
    assert_eq!(app.delete(&path).bearer(&ada.token).header("if-match", new).send().status, 204);
}

fn etags_and_vary_separate_callers(on: Setup) {
    let app = start(on);
    let (ada, bob) = (member(&app, "ada"), member(&app, "bob"));
    let me = |token: &str| app.get("/users/me").bearer(token);
    let adas = me(&ada.token).send();
    let tag = adas.header("etag").expect("a user has a tag");
    assert_eq!(me(&ada.token).header("if-none-match", tag).send().status, 304);
    let bobs = me(&bob.token).header("if-none-match", tag).send();
    assert_eq!((bobs.status, &bobs.json()["name"]), (200, &json!("bob")));
    let root = admin(&app, "root");
    let caller_dependent = [
        me(&ada.token),
        app.get("/users").bearer(&root.token),
        app.get("/users/me/sessions").bearer(&ada.token),
        app.get("/orders").bearer(&ada.token),
        app.get("/users/me"),
        app.get("/users").bearer(&ada.token),
    ];
    for request in caller_dependent {
        let reply = request.send();
        let vary: Vec<_> = reply.headers.iter().filter(|(name, _)| name == "vary").map(|(_, value)| value).collect();
        assert!(vary.iter().any(|value| value.to_ascii_lowercase().contains("authorization")), "{:?}", reply.headers);
    }
}

fn invalid_and_missing_tokens_get_different_challenges(on: Setup) {
    let app = start(on);
    let challenge = |reply: &system_tests::http::Reply| reply.header("www-authenticate").map(str::to_owned);
    assert_eq!(challenge(&app.get("/users/me").send()).as_deref(), Some("Bearer"));
    let invalid = app.get("/users/me").bearer("no-such-token").send();
    assert_eq!(challenge(&invalid).as_deref(), Some("Bearer error=\"invalid_token\""));
}

in_each_setup!(
    changing_email_or_password_requires_the_current_password,
    sessions_are_listed_and_revoked,
    only_the_operator_grants_roles,
    deletion_honours_if_match,
    etags_and_vary_separate_callers,
    invalid_and_missing_tokens_get_different_challenges,
);
