//! The layers merged and checked.

use serde_json::{Map, Value};

use crate::layers::{self, Leaf};
use crate::value::validated;
use crate::{Origin, Problem, Schema, mask};

/// The values of layers that are good.
pub(crate) struct Checked {
    pub tree: Value,
    pub origins: Vec<Origin>,
    pub problems: Vec<Problem>,
}

pub(crate) fn check(schema: &Schema, layers: impl IntoIterator<Item = Vec<Leaf>>) -> Checked {
    let (in_force, unknown) = layers::merged(schema, layers);
    let mut problems = Vec::new();
    for Leaf { key, origin, .. } in unknown {
        problems.push(Problem::UnknownKey { nearest: schema.nearest(&key), key, set_by: origin });
    }
    // A section of which nothing is set can be read too.
    let mut tree = Value::Object(Map::new());
    for setting in &schema.settings {
        if let Some((section, _)) = setting.key.rsplit_once('.') {
            place(&mut tree, section, Value::Object(Map::new()));
        }
    }
    let mut origins = Vec::new();
    for (leaf, setting) in in_force {
        match validated(&leaf, setting) {
            // An empty list is no value.
            Ok(Value::Array(items)) if items.is_empty() => {}
            Ok(value) => {
                origins.push(Origin {
                    key: leaf.key.clone(),
                    value: mask::shown(setting, &value),
                    set_by: leaf.origin.clone(),
                });
                place(&mut tree, &leaf.key, value);
            }
            Err(reason) => problems.push(Problem::InvalidValue { key: leaf.key, set_by: leaf.origin, reason }),
        }
    }
    problems.extend(schema.conflicts(&tree, &origins));
    Checked { tree, origins, problems }
}

/// Puts a value at its dotted key; an object does not replace one that is there.
fn place(tree: &mut Value, key: &str, value: Value) {
    let mut at = tree;
    for name in key.split('.') {
        at = &mut at[name];
    }
    if !(at.is_object() && value.is_object()) {
        *at = value;
    }
}
