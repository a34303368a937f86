//! Loading: from the layers to a typed root.

use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::changes::Snapshot;
use crate::files::{Files, Fingerprint};
use crate::inputs::Inputs;
use crate::layers::{self, Leaf};
use crate::loaded::Source;
use crate::schema::pointer;
use crate::validation::{Validated, validate};
use crate::{Deferred, Loaded, Schema, Section, SettingsError, SettingsProblem, ValueType};

/// Merges the layers of the settings `S`.
///
/// In ascending precedence: defaults, variables that a section parses, `default.toml`, `{env}.toml` (by the value of
/// the setting `env`, if it is declared), aliases, `APP__…` variables and flags.
///
/// In each layer, a setting that may contain credentials can be read from a file of at most 64 KiB: `dsn_file`, or
/// `SENTRY_DSN_FILE` for the alias `SENTRY_DSN`, is its path, relative to the working directory. Whitespace around the
/// content is trimmed. A layer cannot set both.
///
/// ```
/// use cyanotype_settings::{Loader, section};
///
/// section! {
///     /// All settings.
///     pub struct Settings {
///         /// port to listen on
///         #[setting(Integer(0, 65535), default = 8080, env = "PORT")]
///         pub port: u16,
///     }
/// }
///
/// let loader = Loader::<Settings>::new("config").variables([("PORT", "1111")]);
/// assert_eq!(loader.clone().flag("port", "2222", "--port").load()?.port, 2222);
///
/// let error = loader.variables([("APP__PORTS", "1")]).load().unwrap_err();
/// assert_eq!(error.to_string(), "ports (set by APP__PORTS): unknown setting; did you mean port?");
/// # Ok::<(), cyanotype_settings::SettingsError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Loader<S> {
    inputs: Arc<Inputs>,
    root: PhantomData<fn() -> S>,
}

impl<S: Section> Loader<S> {
    /// `directory` contains `default.toml` and a file for each value of the setting `env`. The files and the directory
    /// are optional.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        let inputs = Inputs { directory: directory.into(), environment: Vec::new(), flags: Vec::new() };
        Self { inputs: Arc::new(inputs), root: PhantomData }
    }

    /// Sets the environment variables: declared ones and `APP__…` are read, near misses are reported as warnings.
    #[must_use]
    pub fn variables<K: Into<String>, V: Into<String>>(mut self, all: impl IntoIterator<Item = (K, V)>) -> Self {
        Arc::make_mut(&mut self.inputs)
            .environment
            .extend(all.into_iter().map(|(key, value)| (key.into(), value.into())));
        self
    }

    /// Uses the environment variables of this process.
    #[must_use]
    pub fn process_environment(self) -> Self {
        // Invalid UTF-8 is replaced here, and rejected when it is a setting's value.
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        self.variables(std::env::vars_os().map(|(key, value)| (text(key), text(value))))
    }

    /// Sets a setting from the command line; `flag` is the name of the option.
    #[must_use]
    pub fn flag(mut self, key: &str, text: &str, flag: &str) -> Self {
        Arc::make_mut(&mut self.inputs).flags.push(Leaf::new(key, text, flag));
        self
    }

    /// Merges and validates the layers.
    ///
    /// # Errors
    /// An unreadable or invalid file, an unknown key, or an invalid value.
    pub fn load(&self) -> Result<Loaded<S>, SettingsError> {
        load(&self.inputs, &mut Files::default())
    }

    /// The fingerprint of the files that [`load`](Self::load) would read now: `default.toml`, `{env}.toml`, and the
    /// effective files with values of secrets.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint::<S>(&self.inputs)
    }
}

