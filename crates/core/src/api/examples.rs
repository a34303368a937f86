//! Examples of request and response bodies, composed from the examples of their schemas.

use serde_json::{Map, Value};

const SCHEMA_REFERENCE: &str = "#/components/schemas/";

/// Schemas nested more deeply than this are assumed to be recursive, and get no example.
const MAX_DEPTH: usize = 16;

/// Adds an example to each request body and successful response of a blueprint's part that has none.
pub(super) fn add_to(part: &mut Value) {
    let schemas = part.pointer("/components/schemas").and_then(Value::as_object).cloned().unwrap_or_default();
    let paths = part.get_mut("paths").and_then(Value::as_object_mut).into_iter();
    let items = paths.flat_map(|paths| paths.values_mut()).filter_map(Value::as_object_mut);
    for operation in items.flat_map(|item| item.values_mut()) {
        if let Some(body) = operation.get_mut("requestBody") {
            add_to_body(body, &schemas);
        }
        let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
        let responses = responses.into_iter().flatten().filter(|(status, _)| status.starts_with('2'));
        responses.for_each(|(_, response)| add_to_body(response, &schemas));
    }
}

fn add_to_body(body: &mut Value, schemas: &Map<String, Value>) {
    let contents = body.get_mut("content").and_then(Value::as_object_mut).into_iter();
    for content in contents.flat_map(|contents| contents.values_mut()).filter_map(Value::as_object_mut) {
        if content.contains_key("example") || content.contains_key("examples") {
            continue;
        }
        let example = content.get("schema").and_then(|schema| compose(schema, schemas, MAX_DEPTH));
        content.extend(example.map(|example| ("example".to_owned(), example)));
    }
}

/// The example of a schema; `None` when a required property has none.
fn compose(schema: &Value, schemas: &Map<String, Value>, depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    if let Some(example) = schema.get("example") {
        return Some(example.clone());
    }
    if let Some(reference) = schema["$ref"].as_str() {
        return compose(schemas.get(reference.strip_prefix(SCHEMA_REFERENCE)?)?, schemas, depth);
    }
    if let Some(value) = schema["enum"].get(0) {
        return Some(value.clone());
    }
    if let Some(properties) = schema["properties"].as_object() {
        let is_required = |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|it| it == name));
        let mut object = Map::new();
        for (name, property) in properties {
            match compose(property, schemas, depth) {
                Some(example) if is_required(name) || !example.is_null() => _ = object.insert(name.clone(), example),
                None if is_required(name) => return None,
                _ => {}
            }
        }
        return Some(object.into());
    }
    if let Some(items) = schema.get("items") {
        return compose(items, schemas, depth).map(|item| vec![item].into());
    }
    let is_nullable = schema["type"].as_array().is_some_and(|types| types.iter().any(|it| it == "null"));
    is_nullable.then_some(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn example(schema: &Value) -> Option<Value> {
        let content = json!({"application/json": {"schema": schema}});
        let operation = json!({"requestBody": {"content": content}, "responses": {"200": {"content": content}}});
        let schemas = json!({
            "Status": {"type": "string", "enum": ["placed", "paid"]},
            "Tree": {"type": "object", "properties": {"left": {"$ref": "#/components/schemas/Tree"}}, "required": ["left"]},
        });
        let mut part = json!({"paths": {"/it": {"post": operation}}, "components": {"schemas": schemas}});
        add_to(&mut part);
        let post = &part["paths"]["/it"]["post"];
        let body = |of: &Value| of["content"]["application/json"].get("example").cloned();
        assert_eq!(body(&post["requestBody"]), body(&post["responses"]["200"]));
        body(&post["requestBody"])
    }

    #[test]
    fn an_example_has_all_properties_with_examples() {
        let item = json!({
            "type": "object",
            "required": ["id", "status", "note"],
            "properties": {
                "id": {"type": "string", "example": "7"},
                "status": {"$ref": "#/components/schemas/Status"},
                "note": {"type": ["string", "null"]},
                "total": {"type": ["integer", "null"]},
                "lines": {"type": "array", "items": {"type": "integer", "example": 1}},
            },
        });
        let expected = json!({"id": "7", "status": "placed", "note": null, "lines": [1]});
        assert_eq!(example(&item), Some(expected));
    }

    #[test]
    fn the_example_of_a_schema_takes_precedence() {
        let schema = json!({"type": "object", "example": {"a": 1}, "properties": {"a": {"example": 2}}});
        assert_eq!(example(&schema), Some(json!({"a": 1})));
    }

    #[test]
    fn there_is_no_example_without_its_required_properties() {
        let schema = json!({"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}});
        assert_eq!(example(&schema), None);
        assert_eq!(example(&json!({"$ref": "#/components/schemas/Tree"})), None);
    }
}
