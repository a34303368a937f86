//! The layers that settings come from, later ones winning; each value remembers which layer set it.

use std::path::{Path, PathBuf};

use config::{Config, ConfigError, FileFormat, Format, Map, Source, Value, ValueKind};

use super::spec::{SETTINGS, Setting, Takes};

/// What the environment variables of one prefix, or the command line, set: dotted keys, texts and where each stood.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts(Vec<(String, String, String)>);

impl Texts {
    pub fn push(&mut self, key: impl AsRef<str>, text: impl Into<String>, origin: impl Into<String>) {
        self.0.push((with_plain_section(key.as_ref()), text.into(), origin.into()));
    }
}

/// A variable's name has no hyphens, so a blueprint's section is known with underscores wherever it stands.
fn with_plain_section(key: &str) -> String {
    match key.strip_prefix("blueprints.").and_then(|rest| rest.split_once('.')) {
        Some((name, rest)) => format!("blueprints.{}.{rest}", section(name)),
        None => key.to_owned(),
    }
}

/// The name of a blueprint's section.
pub(super) fn section(blueprint: &str) -> String {
    blueprint.replace('-', "_")
}

impl Source for Texts {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        // An empty value is no value: the layer below keeps its say.
        let said = self.0.iter().filter(|(_, text, _)| !text.trim().is_empty());
        Ok(said.map(|(key, text, origin)| (key.clone(), Value::new(Some(origin), text.clone()))).collect())
    }
}

pub(super) fn defaults() -> Texts {
    let mut texts = Texts::default();
    for setting in SETTINGS {
        if let Some(default) = setting.default {
            texts.push(setting.key, default, "default");
        }
    }
    texts
}

/// `SENTRY_DSN` and the others that go by a name of their own.
pub(super) fn usual_names(environment: &[(String, String)]) -> Texts {
    let mut texts = Texts::default();
    for setting in SETTINGS {
        let Some(name) = setting.usual_name else { continue };
        if let Some((_, text)) = environment.iter().find(|(key, _)| key == name) {
            texts.push(setting.key, text, name);
        }
    }
    texts
}

/// `APP__LOG__MODE` and its like.
pub(super) fn app_variables(environment: &[(String, String)]) -> Texts {
    let mut texts = Texts::default();
    for (name, text) in environment {
        if let Some(path) = name.strip_prefix("APP__") {
            texts.push(path.replace("__", ".").to_lowercase(), text, name);
        }
    }
    texts
}

/// A file of the `config` directory. A missing one sets nothing; one that is there and cannot be read is an error.
pub(super) fn file(directory: &Path, name: &str) -> TomlFile {
    TomlFile(directory.join(name))
}

#[derive(Debug, Clone)]
pub(super) struct TomlFile(PathBuf);

impl Source for TomlFile {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        if !self.0.try_exists().unwrap_or(true) {
            return Ok(Map::new());
        }
        let text = std::fs::read_to_string(&self.0)
            .map_err(|error| ConfigError::Message(format!("{} cannot be read: {error}", self.0.display())))?;
        let name = self.0.to_string_lossy();
        FileFormat::Toml
            .parse(Some(&name.into_owned()), &text)
            .map(|map| with_plain_sections(without_empty(map).collect()))
            .map_err(|error| ConfigError::Message(format!("{}: {error}", self.0.display())))
    }
}

fn with_plain_sections(mut map: Map<String, Value>) -> Map<String, Value> {
    if let Some(ValueKind::Table(blueprints)) = map.get_mut("blueprints").map(|value| &mut value.kind) {
        *blueprints = std::mem::take(blueprints).into_iter().map(|(name, value)| (section(&name), value)).collect();
    }
    map
}

/// An empty value is no value, in a file too.
fn without_empty(map: Map<String, Value>) -> impl Iterator<Item = (String, Value)> {
    map.into_iter().filter_map(|(key, mut value)| {
        value.kind = match value.kind {
            ValueKind::Table(table) => ValueKind::Table(without_empty(table).collect()),
            ValueKind::String(text) if text.trim().is_empty() => return None,
            other => other,
        };
        Some((key, value))
    })
}

/// One value, with the layer that set it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Leaf {
    pub key: String,
    pub value: ValueKind,
    pub origin: String,
}

impl Leaf {
    /// What a setting is when nobody says.
    pub fn text(key: &str, default: &str) -> Self {
        Self { key: key.to_owned(), value: ValueKind::String(default.to_owned()), origin: "default".to_owned() }
    }
}

/// The merged layers as a flat list of dotted keys.
pub(super) fn leaves(config: &Config) -> Result<Vec<Leaf>, ConfigError> {
    let mut found = Vec::new();
    for (key, value) in config.collect()? {
        descend(key, value, &mut found);
    }
    found.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(found)
}

fn descend(key: String, value: Value, found: &mut Vec<Leaf>) {
    let origin = value.origin().unwrap_or("unknown").to_owned();
    match value.kind {
        ValueKind::Table(table) => {
            for (name, value) in table {
                descend(format!("{key}.{name}"), value, found);
            }
        }
        ValueKind::Nil => {}
        value => found.push(Leaf { key, value, origin }),
    }
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
        number @ (ValueKind::I64(_) | ValueKind::U64(_) | ValueKind::Float(_))
            if matches!(setting.takes, Takes::Whole(..) | Takes::Number(..)) =>
        {
            number.to_string()
        }
        ValueKind::Boolean(on) if setting.takes == Takes::Switch => on.to_string(),
        // TOML's 1.10 is the number 1.1: only quotes keep a text what it is.
        other if matches!(setting.takes, Takes::Text | Takes::Secret | Takes::Url) => {
            return Err(format!("`{other}` is not a text; write it in quotes"));
        }
        other => return Err(wrong(&other.to_string())),
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

fn as_text(value: &ValueKind) -> Option<&str> {
    if let ValueKind::String(text) = value { Some(text) } else { None }
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> serde_json::Value {
    items.map(str::trim).filter(|item| !item.is_empty()).map(serde_json::Value::from).collect()
}
