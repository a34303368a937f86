//! Merging and validation of the layers.

use serde_json::{Map, Value};

use crate::files::Files;
use crate::layers::{self, Leaf};
use crate::schema::Target;
use crate::value::validate_value;
use crate::{Origin, Schema, SettingsProblem, mask, value_files};

/// The valid values of the layers, and the problems of the others.
pub(crate) struct Validated {
    pub tree: Value,
    /// The effective values, sorted by key.
    pub values: Vec<EffectiveValue>,
    pub origins: Vec<Origin>,
    pub problems: Vec<SettingsProblem>,
}

/// An effective value, not masked.
pub(crate) struct EffectiveValue {
    pub key: String,
    pub value: Value,
    pub is_secret: bool,
}

pub(crate) fn validate(schema: &Schema, layers: impl IntoIterator<Item = Vec<Leaf>>, files: &mut Files) -> Validated {
    let (layers, mut problems) = value_files::resolve(schema, layers);
    let (effective, unknown) = layers::merge(schema, layers);
    for Leaf { key, origin, .. } in unknown {
        problems.push(SettingsProblem::UnknownKey { nearest: schema.nearest(&key), key, set_by: origin });
    }
    // Sections without any values must deserialize too.
    let mut tree = Value::Object(Map::new());
    for setting in &schema.settings {
        if let Some((section, _)) = setting.key.rsplit_once('.') {
            insert(&mut tree, section, Value::Object(Map::new()));
        }
    }
    let (mut origins, mut values) = (Vec::new(), Vec::new());
    for (leaf, Target { setting, is_file }) in effective {
        let (leaf, file) = match is_file.then(|| value_files::read(&leaf, files)) {
            None => (leaf, None),
            Some(Ok((leaf, file))) => (leaf, Some(file)),
            Some(Err(problem)) => {
                problems.push(problem);
                continue;
            }
        };
        match validate_value(&leaf, setting) {
            // An empty list counts as unset.
            Ok(Value::Array(items)) if items.is_empty() => {}
            Ok(value) => {
                let is_secret = setting.value_type.is_secret();
                values.push(EffectiveValue { key: leaf.key.clone(), value: value.clone(), is_secret });
                origins.push(Origin {
                    key: leaf.key.clone(),
                    value: mask::shown(setting, &value),
                    set_by: leaf.origin.clone(),
                });
                insert(&mut tree, &leaf.key, value);
            }
            Err(reason) => {
                let (key, set_by) = (leaf.key, leaf.origin);
                problems.push(match file {
                    Some(path) => SettingsProblem::InvalidFileValue { key, set_by, path, reason },
                    None => SettingsProblem::InvalidValue { key, set_by, reason },
                });
            }
        }
    }
    problems.extend(schema.conflicts(&tree, &origins));
    Validated { tree, values, origins, problems }
}

/// Inserts a value at its dotted key. An object does not replace an existing one.
fn insert(tree: &mut Value, key: &str, value: Value) {
    let mut at = tree;
    for name in key.split('.') {
        at = &mut at[name];
    }
    if !(at.is_object() && value.is_object()) {
        *at = value;
    }
}
