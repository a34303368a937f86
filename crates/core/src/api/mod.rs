//! The OpenAPI document: the parts of all blueprints, and common problems, authentication and response headers.

mod common;
mod examples;
mod headers;
mod names;
pub(crate) mod pages;

use serde_json::Value;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Components, InfoBuilder, OpenApi, Server};

/// Metadata of the API, set by the program.
pub(crate) struct ApiInfo<'a> {
    pub name: &'a str,
    pub version: &'a str,
    /// Base URL for clients; when unset, the server that served the document.
    pub public_url: Option<&'a str>,
    pub customize: Option<&'a CustomizeDocument>,
}

/// Changes that the program makes to the document.
pub(crate) type CustomizeDocument = Box<dyn Fn(&mut OpenApi) + Send + Sync>;

/// Builds the document of these blueprints.
pub(crate) fn document(about: &ApiInfo<'_>, blueprints: impl Iterator<Item = (&'static str, OpenApi)>) -> OpenApi {
    let info = InfoBuilder::new().title(about.name).version(about.version).description(Some(common::DESCRIPTION));
    let mut document = OpenApi::new(info.build(), utoipa::openapi::Paths::new());
    let server = about.public_url.map_or("/", |url| url.trim_end_matches('/'));
    document.servers = Some(vec![Server::new(server)]);
    let mut tags = Vec::new();
    for (blueprint, mut part) in parts(blueprints) {
        let description = std::mem::take(&mut part.info.description);
        tags.push(TagBuilder::new().name(blueprint).description(description).build());
        for (path, item) in &mut part.paths.paths {
            for operation in operations(item) {
                operation.tags = Some(vec![blueprint.to_owned()]);
                common::complete(operation, path);
            }
        }
        document.merge(part);
    }
    document.tags = Some(tags);
    common::add_to(document.components.get_or_insert_with(Components::new));
    if let Some(customize) = about.customize {
        customize(&mut document);
    }
    document
}

/// Each blueprint's part, with unique names.
fn parts(blueprints: impl Iterator<Item = (&'static str, OpenApi)>) -> impl Iterator<Item = (&'static str, OpenApi)> {
    let apis: Vec<(&'static str, OpenApi)> = blueprints.collect();
    let mut parts: Vec<Value> = apis.iter().map(|(_, api)| serde_json::to_value(api).unwrap_or_default()).collect();
    parts.iter_mut().for_each(names::tidy_generics);
    let shared = names::DuplicateNames::find(&mut parts);
    apis.into_iter().zip(parts).map(move |((blueprint, api), mut part)| {
        shared.rename(blueprint, &mut part);
        mark_any_values(&mut part, false);
        examples::add_to(&mut part);
        (blueprint, serde_json::from_value(part).unwrap_or(api))
    })
}

/// Sets the type null on schemas that allow any value: utoipa writes them without a type, but parses them only with
/// `"type": null`.
fn mark_any_values(json: &mut Value, is_schema: bool) {
    const KINDS: [&str; 5] = ["type", "$ref", "oneOf", "allOf", "anyOf"];
    const SCHEMAS: [&str; 3] = ["schema", "items", "additionalProperties"];
    match json {
        Value::Object(members) => {
            for (key, value) in &mut *members {
                match (key.as_str(), &mut *value) {
                    ("example" | "examples" | "default" | "enum", _) if is_schema => {}
                    ("properties" | "schemas", Value::Object(named)) => {
                        named.values_mut().for_each(|value| mark_any_values(value, true));
                    }
                    (key, _) => mark_any_values(value, SCHEMAS.contains(&key)),
                }
            }
            if is_schema && KINDS.iter().all(|key| !members.contains_key(*key)) {
                members.insert("type".into(), Value::Null);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mark_any_values(item, false)),
        _ => {}
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, options, head, patch, trace, .. } = item;
    [get, put, post, delete, options, head, patch, trace].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use utoipa::{OpenApi, ToSchema};

    #[derive(ToSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Any {
        value: Value,
        optional: Option<Value>,
        #[schema(example = json!({"a": {}}))]
        list: Vec<Value>,
        properties: std::collections::BTreeMap<String, Value>,
        part: Option<Part>,
    }

    #[derive(ToSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Part {
        value: Value,
    }

    #[derive(OpenApi)]
    #[openapi(components(schemas(Any, Part)))]
    struct Api;

    #[test]
    fn a_document_survives_a_json_round_trip() {
        let before = serde_json::to_string(&Api::openapi()).unwrap();
        let mut json = serde_json::to_value(Api::openapi()).unwrap();
        mark_any_values(&mut json, false);
        let after: utoipa::openapi::OpenApi = serde_json::from_value(json).unwrap();
        assert_eq!(serde_json::to_string(&after).unwrap(), before);
    }
}
