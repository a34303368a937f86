//! Changes of the effective policy, as recorded for the audit log.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The type of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// An override was set, or replaced.
    Set,
    /// An existing override was set again unchanged, with a new expiry.
    Extended,
    /// An override expired.
    Expired,
    /// An override was removed.
    Cleared,
    /// A change was refused.
    Refused,
    /// The settings were reloaded.
    Reloaded,
    /// A feature flag changed.
    Flag,
}

impl Action {
    /// The name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Extended => "extended",
            Self::Expired => "expired",
            Self::Cleared => "cleared",
            Self::Refused => "refused",
            Self::Reloaded => "reloaded",
            Self::Flag => "flag",
        }
    }
}

/// Where a change came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The management API.
    Http,
    /// The `app log` command.
    Command,
    /// Another process of the service.
    Fleet,
    /// SIGHUP.
    Signal,
    /// A configuration file that changed.
    File,
    /// A feature flag.
    Flag,
}

/// A change of the effective policy.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyChange {
    /// The type of the change.
    pub action: Action,
    /// The id of the override, if the change is of one.
    pub id: Option<String>,
    /// The effective values before the change, by key, in the scope of the override.
    pub before: Map<String, Value>,
    /// The effective values after the change.
    pub after: Map<String, Value>,
    /// When the override expires.
    pub until: Option<Timestamp>,
    /// Who made the change.
    pub by: String,
    /// Where the change came from.
    pub source: Source,
    /// Why the change was made or refused.
    pub reason: String,
    /// Additional keys of the record's `change` object.
    pub more: Map<String, Value>,
    /// Whether the mode was `off` before the change, everywhere that the change applies.
    pub off_before: bool,
    /// Whether the mode is `off` after the change, everywhere that the change applies.
    pub off_after: bool,
}

impl PolicyChange {
    /// Creates a refused change, which has no effect.
    #[must_use]
    pub fn refused(by: impl Into<String>, source: Source, reason: impl Into<String>, is_off: bool) -> Self {
        Self { off_before: is_off, off_after: is_off, ..Self::new(Action::Refused, by, source, reason) }
    }

    /// Creates a change without values.
    #[must_use]
    pub fn new(action: Action, by: impl Into<String>, source: Source, reason: impl Into<String>) -> Self {
        Self {
            action,
            id: None,
            before: Map::new(),
            after: Map::new(),
            until: None,
            by: by.into(),
            source,
            reason: reason.into(),
            more: Map::new(),
            off_before: false,
            off_after: false,
        }
    }

    /// The message of the audit record.
    #[must_use]
    pub fn message(&self) -> String {
        let id = self.id.as_deref().unwrap_or_default();
        let after = list(&self.after);
        let until = self.until.map(|until| format!(" until {until:.0}")).unwrap_or_default();
        match self.action {
            Action::Set => format!("log override {id} set: {after}{until}"),
            Action::Extended => format!("log override {id} extended{until}"),
            Action::Expired => format!("log override {id} expired: {after}"),
            Action::Cleared => format!("log override {id} cleared: {after}"),
            Action::Refused => format!("log change refused: {}", self.reason),
            Action::Reloaded if self.after.is_empty() => "settings reloaded: no live setting changed".to_owned(),
            Action::Reloaded => format!("settings reloaded: {after}"),
            Action::Flag => format!("log flags changed: {after}"),
        }
    }

    /// The `change` object of the audit record.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let mut map = Map::new();
        map.insert("action".to_owned(), self.action.as_str().into());
        if let Some(id) = &self.id {
            map.insert("id".to_owned(), id.as_str().into());
        }
        map.insert("before".to_owned(), self.before.clone().into());
        map.insert("after".to_owned(), self.after.clone().into());
        if let Some(until) = self.until {
            map.insert("until".to_owned(), until.to_string().into());
        }
        map.insert("by".to_owned(), self.by.as_str().into());
        map.insert("source".to_owned(), json!(self.source));
        map.insert("reason".to_owned(), self.reason.as_str().into());
        map.extend(self.more.clone());
        map
    }
}

fn list(values: &Map<String, Value>) -> String {
    let shown = values
        .iter()
        .map(|(key, value)| format!("{key} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    shown.collect::<Vec<_>>().join(", ")
}
