//! The layers that settings come from; each value remembers which layer set it.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use config::{Config, ConfigError, FileFormat, Format, Map, Source, Value, ValueKind};

use super::spec::{SETTINGS, Setting, Takes};

/// One value of one layer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Leaf {
    /// Dotted.
    pub key: String,
    pub value: ValueKind,
    /// `default`, a file, an environment variable or a flag.
    pub origin: String,
}

impl Leaf {
    pub fn new(key: &str, value: impl Into<ValueKind>, origin: &str) -> Self {
        Self { key: normalized(key), value: value.into(), origin: origin.to_owned() }
    }

    pub fn text(&self) -> Option<&str> {
        as_text(&self.value)
    }

    /// An empty value sets nothing.
    fn is_empty(&self) -> bool {
        self.text().is_some_and(|text| text.trim().is_empty())
    }
}

/// So that a list of them, a layer, is one too.
impl Source for Leaf {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        if self.is_empty() {
            return Ok(Map::new());
        }
        let value = Value::new(Some(&self.origin), self.value.clone());
        // Tables and not a path, in which brackets would have a meaning.
        self.key.rsplit('.').fold(value, |value, name| Map::from([(name.to_owned(), value)]).into()).into_table()
    }
}

/// A variable's name and a module's path have no hyphens, so a blueprint's section and a crate's level have underscores in
/// every layer.
fn normalized(key: &str) -> String {
    if let Some(module) = key.strip_prefix("log.levels.") {
        return format!("log.levels.{}", section(module));
    }
    match key.strip_prefix("blueprints.").and_then(|rest| rest.split_once('.')) {
        Some((name, rest)) => format!("blueprints.{}.{rest}", section(name)),
        None => key.to_owned(),
    }
}

/// The name of a blueprint's section.
pub(super) fn section(blueprint: &str) -> String {
    blueprint.replace('-', "_")
}

pub(super) fn defaults(settings: &[Setting]) -> Vec<Leaf> {
    settings.iter().filter_map(|setting| Some(Leaf::new(setting.key, setting.default?, "default"))).collect()
}

/// `SENTRY_DSN` and the others that go by a name of their own.
pub(super) fn usual_names(environment: &[(String, String)]) -> Vec<Leaf> {
    let set = SETTINGS.iter().filter_map(|setting| {
        let name = setting.usual_name?;
        let (_, text) = environment.iter().find(|(key, _)| key == name)?;
        Some(Leaf::new(setting.key, text.as_str(), name))
    });
    set.collect()
}

/// The variable of a setting's key.
pub(super) fn variable(key: &str) -> String {
    format!("APP__{}", key.to_uppercase().replace('.', "__"))
}

/// `APP__LOG__MODE` and its like.
///
/// # Errors
/// Two variables that differ in case alone, of which none can win.
pub(super) fn app_variables(environment: &[(String, String)]) -> Result<Vec<Leaf>, String> {
    let mut found: BTreeMap<String, Leaf> = BTreeMap::new();
    for (name, text) in environment {
        let Some(path) = name.strip_prefix("APP__") else { continue };
        let leaf = Leaf::new(&path.replace("__", ".").to_lowercase(), text.as_str(), name);
        if let Some(other) = found.insert(leaf.key.clone(), leaf) {
            let mut names = [other.origin.as_str(), name];
            names.sort_unstable();
            let [one, two] = names;
            return Err(format!("{} is set by {one} and by {two}: one of them must go", other.key));
        }
    }
    Ok(found.into_values().collect())
}

/// A file of the `config` directory. A missing one sets nothing.
///
/// # Errors
/// One that is there and cannot be read, or is no TOML.
pub(super) fn file(directory: &Path, name: &str) -> Result<Vec<Leaf>, String> {
    let path = directory.join(name);
    if !path.try_exists().unwrap_or(true) {
        return Ok(Vec::new());
    }
    let origin = path.display().to_string();
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{origin} cannot be read: {error}"))?;
    parsed(&text, &origin)
}

fn parsed(text: &str, origin: &str) -> Result<Vec<Leaf>, String> {
    let table = FileFormat::Toml
        .parse(Some(&origin.to_owned()), text)
        .map_err(|error| format!("{origin}{}", without_excerpt(&*error)))?;
    Ok(leaves(table).into_iter().map(|leaf| Leaf { key: normalized(&leaf.key), ..leaf }).collect())
}

/// The place and the message of an error, without the line that it repeats between them, which may hold a secret.
fn without_excerpt(error: &dyn Error) -> String {
    let text = error.to_string();
    match text.lines().collect::<Vec<_>>()[..] {
        [place, _, _, _, message] => format!(", {}: {message}", place.trim_start_matches("TOML parse error at ")),
        [message] => format!(": {message}"),
        _ => " is no TOML".to_owned(),
    }
}

/// A tree's values, by key.
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

