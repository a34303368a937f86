//! Makes names unique in the document. Two blueprints may both have a schema `Change` or an operation `list`: such a name is
//! prefixed with the name of its blueprint. All other names stay unchanged.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::common;

const SCHEMA: &str = "#/components/schemas/";

/// Names that more than one blueprint uses.
#[derive(Debug, Default)]
pub(super) struct DuplicateNames {
    schemas: BTreeSet<String>,
    operations: BTreeSet<String>,
}

impl DuplicateNames {
    /// Finds the duplicates in these parts of the document.
    pub(super) fn find(parts: &mut [Value]) -> Self {
        let mut schemas = Vec::new();
        let mut operations = Vec::new();
        for part in parts {
            let named = part.pointer("/components/schemas").and_then(Value::as_object);
            schemas.extend(named.into_iter().flat_map(|named| named.keys().cloned()));
            operations.extend(operation_ids(part).filter_map(|id| id.as_str().map(str::to_owned)));
        }
        schemas.retain(|name| !common::SCHEMAS.contains(&name.as_str()));
        Self { schemas: repeated(schemas), operations: repeated(operations) }
    }

    /// Prefixes the duplicate names in a blueprint's part.
    pub(super) fn rename(&self, blueprint: &str, part: &mut Value) {
        if let Some(schemas) = part.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
            let renamed = std::mem::take(schemas).into_iter().map(|(name, it)| (self.schema(blueprint, &name), it));
            *schemas = renamed.collect();
        }
        replace_references(part, &|name| self.schema(blueprint, name));
        for id in operation_ids(part) {
            if let Some(name) = id.as_str().filter(|name| self.operations.contains(*name)) {
                *id = format!("{}_{name}", blueprint.replace('-', "_")).into();
            }
        }
    }

    fn schema(&self, blueprint: &str, name: &str) -> String {
        if self.schemas.contains(name) { format!("{blueprint}.{name}") } else { name.to_owned() }
    }
}

/// Renames generic schemas, and replaces the copies of their type arguments with references. utoipa names `Page<Order>` `Page_Order` and inlines `Order`: here it
/// becomes `OrderPage`, with a reference to `Order`.
pub(super) fn tidy_generics(part: &mut Value) {
    let Some(schemas) = part.pointer_mut("/components/schemas").and_then(Value::as_object_mut) else { return };
    let known: Vec<(String, Value)> = schemas.iter().map(|(name, it)| (name.clone(), it.clone())).collect();
    for (generic, schema) in schemas.iter_mut().filter(|(name, _)| name.contains('_')) {
        let arguments: Vec<&(String, Value)> = known.iter().filter(|(name, _)| has_argument(generic, name)).collect();
        replace_with_references(schema, &arguments);
    }
    let names: BTreeMap<String, String> =
        known.iter().filter_map(|(name, _)| Some((name.clone(), tidy_name(name)?))).collect();
    let new_name = |name: &str| names.get(name).cloned().unwrap_or_else(|| name.to_owned());
    *schemas = std::mem::take(schemas).into_iter().map(|(name, it)| (new_name(&name), it)).collect();
    replace_references(part, &new_name);
}

/// `OrderPage` for `Page_Order`.
fn tidy_name(name: &str) -> Option<String> {
    let (generic, argument) = name.split_once('_')?;
    Some(format!("{argument}{generic}"))
}

fn has_argument(generic: &str, name: &str) -> bool {
    generic.split('_').skip(1).any(|argument| argument == name)
}

fn replace_with_references(json: &mut Value, schemas: &[&(String, Value)]) {
    if let Some((name, _)) = schemas.iter().find(|(_, schema)| schema == json) {
        *json = serde_json::json!({ "$ref": format!("{SCHEMA}{name}") });
        return;
    }
    match json {
        Value::Object(members) => members.values_mut().for_each(|value| replace_with_references(value, schemas)),
        Value::Array(items) => items.iter_mut().for_each(|item| replace_with_references(item, schemas)),
        _ => {}
    }
}

fn replace_references(json: &mut Value, new_name: &impl Fn(&str) -> String) {
    match json {
        Value::Object(members) => {
            for (key, value) in members {
                match value.as_str().and_then(|text| text.strip_prefix(SCHEMA)) {
                    Some(name) if key == "$ref" => *value = format!("{SCHEMA}{}", new_name(name)).into(),
                    _ => replace_references(value, new_name),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace_references(item, new_name)),
        _ => {}
    }
}

fn operation_ids(part: &mut Value) -> impl Iterator<Item = &mut Value> {
    let paths = part.get_mut("paths").and_then(Value::as_object_mut).into_iter();
    let items = paths.flat_map(|paths| paths.values_mut()).filter_map(Value::as_object_mut);
    items.flat_map(|item| item.values_mut()).filter_map(|operation| operation.get_mut("operationId"))
}

fn repeated(names: Vec<String>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    names.into_iter().filter(|name| !seen.insert(name.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn part(schemas: &Value, id: &str) -> Value {
        let response = json!({"schema": {"$ref": "#/components/schemas/Item"}});
        json!({"paths": {"/it": {"get": {"operationId": id, "response": response}}}, "components": {"schemas": schemas}})
    }

    #[test]
    fn duplicate_names_are_prefixed_and_others_stay() {
        let mut parts = [
            part(&json!({"Item": {}, "Note": {}, "Problem": {}}), "list"),
            part(&json!({"Item": {}, "Problem": {}}), "list"),
        ];
        let duplicates = DuplicateNames::find(&mut parts);
        duplicates.rename("my-notes", &mut parts[0]);
        let mut expected = part(&json!({"my-notes.Item": {}, "Note": {}, "Problem": {}}), "my_notes_list");
        expected["paths"]["/it"]["get"]["response"]["schema"]["$ref"] = "#/components/schemas/my-notes.Item".into();
        assert_eq!(parts[0], expected);

        let mut alone = [part(&json!({"Item": {}}), "list")];
        let duplicates = DuplicateNames::find(&mut alone);
        duplicates.rename("notes", &mut alone[0]);
        assert_eq!(alone[0], part(&json!({"Item": {}}), "list"));
    }

    #[test]
    fn a_page_of_items_refers_to_the_item() {
        let item = json!({"type": "object", "properties": {"id": {"type": "string"}}});
        let page = |item: &Value| json!({"type": "object", "properties": {"items": {"type": "array", "items": item}}});
        let schemas = json!({"Item": item, "Page_Item": page(&item), "Other": page(&item)});
        let mut part =
            json!({"schema": {"$ref": "#/components/schemas/Page_Item"}, "components": {"schemas": schemas}});
        tidy_generics(&mut part);
        let reference = json!({"$ref": "#/components/schemas/Item"});
        let schemas = json!({"Item": item, "ItemPage": page(&reference), "Other": page(&item)});
        let expected = json!({"schema": {"$ref": "#/components/schemas/ItemPage"}, "components": {"schemas": schemas}});
        assert_eq!(part, expected);
    }
}
