//! The layers of settings. Each value records the layer that set it.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::ErrorKind;
use std::path::Path;

use config::{Config, ConfigError, FileFormat, Format, Map, Source, Value, ValueKind};

use crate::files::Files;
use crate::schema::Target;
use crate::{Schema, SettingsProblem};

/// One value of one layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Leaf {
    /// The dotted key.
    pub key: String,
    pub value: ValueKind,
    /// `default`, a file, an environment variable or a flag.
    pub origin: String,
}

impl Leaf {
    pub(crate) fn new(key: impl Into<String>, value: impl Into<ValueKind>, origin: &str) -> Self {
        Self { key: key.into(), value: value.into(), origin: origin.to_owned() }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        if let ValueKind::String(text) = &self.value { Some(text) } else { None }
    }

    /// An empty value counts as unset.
    pub(crate) fn is_empty(&self) -> bool {
        self.text().is_some_and(|text| text.trim().is_empty())
    }
}

/// Makes a list of leaves, a layer, a `Source` too.
impl Source for Leaf {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        if self.is_empty() {
            return Ok(Map::new());
        }
        let value = Value::new(Some(&self.origin), self.value.clone());
        // Nested tables instead of a path expression, in which brackets have a meaning.
        self.key.rsplit('.').fold(value, |value, name| Map::from([(name.to_owned(), value)]).into()).into_table()
    }
}

pub(crate) fn defaults(schema: &Schema) -> Vec<Leaf> {
    schema.settings.iter().filter_map(|setting| Some(Leaf::new(&setting.key, setting.default?, "default"))).collect()
}

/// The settings from variables that sections parse, and the warnings about them.
pub(crate) fn custom_variables(schema: &Schema, environment: &[(String, String)]) -> (Vec<Leaf>, Vec<String>) {
    let (mut leaves, mut warnings) = (Vec::new(), Vec::new());
    for variable in &schema.variables {
        let Some((_, text)) = environment.iter().find(|(name, _)| name == variable.name) else { continue };
        let read = (variable.read)(text);
        let set = read.values.into_iter().map(|(key, value)| Leaf::new(schema.normalized(&key), value, variable.name));
        leaves.extend(set);
        warnings.extend(read.warnings);
    }
    (leaves, warnings)
}

/// Settings from aliases such as `SENTRY_DSN`, and from their files, such as `SENTRY_DSN_FILE`.
pub(crate) fn env_aliases(schema: &Schema, environment: &[(String, String)]) -> Vec<Leaf> {
    let aliases = schema.settings.iter().flat_map(|setting| {
        let file = setting.file_key().zip(setting.file_alias());
        setting.env_alias.map(|alias| (setting.key.clone(), alias.to_owned())).into_iter().chain(file)
    });
    let set = aliases.filter_map(|(key, alias)| {
        let (_, text) = environment.iter().find(|(name, _)| *name == alias)?;
        Some(Leaf::new(key, text.as_str(), &alias))
    });
    set.collect()
}

/// Settings from variables such as `APP__LOG__MODE`. Two variables that differ only in case are ambiguous.
pub(crate) fn app_variables(schema: &Schema, environment: &[(String, String)]) -> Result<Vec<Leaf>, SettingsProblem> {
    let mut found: BTreeMap<String, Leaf> = BTreeMap::new();
    for (name, text) in environment {
        let Some(path) = name.strip_prefix("APP__") else { continue };
        let key = schema.normalized(&path.replace("__", ".").to_lowercase());
        if let Some(other) = found.insert(key.clone(), Leaf::new(key, text.as_str(), name)) {
            let mut variables = [other.origin, name.clone()];
            variables.sort_unstable();
            return Err(SettingsProblem::Ambiguous { key: other.key, variables });
        }
    }
    Ok(found.into_values().collect())
}

