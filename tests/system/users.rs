//! The users blueprint through the real binary, on both databases, in one process and in two.

use serde_json::{Value, json};
use system_tests::http::Request;

use crate::api::{
    Member, PASSWORD, Setup, UNKNOWN_ID, admin, assert_allowed_methods, in_each_setup, invalid_fields, login, member,
    problem, register, responses, start, text, token,
};

const NEW_PASSWORD: &str = "staple battery horse correct";

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().expect("a page has items").iter().map(|item| text(item, "id")).collect()
}

fn the_user_lifecycle_works(on: Setup) {
    let app = start(on);

    let registration = json!({"email": "Ada@Example.org", "password": PASSWORD, "name": "Ada"});
    let reply = app.post("/users").json(&registration).send();
    assert_eq!(reply.status, 201, "{}", reply.text());
    let user = reply.json();
    let id = text(&user, "id");
    let path = format!("/users/{id}");
    assert_eq!(reply.header("location"), Some(path.as_str()));
    let keys: Vec<&str> = user.as_object().expect("is an object").keys().map(String::as_str).collect();
    assert_eq!(keys.len(), 6, "{keys:?}");
    assert_eq!((&user["email"], &user["name"]), (&json!("ada@example.org"), &json!("Ada")));
    assert_eq!(user["role"], "member");
    assert_eq!(user["created_at"], user["updated_at"]);
    assert_eq!(id.as_bytes()[14], b'7', "{id} is of version 7");

    let session = login(&app, "ADA@example.org", PASSWORD).json();
    assert_eq!((&session["token_type"], &session["user_id"]), (&json!("Bearer"), &user["id"]));
    assert!(text(&session, "expires_at") > text(&user, "created_at"));
    let own_token = text(&session, "token");
    assert_eq!(app.get(&path).bearer(&own_token).send().json(), user);

    let change = json!({"name": "Countess", "email": "Countess@example.org", "current_password": PASSWORD});
    let reply = app.patch(&path).bearer(&own_token).json(&change).send();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let changed = reply.json();
    assert_eq!((&changed["email"], &changed["name"]), (&json!("countess@example.org"), &json!("Countess")));
    assert_eq!(changed["created_at"], user["created_at"]);
    assert!(text(&changed, "updated_at") > text(&user, "updated_at"));

    let other = token(&app, "countess@example.org", PASSWORD);
    let change = json!({"password": NEW_PASSWORD, "current_password": PASSWORD});
    assert_eq!(app.patch(&path).bearer(&own_token).json(&change).send().status, 200);
    problem(app.get(&path).bearer(&other), 401);
    assert_eq!(app.get(&path).bearer(&own_token).send().json()["name"], "Countess");
    assert_eq!(login(&app, "countess@example.org", PASSWORD).status, 401);
    let last = token(&app, "countess@example.org", NEW_PASSWORD);

    assert_eq!(app.post("/users/logout").bearer(&own_token).send().status, 204);
    problem(app.post("/users/logout").bearer(&own_token), 401);

    assert_eq!(app.delete(&path).bearer(&last).send().status, 204);
    problem(app.get(&path).bearer(&last), 401);
    assert_eq!(login(&app, "countess@example.org", NEW_PASSWORD).status, 401);

    let stopped = app.stop();
    let expected = [
        "POST /users 201",
        "POST /users/login 200",
        "GET /users/{id} 200",
        "PATCH /users/{id} 200",
        "POST /users/login 200",
        "PATCH /users/{id} 200",
        "GET /users/{id} 401",
        "GET /users/{id} 200",
        "POST /users/login 401",
        "POST /users/login 200",
        "POST /users/logout 204",
        "POST /users/logout 401",
        "DELETE /users/{id} 204",
        "GET /users/{id} 401",
        "POST /users/login 401",
    ];
    assert_eq!(responses(&stopped, "users"), expected);
    for secret in [PASSWORD, NEW_PASSWORD, &own_token, &other, &last] {
        assert!(!stopped.stderr.contains(secret), "stderr contains {secret}");
    }
    for prefix in
        ["user registered", "user logged in", "user changed", "login refused", "user logged out", "user deleted"]
    {
        let lines = stopped.records();
        let matches = |line: &Value| line["kind"] == "line" && text(line, "message").starts_with(prefix);
        assert!(lines.iter().any(matches), "no line starts with {prefix}");
    }
}

