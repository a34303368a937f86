//! Parsing the values of an override.

use cyanotype_settings::{ValueType, one_of};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::live::{LIVE_KEYS, LiveValues};
use crate::level::Level;
use crate::settings::{Mode, ResponseLog};

/// Maximum length of a module path in bytes.
const MAX_MODULE_BYTES: usize = 200;

/// A key or a value that an override cannot set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct InvalidValue {
    /// The key of the setting.
    pub key: String,
    /// Why it is invalid, and what is allowed.
    pub reason: String,
}

impl LiveValues {
    /// Parses keys and values such as `{"log.level": "debug"}`.
    ///
    /// # Errors
    /// Returns all invalid entries: keys that are not live settings, and values that are invalid for their setting.
    pub fn parse(set: &Map<String, Value>) -> Result<Self, Vec<InvalidValue>> {
        let mut values = Self::default();
        let mut invalid = Vec::new();
        for (key, value) in set {
            if let Err(reason) = values.put(key, value) {
                invalid.push(InvalidValue { key: key.clone(), reason });
            }
        }
        if invalid.is_empty() { Ok(values) } else { Err(invalid) }
    }

    fn put(&mut self, key: &str, value: &Value) -> Result<(), String> {
        match key {
            "log.mode" => self.mode = Some(parse_variant::<Mode>(value)?),
            "log.level" => self.level = Some(parse_variant::<Level>(value)?),
            "log.response.body" => self.response_body = Some(parse_variant::<ResponseLog>(value)?),
            "log.request.body" => self.request_body = Some(parse_variant::<ResponseLog>(value)?),
            "log.response.sample_rate" => self.response_sample_rate = Some(parse_rate(value)?),
            "sentry.breadcrumb_level" => self.breadcrumb_level = Some(parse_variant::<Level>(value)?),
            "sentry.event_level" => self.event_level = Some(parse_variant::<Level>(value)?),
            "sentry.sample_rate" => self.event_sample_rate = Some(parse_rate(value)?),
            _ => match key.strip_prefix("log.levels.") {
                Some(module) => {
                    check_module(module)?;
                    self.levels.insert(module.replace('-', "_"), parse_variant::<Level>(value)?);
                }
                None => {
                    return Err(format!("it cannot change while the service runs; expected {}", LIVE_KEYS.join(", ")));
                }
            },
        }
        Ok(())
    }

    /// Whether no value is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Checks that a string is a valid path of a crate or module.
///
/// # Errors
/// A message that states what is allowed.
pub fn check_module(module: &str) -> Result<(), String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':');
    if module.is_empty() || module.len() > MAX_MODULE_BYTES || !module.chars().all(is_part) {
        return Err(format!(
            "`{}` is not the path of a crate or module; expected a path such as blueprint_orders::store",
            module.escape_debug()
        ));
    }
    Ok(())
}

/// Parses a variant of a settings enum.
fn parse_variant<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    serde_json::from_value(value.clone()).map_err(|_| not_allowed(value, one_of::<T>()))
}

/// Parses a number from 0 to 1, given as a JSON number or as text.
fn parse_rate(value: &Value) -> Result<f64, String> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
    number.filter(|number| (0.0..=1.0).contains(number)).ok_or_else(|| not_allowed(value, ValueType::Number(0.0, 1.0)))
}

fn not_allowed(value: &Value, value_type: ValueType) -> String {
    let shown: String = match value {
        Value::String(text) => text.escape_debug().take(100).collect(),
        other => other.to_string().chars().take(100).collect(),
    };
    format!("`{shown}` is not allowed; expected {}", value_type.allowed())
}