impl<S: Section> Loaded<S> {
    /// Reads all files again, including those with values of secrets, with the same environment and flags.
    ///
    /// # Errors
    /// Those of [`Loader::load`](crate::Loader::load). These settings are not changed.
    ///
    /// ```
    /// use cyanotype_settings::{Loader, section};
    ///
    /// section! {
    ///     /// All settings.
    ///     pub struct Settings {
    ///         /// port to listen on
    ///         #[setting(Integer(0, 65535), default = 8080)]
    ///         pub port: u16,
    ///     }
    /// }
    ///
    /// let settings = Loader::<Settings>::new("config").load()?;
    /// if settings.current_fingerprint() != settings.fingerprint() {
    ///     for change in settings.changes_to(&settings.reload()?).changed {
    ///         println!("{} was {:?}", change.key, change.before);
    ///     }
    /// }
    /// # Ok::<(), cyanotype_settings::SettingsError>(())
    /// ```
    pub fn reload(&self) -> Result<Self, SettingsError> {
        load(&self.source.inputs, &mut Files::default())
    }

    /// The fingerprint of the current files. It differs from [`fingerprint`](Self::fingerprint) if a reload would read
    /// other content.
    #[must_use]
    pub fn current_fingerprint(&self) -> Fingerprint {
        fingerprint::<S>(&self.source.inputs)
    }
}

fn fingerprint<S: Section>(inputs: &Arc<Inputs>) -> Fingerprint {
    let mut files = Files::default();
    // A failing load always fails after the same files, so their fingerprint is sufficient.
    let _: Result<Loaded<S>, _> = load(inputs, &mut files);
    files.fingerprint()
}

fn load<S: Section>(inputs: &Arc<Inputs>, files: &mut Files) -> Result<Loaded<S>, SettingsError> {
    let schema = Schema::of::<S>();
    let (custom_variables, mut warnings) = layers::custom_variables(&schema, &inputs.environment);
    warnings.extend(schema.near_misses(&inputs.environment));
    let mut file = |name: &str| layers::file(&schema, &inputs.directory, name, files);
    let below_files = [layers::defaults(&schema), custom_variables];
    let default_file = file("default.toml")?;
    let flags = inputs.flags.iter().map(|flag| Leaf { key: schema.normalized(&flag.key), ..flag.clone() });
    let above_files = [
        layers::env_aliases(&schema, &inputs.environment),
        layers::app_variables(&schema, &inputs.environment)?,
        flags.collect(),
    ];
    // The name of the environment's file is itself a setting. Unknown names are rejected by the validation below.
    let without_env_file = below_files.iter().chain([&default_file]).chain(&above_files).cloned();
    let (effective, _) = layers::merge(&schema, without_env_file);
    let env = effective.iter().find(|(leaf, _)| leaf.key == "env");
    let env_file = match env.map(|(leaf, target)| (leaf.text().map(str::trim), target.setting.value_type)) {
        Some((Some(env), ValueType::OneOf(words))) if words.contains(&env) => file(&format!("{env}.toml"))?,
        _ => Vec::new(),
    };
    let from_files = [default_file, env_file];
    let all = below_files.iter().chain(&from_files).chain(&above_files).cloned();
    let (deferred, layers): (Vec<Vec<Leaf>>, Vec<Vec<Leaf>>) =
        all.map(|layer| layer.into_iter().partition(|leaf: &Leaf| schema.is_deferred(&leaf.key))).unzip();

    let Validated { tree, values, origins, problems } = validate(&schema, layers, files);
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let sections = read(&tree, "").map_err(|(path, reason)| SettingsProblem::Unreadable { path, reason })?;
    let snapshot = Snapshot::of(&schema, values, &deferred, [&from_files, &above_files], files);
    let fingerprint = files.fingerprint();
    let source = Source { inputs: Arc::clone(inputs), snapshot: Arc::new(snapshot), fingerprint };
    Ok(Loaded { sections, origins, warnings, deferred: Deferred(deferred), source })
}

/// Deserializes a section from the tree, or returns the path in the section and the reason for the failure.
pub(crate) fn read<T: DeserializeOwned>(tree: &Value, key: &str) -> Result<T, (String, String)> {
    let section = if key.is_empty() { tree } else { tree.pointer(&pointer(key)).unwrap_or(&Value::Null) };
    serde_path_to_error::deserialize(section).map_err(|error| (error.path().to_string(), error.inner().to_string()))
}
