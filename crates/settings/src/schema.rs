//! The declarations of all sections.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::setting::FILE_SUFFIX;
use crate::{Origin, Setting, SettingsProblem};

/// A part of the settings: a type to deserialize, and the settings in it. [`section!`](crate::section) declares both at
/// once. The root is a section with an empty key.
pub trait Section: DeserializeOwned {
    /// Adds the settings of this section and of nested sections.
    fn declare(schema: &mut Schema);
}

/// An invalid combination of valid values: the name of the setting to change, and the reason.
pub type Conflict = (&'static str, String);

/// A check of a combination of values in a section.
pub type Combination = fn(&Values<'_>) -> Option<Conflict>;

/// The settings from an environment variable that is neither `APP__…` nor a setting's alias.
#[derive(Debug, Default)]
pub struct VariableValues {
    /// Keys and values. Every other layer except the defaults takes precedence.
    pub values: Vec<(String, String)>,
    /// Warnings about unusable parts.
    pub warnings: Vec<String>,
}

/// A variable that its section parses, such as `RUST_LOG`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variable {
    pub name: &'static str,
    pub read: fn(&str) -> VariableValues,
}

/// All settings of a root, of a part of it, or of a section declared after loading.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// The key of the current section, followed by a dot.
    prefix: String,
    pub(crate) settings: Vec<Setting>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) deferred: Vec<String>,
    combinations: Vec<(String, Combination)>,
}

impl Schema {
    /// The settings of a root.
    #[must_use]
    pub fn of<S: Section>() -> Self {
        let mut schema = Self::default();
        S::declare(&mut schema);
        schema
    }

    /// The settings below a key.
    #[must_use]
    pub fn below(key: &str, declare: impl FnOnce(&mut Self)) -> Self {
        let mut schema = Self { prefix: format!("{key}."), ..Self::default() };
        declare(&mut schema);
        schema
    }

    /// Every setting, in declaration order.
    #[must_use]
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// Adds a setting. Its key is relative to the section; an empty key is that of the section itself.
    pub fn setting(&mut self, mut setting: Setting) {
        setting.key = format!("{}{}", self.prefix, setting.key).trim_end_matches('.').to_owned();
        self.settings.push(setting);
    }

    /// Adds a section below this one.
    pub fn section<S: Section>(&mut self, name: &str) {
        let outer = self.prefix.len();
        self.prefix.push_str(name);
        self.prefix.push('.');
        S::declare(self);
        self.prefix.truncate(outer);
    }

    /// Adds the settings of another section to this one.
    pub fn flatten<S: Section>(&mut self) {
        S::declare(self);
    }

    /// Adds a check of a combination of values.
    pub fn validate_combination(&mut self, check: Combination) {
        self.combinations.push((self.prefix.clone(), check));
    }

    /// Adds an environment variable with its own syntax. It returns full keys.
    pub fn variable(&mut self, name: &'static str, read: fn(&str) -> VariableValues) {
        self.variables.push(Variable { name, read });
    }

    /// Defers the settings below `<name>.`: sections of that kind are declared and checked after loading, with
    /// [`Deferred::read`](crate::Deferred::read).
    pub fn defer(&mut self, names: &str) {
        self.deferred.push(format!("{}{names}", self.prefix));
    }

    /// A declared key takes precedence over another setting's file, and that over a key that matches a placeholder.
    pub(crate) fn find(&self, key: &str) -> Option<Target<'_>> {
        let declared = || self.settings.iter().find(|setting| setting.key == key);
        let with_file = || {
            let of = key.strip_suffix(FILE_SUFFIX)?;
            self.settings.iter().find(|setting| setting.file_key().is_some() && setting.matches(of))
        };
        let free = || self.settings.iter().find(|setting| setting.matches(key));
        declared()
            .map(|setting| Target { setting, is_file: false })
            .or_else(|| Some(Target { setting: with_file()?, is_file: true }))
            .or_else(|| Some(Target { setting: free()?, is_file: false }))
    }

    /// Whether a key belongs to a deferred section.
    pub(crate) fn is_deferred(&self, key: &str) -> bool {
        self.deferred_name(key).is_some()
    }

    /// The key split into the part before the name of a deferred section, the name, and the rest.
    fn deferred_name<'a>(&self, key: &'a str) -> Option<(&'a str, &'a str, &'a str)> {
        self.deferred.iter().find_map(|names| {
            let stem = names.split('<').next().unwrap_or_default();
            let (name, rest) = key.strip_prefix(stem)?.split_once('.')?;
            Some((&key[..stem.len()], name, rest))
        })
    }

    /// Replaces hyphens in placeholder names by underscores in every layer, since variables cannot contain hyphens.
    pub(crate) fn normalized(&self, key: &str) -> String {
        let stems = self.settings.iter().filter_map(Setting::stem);
        if let Some((stem, name)) = stems.filter_map(|stem| Some((stem, key.strip_prefix(stem)?))).next() {
            return format!("{stem}{}", name.replace('-', "_"));
        }
        match self.deferred_name(key) {
            Some((stem, name, rest)) => format!("{stem}{}.{rest}", name.replace('-', "_")),
            None => key.to_owned(),
        }
    }

    /// The declared key closest to an unknown one, for a suggestion.
    pub(crate) fn nearest(&self, key: &str) -> Option<String> {
        let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
        self.settings
            .iter()
            .filter(|setting| !setting.has_placeholder())
            .flat_map(|setting| [Some(setting.key.clone()), setting.file_key()].into_iter().flatten())
            .map(|known| {
                let distance = strsim::levenshtein(key, &known);
                // The right name in the wrong section is close too.
                (if last(key) == last(&known) { distance.min(2) } else { distance }, known)
            })
            .min()
            .filter(|(distance, _)| *distance <= 3)
            .map(|(_, known)| known)
    }

    /// Failed checks of combinations, sorted by key.
    pub(crate) fn conflicts(&self, tree: &Value, origins: &[Origin]) -> Vec<SettingsProblem> {
        let conflicts = self.combinations.iter().filter_map(|(prefix, check)| {
            let values = Values { prefix, tree, origins };
            let (name, reason) = check(&values)?;
            let set_by = values.set_by(name).to_owned();
            Some((values.key(name), set_by, reason))
        });
        let mut conflicts: Vec<_> = conflicts.collect();
        conflicts.sort();
        conflicts
            .into_iter()
            .map(|(key, set_by, reason)| SettingsProblem::InvalidValue { key, set_by, reason })
            .collect()
    }
}

/// The target of a layer's key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub setting: &'a Setting,
    /// Whether the key names a file that contains the setting's value.
    pub is_file: bool,
}

/// The key of the setting that a key sets, directly or by a file.
pub(crate) fn value_key(key: &str, is_file: bool) -> &str {
    if is_file { key.strip_suffix(FILE_SUFFIX).unwrap_or(key) } else { key }
}

/// The individually valid values of a section, by their names in it.
#[derive(Debug)]
pub struct Values<'a> {
    prefix: &'a str,
    tree: &'a Value,
    origins: &'a [Origin],
}

impl<'a> Values<'a> {
    /// A value, if it is set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.tree.pointer(&pointer(&self.key(name)))
    }

    /// The full key of a setting.
    #[must_use]
    pub fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The layer that set a value.
    #[must_use]
    pub fn set_by(&self, name: &str) -> &'a str {
        let key = self.key(name);
        self.origins.iter().find(|origin| origin.key == key).map_or("", |origin| &origin.set_by)
    }
}

/// The JSON pointer of a key.
pub(crate) fn pointer(key: &str) -> String {
    format!("/{}", key.replace('.', "/"))
}
