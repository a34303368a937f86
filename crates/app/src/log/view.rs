//! Responses of the management listener, limited to the fields that the command reads.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::expiry;
use crate::client::Client;
use crate::error::CommandError;

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
    /// The fleet version that contains the override; only in the response to a change.
    pub fleet_version: Option<u64>,
}

impl State {
    pub(super) fn read(client: &Client) -> Result<Self, CommandError> {
        client.get("/log").and_then(read)
    }

    /// The live settings whose effective value differs, as key, configured value and effective value.
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

    /// The scope, as text.
    pub(super) fn scope(&self) -> String {
        let scopes = [("blueprint", &self.blueprint), ("module", &self.module), ("route", &self.route)];
        let named = scopes.into_iter().find_map(|(kind, name)| Some(format!("{kind} {}", name.as_ref()?)));
        let scope = named.unwrap_or_else(|| "everywhere".to_owned());
        if self.fleet { format!("{scope}, whole fleet") } else { scope }
    }

    /// Formats the override on one line.
    pub(super) fn summary(&self) -> String {
        let (id, values, scope) = (&self.id, self.values(), self.scope());
        format!("{id}: {values} ({scope}) until {}", expiry::format(self.until))
    }
}

/// Parses a response.
pub(super) fn read<T: serde::de::DeserializeOwned>(response: Value) -> Result<T, CommandError> {
    let invalid = |error| {
        CommandError::Other(format!(
            "cannot parse the response of the service ({error}); check that the service has the same version as this command"
        ))
    };
    serde_json::from_value(response).map_err(invalid)
}

/// A value as text; strings without quotes.
pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
