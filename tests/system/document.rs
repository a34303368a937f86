//! The API document: what it says of the routes, and whether the service does as it says.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use system_tests::binaries;
use system_tests::peers::venv;
use system_tests::scratch::{self, Scratch};
use system_tests::service::Service;

use crate::api::{Engine, member, start};

const CONFIGURATION: &str = include_str!("../src/peers/schemathesis/schemathesis.toml");

fn answer(arguments: &[&str]) -> Value {
    let app = arguments.iter().fold(Service::new(&binaries::app()), |app, argument| app.arg(*argument));
    serde_json::from_str(&app.run().stdout).expect("it is JSON")
}

#[test]
fn it_has_every_route_and_no_other() {
    let document = answer(&["openapi"]);
    let described: BTreeSet<String> = document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("operations").keys();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let routes = answer(&["routes", "--json"]);
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
fn it_is_served_with_pages_beside_it() {
    let app = start(Engine::Sqlite.together());
    let served = app.get("/openapi.json").send();
    assert_eq!((served.status, served.header("content-type")), (200, Some("application/json")));
    assert_eq!(served.json(), answer(&["openapi"]));
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

#[test]
fn schemathesis_finds_nothing_that_is_not_as_it_says() {
    let app = start(Engine::Sqlite.together());
    let ada = member(&app, "ada");
    let scratch = Scratch::new("schemathesis");
    scratch::write(&scratch.join("schemathesis.toml"), CONFIGURATION);
    let mut command = Command::new(venv::schemathesis());
    command.args(["-m", "schemathesis.cli", "run", "--no-color", "--seed", "1", "-n", "25"]);
    // Which would end the session that all the rest is asked in.
    command.args(["--exclude-path", "/users/logout"]);
    command.arg("-H").arg(format!("Authorization: Bearer {}", ada.token));
    command.arg(format!("http://127.0.0.1:{}/openapi.json", app.port)).current_dir(scratch.path());
    let output = command.output().expect("the Python of a virtual environment runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    let generated = said.lines().find(|line| line.contains(" generated, ")).unwrap_or_default();
    system_tests::figures::say(&format!("schemathesis: {}", generated.trim()));
    let failed: Vec<Value> = app.stop().records().into_iter().filter(|record| record["kind"] == "uncaught").collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
