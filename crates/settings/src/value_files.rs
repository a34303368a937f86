//! Values of secret settings from files: `sentry.dsn_file` names a file that contains the value of `sentry.dsn`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::files::Files;
use crate::layers::Leaf;
use crate::schema::value_key;
use crate::value::text;
use crate::{Schema, SettingsProblem, mask};

/// Decides between a setting and its file: the higher layer wins. Setting both in one layer is a problem.
pub(crate) fn resolve(
    schema: &Schema,
    layers: impl IntoIterator<Item = Vec<Leaf>>,
) -> (Vec<Vec<Leaf>>, Vec<SettingsProblem>) {
    let mut layers: Vec<Vec<Leaf>> = layers.into_iter().collect();
    let mut problems = Vec::new();
    // By the key of the setting: whether the file wins.
    let mut effective: BTreeMap<String, bool> = BTreeMap::new();
    for layer in layers.iter_mut().rev() {
        let mut set: BTreeMap<String, (bool, String)> = BTreeMap::new();
        for leaf in layer.iter().filter(|leaf| !leaf.is_empty()) {
            let Some(target) = schema.find(&leaf.key).filter(|target| target.setting.file_key().is_some()) else {
                continue;
            };
            let key = value_key(&leaf.key, target.is_file).to_owned();
            match set.get(&key) {
                Some((is_file, other)) if *is_file != target.is_file => {
                    let (other, this) = (other.clone(), leaf.origin.clone());
                    let [set_by, file_set_by] = if target.is_file { [other, this] } else { [this, other] };
                    problems.push(SettingsProblem::ValueAndFile { key, set_by, file_set_by });
                }
                _ => {
                    set.insert(key, (target.is_file, leaf.origin.clone()));
                }
            }
        }
        for (key, (is_file, _)) in set {
            effective.entry(key).or_insert(is_file);
        }
    }
    for layer in &mut layers {
        layer.retain(|leaf| {
            let is_file = schema.find(&leaf.key).is_some_and(|target| target.is_file);
            effective.get(value_key(&leaf.key, is_file)).is_none_or(|file_wins| *file_wins == is_file)
        });
    }
    (layers, problems)
}

/// The value from a file, as if its layer had set it, and the path of the file, masked if it resembles a secret.
pub(crate) fn read(leaf: &Leaf, files: &mut Files) -> Result<(Leaf, String), SettingsProblem> {
    let key = value_key(&leaf.key, true);
    let Some(path) = text(&leaf.value) else {
        let reason = "a file name must be a string; write it in quotes".to_owned();
        return Err(SettingsProblem::InvalidValue { key: leaf.key.clone(), set_by: leaf.origin.clone(), reason });
    };
    // A URL here is probably the value itself, set by mistake instead of a path.
    let shown = if path.contains("://") { mask::mask(path) } else { path.to_owned() };
    let set_by = format!("{} ({shown})", leaf.origin);
    match files.read_value(Path::new(path)) {
        Ok(value) => Ok((Leaf::new(key, value, &set_by), shown)),
        Err(reason) => Err(SettingsProblem::InvalidFileValue { key: key.to_owned(), set_by, path: shown, reason }),
    }
}