fn users_are_listed_for_admins_newest_first(on: Setup) {
    let app = start(on);
    let Member { id, token } = admin(&app, "a");
    let mut all = vec![id];
    all.extend(["b", "c", "d", "e"].map(|name| text(&register(&app, name), "id")));
    all.reverse();

    let page = |query: &str| app.get(&format!("/users{query}")).bearer(&token).send().json();
    let first = page("?limit=2");
    assert_eq!((ids(&first), text(&first, "next")), (all[..2].to_vec(), all[1].clone()));
    let second = page(&format!("?limit=2&after={}", all[1]));
    assert_eq!((ids(&second), text(&second, "next")), (all[2..4].to_vec(), all[3].clone()));
    let third = page(&format!("?limit=2&after={}", all[3]));
    assert_eq!((ids(&third), &third["next"]), (all[4..].to_vec(), &Value::Null));
    // A full page without a successor is the last one.
    let exact = page("?limit=5");
    assert_eq!((ids(&exact), &exact["next"], exact.get("total")), (all.clone(), &Value::Null, None));
    assert_eq!(ids(&page("")), all);
    let counted = page("?limit=2&total=true");
    assert_eq!((ids(&counted), &counted["total"]), (all[..2].to_vec(), &json!(5)));
    let created = text(&page("?limit=1")["items"][0], "created_at");
    assert_eq!(ids(&page(&format!("?created_from={created}"))), all[..1]);
    assert_eq!(page(&format!("?created_before={created}&total=true"))["total"], 4);

    for limit in ["0", "101", "-1", "many"] {
        assert_eq!(invalid_fields(app.get(&format!("/users?limit={limit}")).bearer(&token)), ["limit"]);
    }
    assert_eq!(invalid_fields(app.get("/users?after=nobody").bearer(&token)), ["after"]);
}

