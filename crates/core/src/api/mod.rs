//! The API document: each blueprint's part, and what they have in common: problems, who is calling, what any route answers.

mod common;
pub(crate) mod pages;

use serde_json::Value;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::Type;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Components, InfoBuilder, ObjectBuilder, OpenApi, Required};

use crate::registry::Enabled;

/// The document of these blueprints.
pub(crate) fn document(name: &str, version: &str, blueprints: &[Enabled]) -> OpenApi {
    let info = InfoBuilder::new().title(name).version(version).description(Some(common::DESCRIPTION)).build();
    let mut document = OpenApi::new(info, utoipa::openapi::Paths::new());
    let mut tags = Vec::new();
    for Enabled { blueprint, .. } in blueprints {
        let mut part = with_own_names(blueprint.name(), blueprint.api());
        let description = std::mem::take(&mut part.info.description);
        tags.push(TagBuilder::new().name(blueprint.name()).description(description).build());
        for (path, item) in &mut part.paths.paths {
            for operation in operations(item) {
                operation.tags = Some(vec![blueprint.name().to_owned()]);
                // Operations of two blueprints may have the same name.
                let own = operation.operation_id.take().unwrap_or_default();
                operation.operation_id = Some(format!("{}_{own}", blueprint.name().replace('-', "_")));
                common::complete(operation, path);
            }
        }
        document.merge(part);
    }
    document.tags = Some(tags);
    common::add_to(document.components.get_or_insert_with(Components::new));
    document
}

/// The part with its schemas under the blueprint's name: two blueprints may each have a `Change`.
fn with_own_names(blueprint: &str, part: OpenApi) -> OpenApi {
    let mut json = serde_json::to_value(&part).unwrap_or_default();
    if let Some(schemas) = json.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        *schemas = std::mem::take(schemas).into_iter().map(|(name, it)| (own_name(blueprint, &name), it)).collect();
    }
    rename_references(blueprint, &mut json);
    mark_any_values(&mut json, false);
    serde_json::from_value(json).unwrap_or(part)
}

fn own_name(blueprint: &str, name: &str) -> String {
    if common::SCHEMAS.contains(&name) { name.to_owned() } else { format!("{blueprint}.{name}") }
}

fn rename_references(blueprint: &str, json: &mut Value) {
    const PLACE: &str = "#/components/schemas/";
    match json {
        Value::Object(members) => {
            for (key, value) in members {
                match value.as_str().and_then(|text| text.strip_prefix(PLACE)) {
                    Some(name) if key == "$ref" => *value = format!("{PLACE}{}", own_name(blueprint, name)).into(),
                    _ => rename_references(blueprint, value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename_references(blueprint, item)),
        _ => {}
    }
}

/// Gives a schema of any value the type null: utoipa writes it without a type, and reads it back with null alone.
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

/// A header that a request may have.
pub(crate) fn header(name: &str, description: &str) -> Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String);
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Header).required(Required::False);
    parameter.description(Some(description)).schema(Some(text)).build()
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
    #[expect(dead_code, reason = "it is described alone")]
    struct Any {
        value: Value,
        optional: Option<Value>,
        #[schema(example = json!({"a": {}}))]
        list: Vec<Value>,
        properties: std::collections::BTreeMap<String, Value>,
        part: Option<Part>,
    }

    #[derive(ToSchema)]
    #[expect(dead_code, reason = "it is described alone")]
    struct Part {
        value: Value,
    }

    #[derive(OpenApi)]
    #[openapi(components(schemas(Any, Part)))]
    struct Api;

    #[test]
    fn schemas_stand_under_their_blueprints_name_whatever_is_in_them() {
        let before = serde_json::to_string(&Api::openapi()).unwrap();
        let after = serde_json::to_string(&with_own_names("stock", Api::openapi())).unwrap();
        let renamed = before.replace("\"Any\":", "\"stock.Any\":").replace("\"Part\":", "\"stock.Part\":");
        let renamed = renamed.replace("schemas/Part\"", "schemas/stock.Part\"");
        assert_eq!(after, renamed);
    }
}
