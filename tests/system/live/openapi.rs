//! The API document of the management listener.

use serde_json::{Value, json};
use system_tests::http::Reply;
use system_tests::peers::recording_sentry::RecordingSentry;

use super::{level, operator_request, put, service};

#[test]
fn the_document_describes_each_management_route() {
    let service = service().start();
    let document: Value = service.management().get("/openapi.json").send().json();
    assert_eq!(document["openapi"], "3.1.0");
    for (path, method) in [
        ("/health/live", "get"),
        ("/health/ready", "get"),
        ("/log", "get"),
        ("/log/explain", "get"),
        ("/log/fleet", "get"),
        ("/log/overrides/{id}", "put"),
        ("/log/overrides/{id}", "delete"),
    ] {
        assert!(document["paths"][path][method]["responses"].is_object(), "{method} {path}");
    }
    let api = service.get("/openapi.json").send().json();
    assert!(api["paths"].as_object().is_some_and(|paths| paths.keys().all(|path| !path.starts_with("/log"))));
}

/// What of a value the schema does not describe: additional and missing properties, and wrong types.
fn deviations(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(&reference[1..]).expect("a reference leads to a component");
        return deviations(document, target, value, at);
    }
    let type_name = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types = match &schema["type"] {
        Value::Array(types) => types.clone(),
        // Any value.
        Value::Null => return Vec::new(),
        one => vec![one.clone()],
    };
    if !types.iter().any(|it| it == type_name) {
        return vec![format!("{at} is {value}, not {types:?}")];
    }
    let mut found = Vec::new();
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(deviations(document, &schema["items"], item, &format!("{at}[{n}]")));
    }
    for (key, member) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{key}");
        match (&schema["properties"][key], &schema["additionalProperties"]) {
            (Value::Null, Value::Null) => found.push(format!("{at} is not described")),
            (Value::Null, additional) => found.extend(deviations(document, additional, member, &at)),
            (property, _) => found.extend(deviations(document, property, member, &at)),
        }
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    found.extend(required.filter(|key| value.get(key).is_none()).map(|key| format!("{at}.{key} is missing")));
    found
}

#[test]
fn responses_are_as_the_document_describes_them() {
    let sentry = RecordingSentry::start(|_| "200 OK");
    let service = service()
        .env("SENTRY_DSN", sentry.dsn())
        .env("APP__SENTRY__LOGS", "true")
        .env("APP__DATABASE__URL", "sqlite://app.db")
        .start();
    let document: Value = service.management().get("/openapi.json").send().json();
    let check = |name: &str, reply: &Reply| {
        assert!(matches!(reply.status, 200 | 201), "{name}: {}", reply.text());
        let schema = &document["components"]["schemas"][name];
        assert!(schema.is_object(), "{name}: there is no such schema");
        assert_eq!(deviations(&document, schema, &reply.json(), name), [""; 0]);
        reply.json()
    };
    let get = |path: &str| operator_request(&service, "GET", path).send();
    let with = |mut body: Value, key: &str, value: Value| {
        body[key] = value;
        body
    };
    // Each replaces the level of those before it, so that its removal changes something.
    let [process, blueprint, module, route] = [
        level("warning", "10m"),
        with(level("debug", "10m"), "blueprint", json!("users")),
        with(level("debug", "10m"), "module", json!("blueprint_users")),
        with(level("trace", "10m"), "route", json!("POST /users")),
    ];
    let of_modules = json!({"set": {"log.levels.shop": "trace"}, "for": "1m", "reason": "a test"});

    for (id, body) in [("p", &process), ("b", &blueprint), ("m", &module), ("r", &route), ("l", &of_modules)] {
        check("Override", &put(&service, id, body));
    }
    let of_fleet = with(with(level("debug", "10m"), "blueprint", json!("orders")), "fleet", json!(true));
    check("Override", &put(&service, "f", &of_fleet));
    check("Log", &get("/log"));
    let table = check("TableView", &get("/log/explain?module=shop"));
    assert!(table["rows"].as_array().is_some_and(|rows| rows.iter().any(|row| row["logs"] == true)), "{table}");
    check("Fleet", &get("/log/fleet"));
    // Each is moved to another scope, so that its former scope is named.
    let quiet = json!({"set": {"log.level": "error"}, "for": "1m", "reason": "a test", "route": "GET /users"});
    let moved = |id: &str| check("PreviewView", &put(&service, &format!("{id}?dry_run=true"), &quiet));
    for (id, scope) in [("p", "process"), ("b", "blueprint"), ("m", "module"), ("r", "route")] {
        let preview = moved(id);
        for list in ["changes", "settings"] {
            let names_scope = |it: &Value| it.get(scope).is_some();
            assert!(preview[list].as_array().is_some_and(|all| all.iter().any(names_scope)), "{scope}: {preview}");
        }
    }
    moved("l");
}