fn invalid_registrations_are_rejected_by_field(on: Setup) {
    let app = start(on);
    let post = |body: &Value| app.post("/users").json(body);
    let with = |key: &str, value: Value| {
        let mut body = json!({"email": "ada@example.org", "password": PASSWORD, "name": "Ada"});
        body[key] = value;
        post(&body)
    };

    let all = json!({"email": "nobody", "password": "1234567", "name": ""});
    let mut fields = invalid_fields(post(&all));
    fields.sort_unstable();
    assert_eq!(fields, ["email", "name", "password"]);
    assert_eq!(invalid_fields(with("password", json!("x".repeat(1025)))), ["password"]);
    assert_eq!(invalid_fields(with("name", json!("é".repeat(201)))), ["name"]);
    assert_eq!(invalid_fields(with("name", json!("null\0"))), ["name"]);
    assert_eq!(invalid_fields(with("email", json!("a b@example.org"))), ["email"]);
    assert_eq!(invalid_fields(with("name", json!(7))), ["name"]);
    assert_eq!(invalid_fields(with("role", json!("admin"))).len(), 1);
    let missing = problem(post(&json!({"email": "ada@example.org", "password": PASSWORD})), 422);
    assert!(missing["errors"][0].to_string().contains("name"), "{missing}");

    let malformed = problem(app.post("/users").body("application/json", r#"{"email": }"#), 400);
    assert!(text(&malformed, "detail").contains("line 1 column 11"), "{malformed}");
    problem(app.post("/users").body("text/plain", "ada"), 415);
    problem(app.post("/users").body("application/json", ""), 400);
}

fn guessable_passwords_are_rejected(on: Setup) {
    let app = start(on);
    let guessable = ["password1", "QWERTYUIOP", "00000000", "Ada.Lovelace@EXAMPLE.org", "ADA.lovelace"];
    let refused = |request: Request, password: &str| {
        let problem = problem(request, 422);
        assert_eq!(problem["errors"][0]["field"], "password", "{password}: {problem}");
        assert!(!problem.to_string().to_lowercase().contains(&password.to_lowercase()), "{problem}");
    };
    for password in guessable {
        let body = json!({"email": "ada.lovelace@example.org", "password": password, "name": "Countess"});
        refused(app.post("/users").json(&body), password);
    }

    let ada = member(&app, "ada.lovelace");
    let path = format!("/users/{}", ada.id);
    let patch = |body: &Value| app.patch(&path).bearer(&ada.token).json(body);
    for password in guessable {
        refused(patch(&json!({"password": password, "current_password": PASSWORD})), password);
    }
    let both = json!({
        "email": "countess@example.org", "password": "Countess@example.org", "current_password": PASSWORD
    });
    refused(patch(&both), "countess@example.org");
    // A login may use any password.
    assert_eq!(login(&app, "ada.lovelace@example.org", "password1").status, 401);
    token(&app, "ada.lovelace@example.org", PASSWORD);
}

fn passwords_are_compared_in_nfkc_form(on: Setup) {
    let app = start(on);
    let (composed, decomposed) = ("caf\u{e9} correct horse", "cafe\u{301} correct horse");
    let registration = |email: &str, password: &str| json!({"email": email, "password": password, "name": "Ada"});
    for (email, password) in [("ada@example.org", composed), ("bob@example.org", decomposed)] {
        assert_eq!(app.post("/users").json(&registration(email, password)).send().status, 201);
        token(&app, email, composed);
        token(&app, email, decomposed);
        assert_eq!(login(&app, email, "cafe correct horse").status, 401);
    }
    let shorter = registration("eve@example.org", &"e\u{301}".repeat(7));
    assert_eq!(invalid_fields(app.post("/users").json(&shorter)), ["password"]);
}

fn email_addresses_are_unique_ignoring_case(on: Setup) {
    let app = start(on);
    let ada = member(&app, "ada");
    register(&app, "bob");
    let again = json!({"email": "ADA@example.org", "password": PASSWORD, "name": "Ada"});
    let taken = problem(app.post("/users").json(&again), 409);
    assert_eq!(taken["errors"][0]["field"], "email");

    let path = format!("/users/{}", ada.id);
    let change =
        |email: &str| app.patch(&path).bearer(&ada.token).json(&json!({"email": email, "current_password": PASSWORD}));
    let taken = problem(change("Bob@example.org"), 409);
    assert_eq!(taken["errors"][0]["field"], "email");
    // The user's own address is not a conflict.
    assert_eq!(change("Ada@example.org").send().status, 200);
}

fn a_failed_login_does_not_reveal_the_reason(on: Setup) {
    let app = start(on);
    register(&app, "ada");
    let refused = |email: &str, password: &str| {
        let body = json!({"email": email, "password": password});
        text(&problem(app.post("/users/login").json(&body), 401), "detail")
    };
    assert_eq!(refused("ada@example.org", "something else"), refused("nobody@example.org", PASSWORD));
    assert_eq!(refused("ada@example.org", "short"), refused("no address", PASSWORD));
    assert_eq!(refused("ada@example.org", "null\0"), refused("null\0", PASSWORD));
    assert!(!app.stderr().contains("something else"));
}

fn requests_without_a_valid_token_are_401(on: Setup) {
    let app = start(on);
    let one = format!("/users/{UNKNOWN_ID}");
    let requests = || [app.get("/users"), app.get(&one), app.patch(&one), app.delete(&one), app.post("/users/logout")];
    for request in requests() {
        problem(request, 401);
    }
    for request in requests() {
        // With a valid body: the order of the two checks is not specified.
        problem(request.bearer("no-such-token").json(&json!({})), 401);
    }
    problem(app.get("/users").header("authorization", "Basic YWRhOmFkYQ=="), 401);
    assert!(!app.stderr().contains("no-such-token"));
}

fn another_user_is_404(on: Setup) {
    let app = start(on);
    let ada = member(&app, "ada");
    let bob = text(&register(&app, "bob"), "id");
    let refusals = |path: &str| {
        let all = [app.get(path), app.patch(path).json(&json!({"name": "Bobby"})), app.delete(path)];
        all.map(|request| text(&problem(request.bearer(&ada.token), 404), "detail"))
    };
    // The same message as for a user that does not exist.
    assert_eq!(refusals(&format!("/users/{bob}")), refusals(&format!("/users/{UNKNOWN_ID}")));
    problem(app.get("/users").bearer(&ada.token), 403);

    let own = format!("/users/{}", ada.id);
    let patch = |body: &Value| app.patch(&own).bearer(&ada.token).json(body);
    assert_eq!(invalid_fields(patch(&json!({"name": ""}))), ["name"]);
    assert_eq!(invalid_fields(patch(&json!({"name": "null\0"}))), ["name"]);
    assert_eq!(invalid_fields(patch(&json!({"password": "short"}))), ["password"]);
    assert_eq!(invalid_fields(patch(&json!({"email": "nobody"}))), ["email"]);
    assert_eq!(invalid_fields(patch(&json!({"id": UNKNOWN_ID}))).len(), 1);
    assert_eq!(patch(&json!({})).send().json()["name"], "ada");
}

fn missing_resources_and_methods_are_distinguished(on: Setup) {
    let app = start(on);
    let Member { token, .. } = member(&app, "ada");
    let unknown = format!("/users/{UNKNOWN_ID}");
    problem(app.get(&unknown).bearer(&token), 404);
    problem(app.patch(&unknown).bearer(&token).json(&json!({"name": "Nobody"})), 404);
    problem(app.delete(&unknown).bearer(&token), 404);

    let unreadable = problem(app.get("/users/ada").bearer(&token), 400);
    assert_eq!(unreadable["errors"][0]["field"], "id");

    assert_allowed_methods(app.delete("/users"), &["GET", "POST"]);
    assert_allowed_methods(app.get("/users/login"), &["POST"]);
    assert_allowed_methods(app.get("/users/logout"), &["POST"]);
    assert_allowed_methods(app.post(&unknown), &["DELETE", "GET", "PATCH"]);

    problem(app.get(&format!("{unknown}/orders")).bearer(&token), 404);
    problem(app.get("/nowhere"), 404);
}

in_each_setup!(
    the_user_lifecycle_works,
    users_are_listed_for_admins_newest_first,
    invalid_registrations_are_rejected_by_field,
    guessable_passwords_are_rejected,
    passwords_are_compared_in_nfkc_form,
    email_addresses_are_unique_ignoring_case,
    a_failed_login_does_not_reveal_the_reason,
    requests_without_a_valid_token_are_401,
    another_user_is_404,
    missing_resources_and_methods_are_distinguished,
);
