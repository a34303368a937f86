//! The OpenAPI document: it describes all routes, and the service conforms to it.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};
use system_tests::binaries;
use system_tests::peers::venv;
use system_tests::scratch::{self, Scratch};
use system_tests::service::Service;

use crate::api::{Engine, admin, on_each_database, start};

const CONFIGURATION: &str = include_str!("../src/peers/schemathesis/schemathesis.toml");

fn json_stdout(arguments: &[&str]) -> Value {
    let app = arguments.iter().fold(Service::new(&binaries::app()), |app, argument| app.arg(*argument));
    serde_json::from_str(&app.run().stdout).expect("it is JSON")
}

#[test]
fn the_document_matches_the_routes() {
    let document = json_stdout(&["openapi"]);
    let described: BTreeSet<String> = document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("operations").keys();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let routes = json_stdout(&["routes", "--json"]);
    let routes: BTreeSet<String> = routes
        .as_array()
        .expect("routes")
        .iter()
        .map(|route| format!("{} {}", route["method"].as_str().unwrap_or("?"), route["path"].as_str().unwrap_or("?")))
        .collect();
    assert_eq!(described, routes);
    assert_eq!(document["openapi"], "3.1.0");
}

#[test]
fn the_document_and_swagger_ui_are_served() {
    let app = start(Engine::Sqlite.single_process());
    let served = app.get("/openapi.json").send();
    assert_eq!((served.status, served.header("content-type")), (200, Some("application/json")));
    assert_eq!(served.json(), json_stdout(&["openapi"]));
    for page in ["/docs", "/docs/"] {
        let index = app.get(page).send();
        assert_eq!((index.status, index.header("content-type")), (200, Some("text/html")));
        assert!(index.text().contains("swagger-ui-bundle.js"));
        let policy = index.header("content-security-policy").unwrap_or_default();
        assert!(policy.starts_with("default-src 'self';"), "{policy}");
    }
    for file in ["swagger-ui-bundle.js", "swagger-ui.css", "swagger-initializer.js"] {
        assert_eq!(app.get(&format!("/docs/{file}")).send().status, 200, "{file} is in the binary");
    }
    assert_eq!(app.get("/docs/no-such-file").send().status, 404);
    let off = Service::new(&binaries::app()).env("APP__SERVER__DOCS", "false").start();
    assert_eq!((off.get("/openapi.json").send().status, off.get("/docs").send().status), (404, 404));
}

on_each_database!(schemathesis_finds_no_deviation);

fn schemathesis_finds_no_deviation(on: Engine) {
    let app = start(on.single_process());
    // An admin reaches every operation.
    let ada = admin(&app, "ada");
    let scratch = Scratch::new("schemathesis");
    scratch::write(&scratch.join("schemathesis.toml"), CONFIGURATION);
    let mut command = Command::new(venv::schemathesis());
    command.args(["-m", "schemathesis.cli", "run", "--no-color", "--seed", "1", "-n", "25"]);
    // It would end the session that all other requests use.
    command.args(["--exclude-path", "/users/logout"]);
    command.arg("-H").arg(format!("Authorization: Bearer {}", ada.token));
    command.arg(format!("http://127.0.0.1:{}/openapi.json", app.port)).current_dir(scratch.path());
    let output = command.output().expect("the Python of a virtual environment runs");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}");
    let generated = report.lines().find(|line| line.contains(" generated, ")).unwrap_or_default();
    system_tests::figures::print(&format!("schemathesis: {}", generated.trim()));
    let failed: Vec<Value> = app.stop().records().into_iter().filter(|record| record["kind"] == "uncaught").collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn servers_states_the_public_url() {
    assert_eq!(json_stdout(&["openapi"])["servers"], json!([{"url": "/"}]));
    let set = "server.public_url=https://api.shop.example/v1/";
    assert_eq!(json_stdout(&["openapi", "--set", set])["servers"], json!([{"url": "https://api.shop.example/v1"}]));
    for wrong in ["api.shop.example", "ftp://api.shop.example", "https://api.shop.example?a=b"] {
        let app = Service::new(&binaries::app()).env("APP__SERVER__PUBLIC_URL", wrong).run();
        assert_eq!(app.code(), Some(78), "{wrong}");
        assert!(app.stderr.contains("server.public_url"), "{}", app.stderr);
    }
}

/// Checks properties that linters do not cover, and that clients and their generators rely on.
#[test]
fn each_operation_documents_security_and_response_headers() {
    let document = json_stdout(&["openapi"]);
    let mut public = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let name = format!("{method} {path}");
            let text = |key: &str| operation[key].as_str().is_some_and(|text| !text.is_empty());
            assert!(text("summary") && text("description") && text("operationId"), "{name}: {operation}");
            match operation["security"].as_array().map(Vec::as_slice) {
                Some([]) => _ = public.insert(name.clone()),
                security => assert_eq!(security, Some(&[json!({"bearer": []})][..]), "{name}"),
            }
            for (status, response) in operation["responses"].as_object().expect("responses") {
                let response = match response["$ref"].as_str() {
                    Some(reference) => document.pointer(&reference[1..]).expect("a reference leads to a component"),
                    None => response,
                };
                let headers = &response["headers"];
                let has = |header: &str| headers[header]["$ref"].is_string();
                assert!(has("x-request-id"), "{name} {status}: {headers}");
                let limited = matches!(&**status, "200" | "201" | "204" | "304" | "429");
                assert_eq!(has("ratelimit-remaining"), limited, "{name} {status}: {headers}");
                assert_eq!(has("retry-after"), matches!(&**status, "429" | "503"), "{name} {status}: {headers}");
                assert_eq!(has("www-authenticate"), status == "401", "{name} {status}: {headers}");
                if status == "304" {
                    assert!(has("etag"), "{name} {status}: {headers}");
                }
            }
        }
    }
    assert_eq!(public, ["post /users", "post /users/login"].map(str::to_owned).into());
}

#[test]
fn list_schemas_reference_the_item_and_a_nullable_next() {
    let schemas = &json_stdout(&["openapi"])["components"]["schemas"];
    for (page, item) in [("OrderPage", "Order"), ("UserPage", "User")] {
        let page = &schemas[page];
        assert_eq!(page["properties"]["items"]["items"], json!({"$ref": format!("#/components/schemas/{item}")}));
        assert_eq!(page["properties"]["next"]["type"], json!(["string", "null"]));
        assert_eq!(page["required"], json!(["items", "next"]));
    }
}
