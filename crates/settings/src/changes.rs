//! The differences between two loads of the same settings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use config::ValueKind;
use serde_json::Value;

use crate::Schema;
use crate::files::Files;
use crate::layers::Leaf;
use crate::schema::{Target, value_key};
use crate::setting::FILE_SUFFIX;
use crate::validation::EffectiveValue;
use crate::value::text;

/// The differences between settings and later loaded ones.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// The changed values, sorted by key.
    pub changed: Vec<Change>,
    /// The changes of files without effect, because an environment variable or a flag sets the value; sorted by key.
    pub hidden: Vec<Hidden>,
}

/// A changed value.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The key. In a deferred section it is the key that a layer sets, which may be `…_file`.
    pub key: String,
    /// The value before. `None` if it was unset, or may be secret, as any value of a deferred section.
    pub before: Option<Value>,
    /// The value after, like `before`.
    pub after: Option<Value>,
}

/// A change of a file without effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// The key.
    pub key: String,
    /// The environment variable or the flag that sets the effective value.
    pub by: String,
}

/// The values of a load, for comparison.
pub(crate) struct Snapshot {
    declared: BTreeMap<String, (Value, bool)>,
    /// Values of deferred sections from their layers, with a hash of the content of possible secret files.
    deferred: BTreeMap<String, (LayerValue, Option<u64>)>,
    in_files: BTreeMap<String, LayerValue>,
    /// The environment variables and flags by the key that they set.
    above_files: BTreeMap<String, String>,
}

/// A value or the path of its file, as set by a layer.
#[derive(Clone, PartialEq)]
struct LayerValue {
    key: String,
    value: ValueKind,
}

impl Snapshot {
    /// `declared` are the validated values, `deferred` the layers of deferred sections, and `in_files` and
    /// `above_files` the layers of files and those above them.
    pub(crate) fn of(
        schema: &Schema,
        declared: Vec<EffectiveValue>,
        deferred: &[Vec<Leaf>],
        [in_files, above_files]: [&[Vec<Leaf>]; 2],
        files: &mut Files,
    ) -> Self {
        let deferred_keys: BTreeSet<&str> = deferred.iter().flatten().map(|leaf| leaf.key.as_str()).collect();
        let deferred = effective_by_setting(schema, &deferred_keys, deferred).into_iter().map(|(key, leaf)| {
            let file = text(&leaf.value).filter(|_| leaf.key.ends_with(FILE_SUFFIX));
            let content = file.map(|file| files.hash_value_file(Path::new(file)));
            (key, (LayerValue::from(leaf), content))
        });
        let declared = declared.into_iter().map(|EffectiveValue { key, value, is_secret }| (key, (value, is_secret)));
        let in_files = effective_by_setting(schema, &deferred_keys, in_files).into_iter();
        let above_files = effective_by_setting(schema, &deferred_keys, above_files).into_iter();
        Self {
            deferred: deferred.collect(),
            declared: declared.collect(),
            in_files: in_files.map(|(key, leaf)| (key, LayerValue::from(leaf))).collect(),
            above_files: above_files.map(|(key, leaf)| (key, leaf.origin.clone())).collect(),
        }
    }

    pub(crate) fn changes_to(&self, new: &Self) -> Changes {
        let declared = differing_keys(&self.declared, &new.declared).map(|key| {
            let shown = |of: &Self| {
                let (value, is_secret) = of.declared.get(key)?;
                (!is_secret).then(|| value.clone())
            };
            Change { key: key.clone(), before: shown(self), after: shown(new) }
        });
        let deferred = differing_keys(&self.deferred, &new.deferred);
        let deferred = deferred.map(|key| Change { key: key.clone(), before: None, after: None });
        let mut changed: Vec<Change> = declared.chain(deferred).collect();
        changed.sort_by(|a, b| a.key.cmp(&b.key));
        let hidden = differing_keys(&self.in_files, &new.in_files).filter_map(|key| {
            let by = new.above_files.get(key).filter(|_| changed.iter().all(|change| change.key != *key))?;
            Some(Hidden { key: key.clone(), by: by.clone() })
        });
        Changes { hidden: hidden.collect(), changed }
    }
}

impl From<&Leaf> for LayerValue {
    fn from(leaf: &Leaf) -> Self {
        Self { key: leaf.key.clone(), value: leaf.value.clone() }
    }
}

/// The effective leaves of layers, by the key of the setting for which they are the value or the file.
fn effective_by_setting<'a>(
    schema: &Schema,
    deferred_keys: &BTreeSet<&str>,
    layers: &'a [Vec<Leaf>],
) -> BTreeMap<String, &'a Leaf> {
    let set = layers.iter().flatten().filter(|leaf| !leaf.is_empty()).map(|leaf| {
        let is_file = match schema.find(&leaf.key) {
            Some(Target { is_file, .. }) => is_file,
            // In a deferred section a `…_file` key is only known as such if the setting itself is set too.
            None => deferred_keys.contains(leaf.key.strip_suffix(FILE_SUFFIX).unwrap_or_default()),
        };
        (value_key(&leaf.key, is_file).to_owned(), leaf)
    });
    set.collect()
}

/// The keys whose values differ.
fn differing_keys<'a, V: PartialEq>(
    before: &'a BTreeMap<String, V>,
    after: &'a BTreeMap<String, V>,
) -> impl Iterator<Item = &'a String> {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter().filter(|key| before.get(*key) != after.get(*key))
}
