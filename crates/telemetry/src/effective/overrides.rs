//! Temporary overrides of live settings.

use std::time::Instant;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::change::Source;
use super::levels::is_in_module;
use super::live::LiveValues;
use super::origin::RecordOrigin;
use crate::identity::RequestIdentity;
use crate::routes::rule_matches;

/// The records that an override applies to. Ordered from the widest scope to the narrowest; a narrower scope takes precedence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum OverrideScope {
    /// All records of the process.
    Process,
    /// Records of requests to this blueprint.
    Blueprint(String),
    /// Records created by this crate or module, or its submodules.
    Module(String),
    /// Records of requests to this route: `GET /orders/{id}`, or `/orders/{id}` for all methods.
    Route(String),
}

impl OverrideScope {
    /// The precedence of the scope; the highest wins.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Process => 0,
            Self::Blueprint(_) => 1,
            Self::Module(_) => 2,
            Self::Route(_) => 3,
        }
    }

    /// Whether the scope contains a record.
    pub(super) fn applies_to(&self, origin: &RecordOrigin<'_>) -> bool {
        self.applies(origin.target, || origin.blueprint, || Some((origin.method, origin.route?)))
    }

    /// Whether the scope contains a record of this request, created by this module.
    #[inline]
    pub(super) fn applies_to_request(&self, request: Option<&RequestIdentity>, target: &str) -> bool {
        let route = || request.and_then(|request| Some((request.parts.method.as_str(), request.route()?)));
        self.applies(target, || request.and_then(RequestIdentity::blueprint), route)
    }

    /// Evaluates only the properties that the scope needs.
    #[inline]
    fn applies<'a>(
        &self,
        target: &str,
        blueprint: impl FnOnce() -> Option<&'a str>,
        route: impl FnOnce() -> Option<(&'a str, &'a str)>,
    ) -> bool {
        match self {
            Self::Process => true,
            Self::Blueprint(name) => blueprint() == Some(name),
            Self::Module(path) => is_in_module(target, path),
            Self::Route(rule) => route().is_some_and(|(method, route)| rule_matches(rule, method, route)),
        }
    }

    /// The JSON key and value of the scope; `None` for the process.
    #[must_use]
    pub fn key_value(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Process => None,
            Self::Blueprint(name) => Some(("blueprint", name)),
            Self::Module(path) => Some(("module", path)),
            Self::Route(route) => Some(("route", route)),
        }
    }

    /// The properties of an example record in this scope.
    #[must_use]
    pub fn example(&self) -> RecordOrigin<'_> {
        let origin = RecordOrigin::default();
        match self {
            Self::Process => origin,
            Self::Blueprint(name) => RecordOrigin { blueprint: Some(name), ..origin },
            Self::Module(path) => RecordOrigin { target: path, ..origin },
            Self::Route(route) => {
                let (method, path) = route.split_once(' ').unwrap_or(("", route));
                RecordOrigin { method, route: Some(path), ..origin }
            }
        }
    }
}

/// Values that replace settings until they expire.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// The id, chosen by the caller.
    pub id: String,
    /// The values that it sets.
    pub set: LiveValues,
    /// The records that it applies to.
    pub scope: OverrideScope,
    /// When it was set. Of two overrides with the same scope, the later one wins.
    pub set_at: Timestamp,
    /// When it expires, as shown to users.
    pub until: Timestamp,
    /// When it expires by the monotonic clock, so that setting the system clock back does not extend it.
    pub deadline: Instant,
    /// Why it was set.
    pub reason: String,
    /// Who set it.
    pub by: String,
    /// Where it was set from.
    pub source: Source,
    /// Whether it applies to all processes of the service.
    pub fleet: bool,
}

impl Override {
    /// The override as the management API returns it.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let mut map = Map::new();
        map.insert("id".to_owned(), self.id.as_str().into());
        map.insert("set".to_owned(), self.set.to_json().into());
        if let Some((key, name)) = self.scope.key_value() {
            map.insert(key.to_owned(), name.into());
        }
        map.insert("until".to_owned(), self.until.to_string().into());
        map.insert("reason".to_owned(), self.reason.as_str().into());
        map.insert("by".to_owned(), self.by.as_str().into());
        map.insert("source".to_owned(), json!(self.source));
        if self.fleet {
            map.insert("fleet".to_owned(), true.into());
        }
        map
    }

    /// Whether both have the same id, values and scope, in the same process or fleet.
    pub(super) fn has_same_effect(&self, other: &Self) -> bool {
        self.id == other.id && self.set == other.set && self.scope == other.scope && self.fleet == other.fleet
    }
}
