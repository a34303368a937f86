//! A change of the effective policy, for the audit.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What happened to the effective policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// An override was set, or replaced.
    Set,
    /// An override that was there was set again, and lasts longer.
    Extended,
    /// An override expired.
    Expired,
    /// An override was removed.
    Cleared,
    /// A change was refused.
    Refused,
    /// The settings were read again.
    Reloaded,
    /// A feature flag changed.
    Flag,
}

impl Action {
    /// Its name in records.
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

/// How a change came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The management API.
    Http,
    /// The command `app log`.
    Command,
    /// Another process of the service.
    Fleet,
    /// A signal.
    Signal,
    /// A file that changed.
    File,
    /// A feature flag.
    Flag,
}

/// A change of the effective policy.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyChange {
    /// What happened.
    pub action: Action,
    /// The override's id.
    pub id: Option<String>,
    /// The values in effect before, by key; where the override applies.
    pub before: Map<String, Value>,
    /// The values in effect after it.
    pub after: Map<String, Value>,
    /// When the override expires.
    pub until: Option<Timestamp>,
    /// Who made it.
    pub by: String,
    /// How it came.
    pub source: Source,
    /// Why it was made, or refused.
    pub reason: String,
    /// More keys of the record's `change`.
    pub more: Map<String, Value>,
    /// Whether the mode was `off` before, wherever the change applies.
    pub off_before: bool,
    /// Whether it is `off` after it.
    pub off_after: bool,
}

impl PolicyChange {
    /// A change that was refused: nothing differs after it.
    #[must_use]
    pub fn refused(by: impl Into<String>, source: Source, reason: impl Into<String>, is_off: bool) -> Self {
        Self { off_before: is_off, off_after: is_off, ..Self::new(Action::Refused, by, source, reason) }
    }

    /// A change without values.
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

    /// Its record's message.
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

    /// The record's `change`.
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
