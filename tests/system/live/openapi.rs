//! The API document of the management listener.

use serde_json::Value;

use super::service;

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