/// The values in force of layers of which later ones win, each with its setting; and the values that are no setting's. Those
/// are looked for in each layer, because an empty value or a key above them would hide them once the layers are merged.
pub(super) fn merged<'a>(
    layers: impl IntoIterator<Item = Vec<Leaf>>,
    find: impl Fn(&str) -> Option<&'a Setting>,
) -> (Vec<(Leaf, &'a Setting)>, Vec<Leaf>) {
    let mut builder = Config::builder();
    let mut unknown = Vec::new();
    for layer in layers {
        let (known, others): (Vec<Leaf>, Vec<Leaf>) = layer.into_iter().partition(|leaf| find(&leaf.key).is_some());
        builder = builder.add_source(known);
        unknown.extend(others);
    }
    let tree = builder.build().and_then(|config| config.collect()).expect("what is in memory can be collected");
    let in_force = leaves(tree).into_iter().filter_map(|leaf| find(&leaf.key).map(|setting| (leaf, setting)));
    (in_force.collect(), unknown)
}

/// What is said of a key that is no setting's.
pub(super) fn unknown(nearest: Option<String>) -> String {
    let hint = nearest.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    format!("there is no such setting{hint}")
}

/// The value as its setting takes it, or what is wrong with it.
pub(super) fn checked(leaf: &Leaf, setting: &Setting) -> Result<serde_json::Value, String> {
    let wrong = |shown: &str| match setting.takes {
        // What was meant to be secret may be half of one: it is not repeated.
        Takes::Secret | Takes::Url => format!("this value is not allowed; allowed is {}", setting.takes.allowed()),
        takes => format!("`{shown}` is not allowed; allowed is {}", takes.allowed()),
    };
    let text = match &leaf.value {
        ValueKind::String(text) if text.contains(char::REPLACEMENT_CHARACTER) => {
            return Err("this value is not UTF-8".into());
        }
        ValueKind::String(text) => text.trim().to_owned(),
        ValueKind::Array(items) if setting.takes == Takes::List => {
            let texts: Option<Vec<&str>> = items.iter().map(|item| as_text(&item.kind)).collect();
            return texts.map(|texts| list(texts.into_iter())).ok_or_else(|| wrong("a list of other things"));
        }
        number @ (ValueKind::I64(_) | ValueKind::Float(_))
            if matches!(setting.takes, Takes::Whole(..) | Takes::Number(..)) =>
        {
            written(number)
        }
        ValueKind::Boolean(on) if setting.takes == Takes::Switch => on.to_string(),
        // TOML's 1.10 is the number 1.1: only quotes keep a text what it is.
        other if matches!(setting.takes, Takes::Text | Takes::Secret | Takes::Url) => {
            return Err(format!("`{}` is not a text; write it in quotes", written(other)));
        }
        other => return Err(wrong(&written(other))),
    };
    match setting.takes {
        Takes::OneOf(words) if !words.contains(&text.as_str()) => Err(wrong(&text)),
        Takes::OneOf(_) | Takes::Text | Takes::Secret | Takes::Url => Ok(text.into()),
        Takes::Whole(low, high) => match text.parse::<u64>() {
            Ok(number) if (low..=high).contains(&number) => Ok(number.into()),
            _ => Err(wrong(&text)),
        },
        Takes::Number(low, high) => match text.parse::<f64>() {
            Ok(number) if (low..=high).contains(&number) => Ok(number.into()),
            _ => Err(wrong(&text)),
        },
        Takes::Switch => text.parse::<bool>().map(Into::into).map_err(|_| wrong(&text)),
        Takes::List => Ok(list(text.split(','))),
    }
}

/// As a file has it: 1.0 is no whole number.
fn written(value: &ValueKind) -> String {
    match value {
        ValueKind::Float(number) => format!("{number:?}"),
        ValueKind::Array(_) => "a list".to_owned(),
        other => other.to_string(),
    }
}

fn as_text(value: &ValueKind) -> Option<&str> {
    if let ValueKind::String(text) = value { Some(text) } else { None }
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> serde_json::Value {
    items.map(str::trim).filter(|item| !item.is_empty()).map(serde_json::Value::from).collect()
}

#[cfg(test)]
mod tests {
    use super::super::spec;
    use super::*;

    #[test]
    fn a_file_that_is_no_toml_is_named_with_the_line_but_not_its_text() {
        for (text, expected) in [
            ("[log]\nmode = hunter2", "f, line 2, column 8: string values must be quoted, expected literal string"),
            ("[log]\nlevel = \"info\"\nlevel = \"hunter2\"", "f, line 3, column 1: duplicate key"),
            ("# hunter2\n[log", "f, line 2, column 5: unclosed table, expected `]`"),
            ("port = 99999999999999999999", "f: number too large to fit in target type"),
        ] {
            assert_eq!(parsed(text, "f").expect_err("is refused"), expected);
        }
    }

    #[test]
    fn the_values_of_files_keep_their_types() {
        let text = "[server]\nport = 80.0\nworkers = 1_0\n[sentry]\ndsn = [\"hunter2\"]";
        let (in_force, unknown) = merged([parsed(text, "f").expect("it is TOML")], spec::find);
        let checked: Vec<_> = in_force.iter().map(|(leaf, setting)| checked(leaf, setting)).collect();
        let wrong = |problem: &str| Err(problem.to_owned());
        assert_eq!(unknown, []);
        assert_eq!(
            checked,
            [
                wrong("`a list` is not a text; write it in quotes"),
                wrong("`80.0` is not allowed; allowed is a whole number from 0 to 65535"),
                Ok(10.into()),
            ]
        );
    }

    #[test]
    fn a_key_that_is_no_setting_is_found_in_every_layer() {
        let layer =
            |set: &[(&str, &str)]| -> Vec<Leaf> { set.iter().map(|(key, text)| Leaf::new(key, *text, key)).collect() };
        let below = layer(&[("log.mode", "off"), ("log.mode.x", ""), ("log", "x"), ("log.levels.a[9]::b", "debug")]);
        let above = layer(&[("log", ""), ("log.mode", " "), ("log.mode.x", "x"), ("log.levels.a[9]::b", "info")]);
        let (in_force, unknown) = merged([below, above], spec::find);
        let in_force: Vec<_> = in_force.iter().map(|(leaf, _)| (&*leaf.key, leaf.text())).collect();
        assert_eq!(in_force, [("log.levels.a[9]::b", Some("info")), ("log.mode", Some("off"))]);
        let unknown: Vec<_> = unknown.iter().map(|leaf| &*leaf.key).collect();
        assert_eq!(unknown, ["log.mode.x", "log", "log", "log.mode.x"]);
    }
}
