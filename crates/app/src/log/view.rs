//! What the management listener answers, as far as the command reads it.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::client::Client;
use super::until;
use crate::failed::Failed;

/// `GET /log`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct State {
    pub version: u64,
    pub fleet_version: Option<u64>,
    pub configured: Map<String, Value>,
    pub effective: Map<String, Value>,
    pub overrides: Vec<Override>,
}

/// One override.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Override {
    pub id: String,
    pub set: Map<String, Value>,
    pub blueprint: Option<String>,
    pub module: Option<String>,
    pub route: Option<String>,
    pub until: jiff::Timestamp,
    pub reason: String,
    pub by: String,
    #[serde(default)]
    pub fleet: bool,
    /// The fleet's version with it; in the answer to a change alone.
    pub fleet_version: Option<u64>,
}

impl State {
    pub(super) fn read(client: &Client) -> Result<Self, Failed> {
        client.get("/log").and_then(read)
    }

    /// The live settings whose values differ, as key, configured and now.
    pub(super) fn differences(&self) -> Vec<[String; 3]> {
        let value = |values: &Map<String, Value>, key: &str| values.get(key).map_or_else(|| "-".to_owned(), text);
        let mut keys: Vec<&String> = self.configured.keys().collect();
        keys.extend(self.effective.keys().filter(|key| !self.configured.contains_key(*key)));
        keys.into_iter()
            .filter(|key| self.configured.get(*key) != self.effective.get(*key))
            .map(|key| [key.clone(), value(&self.configured, key), value(&self.effective, key)])
            .collect()
    }
}

impl Override {
    /// `log.level debug, log.mode stderr`.
    pub(super) fn values(&self) -> String {
        let values = self.set.iter().map(|(key, value)| format!("{key} {}", text(value)));
        values.collect::<Vec<_>>().join(", ")
    }

    /// Where it applies.
    pub(super) fn scope(&self) -> String {
        let scopes = [("blueprint", &self.blueprint), ("module", &self.module), ("route", &self.route)];
        let named = scopes.into_iter().find_map(|(kind, name)| Some(format!("{kind} {}", name.as_ref()?)));
        let scope = named.unwrap_or_else(|| "everywhere".to_owned());
        if self.fleet { format!("{scope}, whole fleet") } else { scope }
    }

    /// In a sentence.
    pub(super) fn sentence(&self) -> String {
        let (id, values, scope) = (&self.id, self.values(), self.scope());
        format!("{id}: {values} ({scope}) until {}", until::shown(self.until))
    }
}

/// Reads an answer.
pub(super) fn read<T: serde::de::DeserializeOwned>(answer: Value) -> Result<T, Failed> {
    let other_version = |error| {
        Failed::Other(format!(
            "the answer of the service cannot be read ({error}); is it of another version than this?"
        ))
    };
    serde_json::from_value(answer).map_err(other_version)
}

/// A value without the quotes of a text.
pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