/// A file of the configuration directory. A missing one sets nothing.
pub(crate) fn file(
    schema: &Schema,
    directory: &Path,
    name: &str,
    files: &mut Files,
) -> Result<Vec<Leaf>, SettingsProblem> {
    let file = directory.join(name);
    let path = file.display().to_string();
    match files.read(&file) {
        Ok(text) => parse(schema, &text, &path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(SettingsProblem::UnreadableFile { path, reason: error.to_string() }),
    }
}

fn parse(schema: &Schema, text: &str, path: &str) -> Result<Vec<Leaf>, SettingsProblem> {
    let table = FileFormat::Toml.parse(Some(&path.to_owned()), text).map_err(|error| SettingsProblem::InvalidFile {
        path: path.to_owned(),
        detail: without_source_line(&*error),
    })?;
    Ok(leaves(table).into_iter().map(|leaf| Leaf { key: schema.normalized(&leaf.key), ..leaf }).collect())
}

/// The position and the message of an error, without the quoted source line, which may contain a secret.
fn without_source_line(error: &dyn Error) -> String {
    let text = error.to_string();
    match text.lines().collect::<Vec<_>>()[..] {
        [position, _, _, _, message] => format!(", {}: {message}", position.trim_start_matches("TOML parse error at ")),
        [message] => format!(": {message}"),
        _ => ": not valid TOML".to_owned(),
    }
}

/// The values of a tree, sorted by key.
fn leaves(tree: Map<String, Value>) -> Vec<Leaf> {
    let mut found = Vec::new();
    descend("", tree, &mut found);
    found.sort_by(|a, b| a.key.cmp(&b.key));
    found
}

fn descend(prefix: &str, table: Map<String, Value>, found: &mut Vec<Leaf>) {
    for (name, value) in table {
        let key = format!("{prefix}{name}");
        let origin = value.origin().unwrap_or_default().to_owned();
        match value.kind {
            ValueKind::Table(table) => descend(&format!("{key}."), table, found),
            value => found.push(Leaf { key, value, origin }),
        }
    }
}

/// The effective values of layers in ascending precedence, each with its target, and the values with unknown keys.
/// Unknown keys are collected per layer, because merging may hide them behind an empty value or a key above them.
pub(crate) fn merge(
    schema: &Schema,
    layers: impl IntoIterator<Item = Vec<Leaf>>,
) -> (Vec<(Leaf, Target<'_>)>, Vec<Leaf>) {
    let mut builder = Config::builder();
    let mut unknown = Vec::new();
    for layer in layers {
        let (known, others): (Vec<Leaf>, Vec<Leaf>) =
            layer.into_iter().partition(|leaf| schema.find(&leaf.key).is_some());
        builder = builder.add_source(known);
        unknown.extend(others);
    }
    let tree = builder.build().and_then(|config| config.collect()).expect("values in memory can be collected");
    let effective = leaves(tree).into_iter().filter_map(|leaf| schema.find(&leaf.key).map(|target| (leaf, target)));
    (effective.collect(), unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::section;
    use crate::value::validate_value;

    #[derive(Debug, Clone, serde::Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Level {
        Debug,
        Info,
    }

    section! {
        #[expect(dead_code, reason = "only its schema is read")]
        pub(super) struct Log {
            /// output
            #[setting(OneOf(&["off", "on"]))]
            mode: Option<String>,
            /// level of one module
            #[setting(each "<module>", one_of::<Level>())]
            levels: BTreeMap<String, Level>,
        }
    }

    section! {
        #[expect(dead_code, reason = "only its schema is read")]
        struct Root {
            #[setting(section)]
            log: Log,
            /// the port
            #[setting(Integer(0, 65535), default = 1)]
            port: u16,
            /// threads
            #[setting(Integer(1, 1024))]
            workers: Option<u16>,
            /// destination of reports
            #[setting(Secret)]
            dsn: Option<String>,
        }
    }

    #[test]
    fn a_toml_error_has_the_file_and_line_but_not_the_content() {
        for (text, expected) in [
            ("[log]\nmode = hunter2", "f, line 2, column 8: string values must be quoted, expected literal string"),
            ("[log]\nlevel = \"info\"\nlevel = \"hunter2\"", "f, line 3, column 1: duplicate key"),
            ("# hunter2\n[log", "f, line 2, column 5: unclosed table, expected `]`"),
            ("port = 99999999999999999999", "f: number too large to fit in target type"),
        ] {
            let refused = parse(&Schema::of::<Root>(), text, "f").expect_err("is refused");
            assert_eq!(refused.to_string(), expected);
        }
    }

    #[test]
    fn values_from_files_retain_their_types() {
        let schema = Schema::of::<Root>();
        let text = "port = 80.0\nworkers = 1_0\ndsn = [\"hunter2\"]";
        let (effective, unknown) = merge(&schema, [parse(&schema, text, "f").expect("it is TOML")]);
        let checked: Vec<_> = effective.iter().map(|(leaf, target)| validate_value(leaf, target.setting)).collect();
        let wrong = |problem: &str| Err(problem.to_owned());
        assert_eq!(unknown, []);
        assert_eq!(
            checked,
            [
                wrong("`a list` is not a string; write it in quotes"),
                wrong("`80.0` is not allowed; expected a whole number from 0 to 65535"),
                Ok(10.into()),
            ]
        );
    }

    #[test]
    fn unknown_keys_are_found_in_every_layer() {
        let layer =
            |set: &[(&str, &str)]| -> Vec<Leaf> { set.iter().map(|(key, text)| Leaf::new(*key, *text, key)).collect() };
        let below = layer(&[("log.mode", "off"), ("log.mode.x", ""), ("log", "x"), ("log.levels.a[9]::b", "debug")]);
        let above = layer(&[("log", ""), ("log.mode", " "), ("log.mode.x", "x"), ("log.levels.a[9]::b", "info")]);
        let schema = Schema::of::<Root>();
        let (effective, unknown) = merge(&schema, [below, above]);
        let effective: Vec<_> = effective.iter().map(|(leaf, _)| (&*leaf.key, leaf.text())).collect();
        assert_eq!(effective, [("log.levels.a[9]::b", Some("info")), ("log.mode", Some("off"))]);
        let unknown: Vec<_> = unknown.iter().map(|leaf| &*leaf.key).collect();
        assert_eq!(unknown, ["log.mode.x", "log", "log", "log.mode.x"]);
    }
}
