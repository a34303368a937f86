//! Redaction of data in memory, by the same rules as JSON.

use serde_json::{Map, Value};

use crate::json;
use crate::patterns::is_private_member;
use crate::placeholder::REDACTED;
use crate::pseudonyms::Pseudonyms;
use crate::rules::Rules;
use crate::sentence::is_message;
use crate::vocabulary::{ERRORS, KEY_TYPE, NAMES, REGISTRIES, VALUES};

/// The keys around a value.
#[derive(Clone, Copy)]
struct Around<'a> {
    key: &'a str,
    outer: Option<&'a Around<'a>>,
}

impl<'a> Around<'a> {
    /// The keys, the innermost first.
    fn keys(around: Option<&'a Self>) -> impl Iterator<Item = &'a str> + Clone {
        std::iter::successors(around, |around| around.outer).map(|around| around.key)
    }
}

pub(crate) fn redact(rules: &Rules, value: &mut Value) {
    redact_value(rules, value, None, false);
}

pub(crate) fn redact_map(rules: &Rules, map: &mut Map<String, Value>) {
    redact_object(rules, map, None, false);
}

/// If `strict`, only messages and literals are data.
fn redact_value(rules: &Rules, value: &mut Value, around: Option<&Around<'_>>, strict: bool) {
    match value {
        Value::Object(map) => redact_object(rules, map, around, strict),
        Value::Array(items) => items.iter_mut().for_each(|item| redact_value(rules, item, around, strict)),
        Value::String(text) if strict && !is_message(text) => *value = REDACTED.into(),
        Value::String(text) if rules.may_match(text.as_bytes(), false) => {
            if let Some(shown) = json::redact_string(rules, text, 0, false) {
                *text = shown.into_owned();
            }
        }
        Value::Number(number) if strict || rules.patterns.is_card(number.to_string().as_bytes(), false) => {
            *value = REDACTED.into();
        }
        _ => {}
    }
}

fn redact_object(rules: &Rules, map: &mut Map<String, Value>, around: Option<&Around<'_>>, strict: bool) {
    let names_secret = map.keys().any(|key| VALUES.contains(&key.as_str())) && names_secret(rules, map);
    let is_web_key = rules.patterns.on.jwk && map.contains_key(KEY_TYPE);
    for (key, value) in map.iter_mut() {
        let is_sensitive = names_secret && VALUES.contains(&key.as_str())
            || rules.keys.is_sensitive(key) && !rules.keys.is_exempt_path(key, &Around::keys(around))
            || is_web_key && is_private_member(key)
            || key == "auth" && Around::keys(around).any(|key| key == REGISTRIES);
        let is_error = is_sensitive && Around::keys(around).any(|key| ERRORS.contains(&key));
        if is_sensitive && !is_error && !matches!(value, Value::Null | Value::Bool(_)) {
            *value = REDACTED.into();
        } else if let Some(pseudonyms) = rules.pseudonyms_of(key).filter(|_| !is_sensitive) {
            pseudonymize(rules, pseudonyms, value, &Around { key, outer: around });
        } else {
            redact_value(rules, value, Some(&Around { key, outer: around }), strict || is_error);
        }
    }
    let shown = |key: &str| rules.may_match(key.as_bytes(), false).then(|| rules.redact_text(key, false)).flatten();
    if map.keys().any(|key| shown(key).is_some()) {
        let all = std::mem::take(map).into_iter();
        map.extend(all.map(|(key, value)| (shown(&key).map_or(key, |shown| shown.into_owned()), value)));
    }
}

/// Replaces a value, or the items of a list, by pseudonyms. An object may contain sensitive keys.
fn pseudonymize(rules: &Rules, pseudonyms: &Pseudonyms, value: &mut Value, around: &Around<'_>) {
    if let Value::Array(items) = value {
        items.iter_mut().for_each(|item| pseudonymize(rules, pseudonyms, item, around));
    } else if let Some(token) = pseudonyms.of(value) {
        *value = token;
    } else {
        redact_value(rules, value, Some(around), false);
    }
}

/// Whether a value of the object is the name of a secret.
fn names_secret(rules: &Rules, map: &Map<String, Value>) -> bool {
    let is_secret = |value: &Value| value.as_str().is_some_and(|name| rules.keys.is_sensitive(name));
    NAMES.iter().filter_map(|name| map.get(*name)).any(|value| match value {
        Value::Array(items) => items.iter().any(is_secret),
        value => is_secret(value),
    })
}
