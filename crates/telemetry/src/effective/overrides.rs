//! Temporary overrides of live settings.

use std::time::Instant;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::change::Source;
use super::levels::is_in_module;
use super::live::LiveValues;
use super::origin::RecordOrigin;
use crate::identity::RequestIdentity;
use crate::routes::{rule_matches, split_rule};

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
    /// The kinds, from the widest scope to the narrowest.
    pub const KINDS: [&'static str; 4] = ["process", "blueprint", "module", "route"];

    /// The kind: the JSON key of the scope, and its name in the database and in metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        Self::KINDS[self.rank() as usize]
    }

    /// The name of the blueprint, module or route; empty for the process.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Process => "",
            Self::Blueprint(name) | Self::Module(name) | Self::Route(name) => name,
        }
    }

    /// The scope of this kind with this name, if there is such a kind.
    #[must_use]
    pub fn from_kind(kind: &str, name: String) -> Option<Self> {
        match kind {
            "process" => Some(Self::Process),
            "blueprint" => Some(Self::Blueprint(name)),
            "module" => Some(Self::Module(name)),
            "route" => Some(Self::Route(name)),
            _ => None,
        }
    }

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
        (*self != Self::Process).then(|| (self.kind(), self.name()))
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
                let (method, path) = split_rule(route);
                let method = method.unwrap_or_default();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_restored_from_its_kind_and_name() {
        let scopes = OverrideScope::KINDS.map(|kind| OverrideScope::from_kind(kind, "orders".to_owned()));
        let scopes = scopes.map(|scope| scope.expect("a kind"));
        assert!(scopes.is_sorted(), "from the widest to the narrowest");
        for (scope, kind) in scopes.iter().zip(OverrideScope::KINDS) {
            assert_eq!(scope.kind(), kind);
            let key_value = (kind != "process").then_some((kind, "orders"));
            assert_eq!((scope.key_value(), scope.name().is_empty()), (key_value, key_value.is_none()));
        }
        assert_eq!(OverrideScope::from_kind("tenant", "orders".to_owned()), None);
    }
}
