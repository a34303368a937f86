//! Loading: from the layers to a typed root.

use std::marker::PhantomData;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::checked::{Checked, check};
use crate::layers::{self, Leaf};
use crate::schema::pointer;
use crate::{Deferred, Loaded, Problem, Schema, Section, SettingsError, ValueType};

/// Merges the layers of the settings `S`.
///
/// Later ones win: defaults, variables that a section reads in its own way, `default.toml`, `{env}.toml` by the value of the
/// setting `env` if there is such a one, variables by their aliases, `APP__…` and flags.
///
/// ```
/// use cyanotype_settings::{Loader, section};
///
/// section! {
///     /// Everything that can be set.
///     pub struct Settings {
///         /// the port to listen on
///         #[setting(Whole(0, 65535), default = 8080, env = "PORT")]
///         pub port: u16,
///     }
/// }
///
/// let loader = Loader::<Settings>::new("config").variables([("PORT", "1111")]);
/// assert_eq!(loader.clone().flag("port", "2222", "--port").load()?.port, 2222);
///
/// let error = loader.variables([("APP__PORTS", "1")]).load().unwrap_err();
/// assert_eq!(error.to_string(), "ports (set by APP__PORTS): there is no such setting; did you mean port?");
/// # Ok::<(), cyanotype_settings::SettingsError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Loader<S> {
    directory: PathBuf,
    environment: Vec<(String, String)>,
    flags: Vec<Leaf>,
    root: PhantomData<fn() -> S>,
}

impl<S: Section> Loader<S> {
    /// `directory` contains `default.toml` and a file for each value of the setting `env`; any of them, and the directory,
    /// may be missing.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), environment: Vec::new(), flags: Vec::new(), root: PhantomData }
    }

    /// The environment variables to read: the declared ones and `APP__…`. Of others, near misses are warnings.
    #[must_use]
    pub fn variables<K: Into<String>, V: Into<String>>(mut self, all: impl IntoIterator<Item = (K, V)>) -> Self {
        self.environment.extend(all.into_iter().map(|(key, value)| (key.into(), value.into())));
        self
    }

    /// The environment variables of this process.
    #[must_use]
    pub fn process_environment(self) -> Self {
        // What is no UTF-8 is read as well as can be, and refused where it is a setting's.
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        self.variables(std::env::vars_os().map(|(key, value)| (text(key), text(value))))
    }

    /// A setting from the command line; `flag` is its name there.
    #[must_use]
    pub fn flag(mut self, key: &str, text: &str, flag: &str) -> Self {
        self.flags.push(Leaf::new(key, text, flag));
        self
    }

    /// Merges and checks.
    ///
    /// # Errors
    /// A file that is no TOML, an unknown key, or a value that its setting does not take.
    pub fn load(&self) -> Result<Loaded<S>, SettingsError> {
        let schema = Schema::of::<S>();
        let (own_variables, mut warnings) = layers::own_variables(&schema, &self.environment);
        warnings.extend(schema.near_misses(&self.environment));
        let file = |name: &str| layers::file(&schema, &self.directory, name);
        let below = [layers::defaults(&schema), own_variables, file("default.toml")?];
        let flags = self.flags.iter().map(|flag| Leaf { key: schema.normalized(&flag.key), ..flag.clone() });
        let above = [
            layers::env_aliases(&schema, &self.environment),
            layers::app_variables(&schema, &self.environment)?,
            flags.collect(),
        ];
        let all = |of_env: Vec<Leaf>| below.iter().cloned().chain([of_env]).chain(above.iter().cloned());
        // Which environment's file to read is itself a setting. Any other name is refused when the values are checked.
        let (in_force, _) = layers::merged(&schema, all(Vec::new()));
        let env = in_force.iter().find(|(leaf, _)| leaf.key == "env");
        let of_env = match env.map(|(leaf, setting)| (leaf.text().map(str::trim), setting.value_type)) {
            Some((Some(env), ValueType::OneOf(words))) if words.contains(&env) => file(&format!("{env}.toml"))?,
            _ => Vec::new(),
        };
        let (deferred, layers): (Vec<Vec<Leaf>>, Vec<Vec<Leaf>>) =
            all(of_env).map(|layer| layer.into_iter().partition(|leaf: &Leaf| schema.is_deferred(&leaf.key))).unzip();

        let Checked { tree, origins, problems } = check(&schema, layers);
        if !problems.is_empty() {
            return Err(problems.into());
        }
        let sections = read(&tree, "").map_err(|(path, reason)| Problem::Unreadable { path, reason })?;
        Ok(Loaded { sections, origins, warnings, deferred: Deferred(deferred) })
    }
}

/// Reads a section's type from its place in the tree, or says where in the section it cannot be and why.
pub(crate) fn read<T: DeserializeOwned>(tree: &Value, key: &str) -> Result<T, (String, String)> {
    let section = if key.is_empty() { tree } else { tree.pointer(&pointer(key)).unwrap_or(&Value::Null) };
    serde_path_to_error::deserialize(section).map_err(|error| (error.path().to_string(), error.inner().to_string()))
}
