//! The body of `PUT /log/overrides/{id}`.

use std::time::Duration;

use cyanotype_telemetry::effective::{LiveSettings, LiveValues, OverrideScope, Source, check_module};
use garde::Validate;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::duration;
use crate::handler::problem::FieldError;
use crate::settings::ResponseLog;

/// Maximum length of `reason` and `by`.
const MAX_TEXT_CHARS: usize = 200;
/// Maximum length of a scope's name.
const MAX_SCOPE_NAME_BYTES: usize = 500;
const MAX_ID_BYTES: usize = 100;

const KEYS: [&str; 9] = ["set", "for", "reason", "blueprint", "module", "route", "fleet", "by", "source"];
const SCOPES: [&str; 3] = ["blueprint", "module", "route"];

/// The request body as received. It is parsed by hand, so that one response lists every invalid field.
#[derive(Deserialize, Validate)]
#[serde(transparent)]
pub(crate) struct OverrideBody(#[garde(skip)] pub Map<String, Value>);

/// A requested override, validated as far as possible without the service's state.
#[derive(Debug, PartialEq)]
pub(super) struct NewOverride {
    pub set: LiveValues,
    pub scope: OverrideScope,
    pub duration: Duration,
    pub reason: String,
    pub source: Source,
    pub fleet: bool,
}

impl NewOverride {
    /// Parses the body; `max` is the maximum duration.
    ///
    /// # Errors
    /// Every invalid field.
    pub(super) fn parse(body: &Map<String, Value>, max: Duration) -> Result<Self, Vec<FieldError>> {
        let mut errors = FieldErrors::default();
        for key in body.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            errors.add(key, format!("unknown field; expected {}", KEYS.join(", ")));
        }
        let set = errors.parse_set(body.get("set"));
        let duration = match body.get("for") {
            Some(given) => duration::parse(given, max),
            None => duration::parse(&Value::Null, max).map_err(|allowed| format!("missing; {allowed}")),
        };
        let duration = duration.map_err(|message| errors.add("for", message)).unwrap_or_default();
        let reason = errors.required_text("reason", body.get("reason"));
        if let Some(by) = body.get("by") {
            errors.required_text("by", Some(by));
        }
        let (_, source) = requester(body);
        if body.get("source").is_some_and(|given| *given != json!(source)) {
            errors.add("source", "expected one of http, command");
        }
        let fleet = match body.get("fleet") {
            None => false,
            Some(Value::Bool(fleet)) => *fleet,
            Some(_) => {
                errors.add("fleet", "expected true or false");
                false
            }
        };
        let scope = errors.parse_scope(body);
        errors.into_result().map(|()| Self { set, scope, duration, reason, source, fleet })
    }

    /// Rejects body levels that record more than the settings allow.
    ///
    /// # Errors
    /// Each field that exceeds the settings.
    pub(super) fn check_bodies(&self, configured: &LiveSettings) -> Result<(), Vec<FieldError>> {
        let mut errors = FieldErrors::default();
        let bodies = [
            ("log.response.body", self.set.response_body, configured.response_body),
            ("log.request.body", self.set.request_body, configured.request_body),
        ];
        for (key, body, max) in bodies {
            if let Some(body) = body.filter(|body| *body > max) {
                let (body, max) = (body.as_setting(), max.as_setting());
                let message = format!(
                    "`{body}` records more than the settings allow: {key} is {max}; expected {}",
                    up_to(max).join(", ")
                );
                errors.add(&format!("set.{key}"), message);
            }
        }
        errors.into_result()
    }
}

/// The values up to and including this one.
fn up_to(max: &str) -> Vec<&'static str> {
    let all = [ResponseLog::Off, ResponseLog::Metadata, ResponseLog::Body].map(ResponseLog::as_setting);
    let end = all.iter().position(|value| *value == max).map_or(all.len(), |at| at + 1);
    all[..end].to_vec()
}

/// The requester, if the body names one, and the channel, as far as they can be parsed.
pub(super) fn requester(body: &Map<String, Value>) -> (Option<String>, Source) {
    let by = body.get("by").and_then(|by| text(by).ok());
    let is_command = body.get("source").is_some_and(|source| source == "command");
    (by, if is_command { Source::Command } else { Source::Http })
}

/// Checks the id of an override.
///
/// # Errors
/// If the value is invalid; the message states what is allowed.
pub(super) fn check_id(id: &str) -> Result<(), FieldError> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-');
    if id.is_empty() || id.len() > MAX_ID_BYTES || !id.bytes().all(is_part) {
        let message = format!("expected 1 to {MAX_ID_BYTES} letters, digits and characters of . _ : -");
        return Err(FieldError { field: "id".into(), message });
    }
    Ok(())
}

/// Checks a string for use in a record.
///
/// # Errors
/// If the value is invalid; the message states what is allowed.
pub(super) fn text(value: &Value) -> Result<String, String> {
    let allowed = || format!("expected a string of 1 to {MAX_TEXT_CHARS} characters without control characters");
    let text = value.as_str().map(str::trim).ok_or_else(allowed)?;
    match text.is_empty() || text.chars().count() > MAX_TEXT_CHARS || text.contains(char::is_control) {
        true => Err(allowed()),
        false => Ok(text.to_owned()),
    }
}

