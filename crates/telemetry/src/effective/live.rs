//! Live settings: those that can change while the service runs.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::level::Level;
use crate::settings::{Mode, ResponseLog, Settings};

/// Keys of the live settings, which can change while the service runs. `<module>` is the path of a crate or module.
pub const LIVE_KEYS: [&str; 9] = [
    "log.mode",
    "log.level",
    "log.levels.<module>",
    "log.response.body",
    "log.request.body",
    "log.response.sample_rate",
    "sentry.breadcrumb_level",
    "sentry.event_level",
    "sentry.sample_rate",
];

/// Whether this key is one of [`LIVE_KEYS`].
#[must_use]
pub fn is_live_key(key: &str) -> bool {
    LIVE_KEYS.contains(&key) || key.strip_prefix("log.levels.").is_some_and(|module| !module.is_empty())
}

/// A value for each live setting.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveSettings {
    /// `log.mode`.
    pub mode: Mode,
    /// `log.level`.
    pub level: Level,
    /// `log.levels`, by the module's path.
    pub levels: BTreeMap<String, Level>,
    /// `log.response.body`.
    pub response_body: ResponseLog,
    /// `log.request.body`.
    pub request_body: ResponseLog,
    /// `log.response.sample_rate`, from 0 to 1.
    pub response_sample_rate: f64,
    /// `sentry.breadcrumb_level`.
    pub breadcrumb_level: Level,
    /// `sentry.event_level`.
    pub event_level: Level,
    /// `sentry.sample_rate`, from 0 to 1.
    pub event_sample_rate: f64,
}

impl From<&Settings> for LiveSettings {
    fn from(settings: &Settings) -> Self {
        let Settings { log, sentry, .. } = settings;
        Self {
            mode: log.mode,
            level: log.level,
            levels: log.levels.clone(),
            response_body: log.response.body,
            request_body: log.request.body,
            response_sample_rate: log.response.sample_rate,
            breadcrumb_level: sentry.breadcrumb_level,
            event_level: sentry.event_level,
            event_sample_rate: sentry.sample_rate,
        }
    }
}

impl LiveSettings {
    /// The keys and values as JSON.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        LiveValues::from(self).to_json()
    }
}

/// Values for some of the live settings, as set by an override.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LiveValues {
    /// `log.mode`.
    pub mode: Option<Mode>,
    /// `log.level`.
    pub level: Option<Level>,
    /// `log.levels`, by the module's path.
    pub levels: BTreeMap<String, Level>,
    /// `log.response.body`.
    pub response_body: Option<ResponseLog>,
    /// `log.request.body`.
    pub request_body: Option<ResponseLog>,
    /// `log.response.sample_rate`, from 0 to 1.
    pub response_sample_rate: Option<f64>,
    /// `sentry.breadcrumb_level`.
    pub breadcrumb_level: Option<Level>,
    /// `sentry.event_level`.
    pub event_level: Option<Level>,
    /// `sentry.sample_rate`, from 0 to 1.
    pub event_sample_rate: Option<f64>,
}

impl From<&LiveSettings> for LiveValues {
    fn from(all: &LiveSettings) -> Self {
        Self {
            mode: Some(all.mode),
            level: Some(all.level),
            levels: all.levels.clone(),
            response_body: Some(all.response_body),
            request_body: Some(all.request_body),
            response_sample_rate: Some(all.response_sample_rate),
            breadcrumb_level: Some(all.breadcrumb_level),
            event_level: Some(all.event_level),
            event_sample_rate: Some(all.event_sample_rate),
        }
    }
}

impl LiveValues {
    /// The keys and values that are set, as JSON.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let mut map = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                map.insert(key.to_owned(), value);
            }
        };
        put("log.mode", self.mode.map(|mode| json!(mode)));
        put("log.level", self.level.map(|level| json!(level)));
        for (module, level) in &self.levels {
            put(&format!("log.levels.{module}"), Some(json!(level)));
        }
        put("log.response.body", self.response_body.map(|body| body.as_setting().into()));
        put("log.request.body", self.request_body.map(|body| body.as_setting().into()));
        put("log.response.sample_rate", self.response_sample_rate.map(|rate| json!(rate)));
        put("sentry.breadcrumb_level", self.breadcrumb_level.map(|level| json!(level)));
        put("sentry.event_level", self.event_level.map(|level| json!(level)));
        put("sentry.sample_rate", self.event_sample_rate.map(|rate| json!(rate)));
        map
    }
}