/// Collects field errors.
#[derive(Default)]
struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    fn add(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(FieldError { field: field.to_owned(), message: message.into() });
    }

    fn into_result(self) -> Result<(), Vec<FieldError>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }

    fn required_text(&mut self, field: &str, value: Option<&Value>) -> String {
        let read = match value {
            Some(value) => text(value),
            None => text(&Value::Null).map_err(|allowed| format!("missing; {allowed}")),
        };
        read.map_err(|message| self.add(field, message)).unwrap_or_default()
    }

    fn parse_set(&mut self, value: Option<&Value>) -> LiveValues {
        let allowed = "an object of settings and values, such as {\"log.level\": \"debug\"}";
        let Some(Value::Object(set)) = value.filter(|set| set.as_object().is_none_or(|set| !set.is_empty())) else {
            let missing = if value.is_none() { "missing; " } else { "" };
            self.add("set", format!("{missing}expected {allowed}"));
            return LiveValues::default();
        };
        LiveValues::parse(set).unwrap_or_else(|invalid| {
            invalid.into_iter().for_each(|it| self.add(&format!("set.{}", it.key), it.reason));
            LiveValues::default()
        })
    }

    fn parse_scope(&mut self, body: &Map<String, Value>) -> OverrideScope {
        let mut given = SCOPES.into_iter().filter_map(|kind| Some((kind, body.get(kind)?)));
        let Some((kind, value)) = given.next() else { return OverrideScope::Process };
        if let Some((other, _)) = given.next() {
            self.add(other, format!("`{kind}` is also set; expected at most one of {}", SCOPES.join(", ")));
        }
        let name = value.as_str().map(str::trim).filter(|name| !name.is_empty() && name.len() <= MAX_SCOPE_NAME_BYTES);
        let Some(name) = name.filter(|name| !name.contains(char::is_control)) else {
            let allowed = format!("expected a string of 1 to {MAX_SCOPE_NAME_BYTES} bytes without control characters");
            self.add(kind, allowed);
            return OverrideScope::Process;
        };
        match kind {
            "blueprint" => OverrideScope::Blueprint(name.to_owned()),
            "route" => OverrideScope::Route(name.to_owned()),
            _ => {
                if let Err(message) = check_module(name) {
                    self.add(kind, message);
                }
                OverrideScope::Module(name.replace('-', "_"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cyanotype_telemetry::Level;

    const DAY: Duration = Duration::from_secs(86_400);

    fn parse(body: Value) -> Result<NewOverride, Vec<(String, String)>> {
        let Value::Object(body) = body else { panic!("expected an object") };
        let fields = |errors: Vec<FieldError>| errors.into_iter().map(|it| (it.field, it.message)).collect();
        NewOverride::parse(&body, DAY).map_err(fields)
    }

    fn wrong_fields(body: Value) -> Vec<String> {
        parse(body).expect_err("is refused").into_iter().map(|(field, _)| field).collect()
    }

    #[test]
    fn set_for_and_reason_are_required() {
        let read = parse(json!({"set": {"log.level": "debug"}, "for": "15m", "reason": " INC-421 "})).expect("is read");
        assert_eq!((read.set.level, read.duration.as_secs(), &*read.reason), (Some(Level::Debug), 900, "INC-421"));
        assert_eq!((read.scope, read.source, read.fleet), (OverrideScope::Process, Source::Http, false));
    }

    #[test]
    fn optional_fields_set_scope_and_requester() {
        let full = json!({
            "set": {"log.mode": "stderr"}, "for": 60, "reason": "x", "module": "hyper-util", "fleet": true, "by": "ada",
            "source": "command",
        });
        let requester = requester(full.as_object().expect("an object"));
        assert_eq!(requester, (Some("ada".to_owned()), Source::Command));
        let read = parse(full).expect("is read");
        assert_eq!(read.scope, OverrideScope::Module("hyper_util".into()));
        assert_eq!((read.source, read.fleet), (Source::Command, true));
    }

    #[test]
    fn one_response_lists_every_invalid_field() {
        assert_eq!(wrong_fields(json!({})), ["set", "for", "reason"]);
        let all = json!({
            "set": {"log.level": "loud", "log.format": "json"}, "for": "25h", "reason": "a\nb", "until": "now", "by": "",
            "source": "fleet", "fleet": "yes", "blueprint": "orders", "route": "/orders",
        });
        let expected = ["until", "set.log.level", "set.log.format", "for", "reason", "by", "source", "fleet", "route"];
        assert_eq!(wrong_fields(all), expected);
        assert_eq!(wrong_fields(json!({"set": {}, "for": "1s", "reason": "x"})), ["set"]);
        assert_eq!(
            wrong_fields(json!({"set": {"log.level": "debug"}, "for": "1s", "reason": "é".repeat(201)})),
            ["reason"]
        );
        assert_eq!(
            wrong_fields(json!({"set": {"log.level": "debug"}, "for": "1s", "reason": "x", "module": "a b"})),
            ["module"]
        );
    }

    #[test]
    fn an_override_cannot_record_more_of_bodies_than_the_settings() {
        let settings = crate::settings::Loader::new("/nonexistent")
            .flag("log.response.body", "metadata", "--set")
            .load()
            .expect("valid settings");
        let configured = LiveSettings::from(&settings.telemetry());
        let check = |body: &str| {
            let set = json!({"log.response.body": body, "log.request.body": "off"});
            parse(json!({"set": set, "for": "1s", "reason": "x"})).expect("is read").check_bodies(&configured)
        };
        assert_eq!([check("off"), check("metadata")], [Ok(()), Ok(())]);
        let refused = check("redacted").expect_err("is refused");
        assert_eq!(refused[0].field, "set.log.response.body");
        assert_eq!(
            refused[0].message,
            "`redacted` records more than the settings allow: log.response.body is metadata; expected off, metadata"
        );
    }

    #[test]
    fn an_id_is_a_url_path_segment() {
        for valid in ["INC-421", "a", "team:orders.debug_1"] {
            assert_eq!(check_id(valid), Ok(()), "{valid}");
        }
        for invalid in ["", "a b", "a/b", "é", &"a".repeat(101)] {
            assert!(check_id(invalid).is_err(), "{invalid}");
        }
    }
}
