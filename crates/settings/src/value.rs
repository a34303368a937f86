//! Conversion of a layer's value to the type of its setting.

use config::ValueKind;
use serde_json::Value;

use crate::layers::Leaf;
use crate::{Setting, ValueType};

/// Converts and checks a value, or returns the reason why it is invalid.
pub(crate) fn validate_value(leaf: &Leaf, setting: &Setting) -> Result<Value, String> {
    let value = parse_value(leaf, setting.value_type)?;
    if let Some(check) = setting.check {
        match &value {
            Value::Array(items) => items.iter().filter_map(Value::as_str).try_for_each(check)?,
            Value::String(text) => check(text)?,
            other => check(&other.to_string())?,
        }
    }
    Ok(value)
}

/// A trimmed string; `None` for other types and invalid UTF-8.
pub(crate) fn text(value: &ValueKind) -> Option<&str> {
    match value {
        ValueKind::String(text) if !text.contains(char::REPLACEMENT_CHARACTER) => Some(text.trim()),
        _ => None,
    }
}

fn parse_value(leaf: &Leaf, value_type: ValueType) -> Result<Value, String> {
    let allowed = || value_type.allowed();
    let wrong = |shown: &str| {
        // Even an invalid value may contain most of a secret.
        if value_type.is_secret() {
            format!("this value is not allowed; expected {}", allowed())
        } else {
            format!("`{shown}` is not allowed; expected {}", allowed())
        }
    };
    let text = match (&leaf.value, value_type) {
        (ValueKind::String(text), _) if text.contains(char::REPLACEMENT_CHARACTER) => {
            return Err("this value is not valid UTF-8".into());
        }
        (ValueKind::String(text), _) => text.trim().to_owned(),
        (ValueKind::Array(items), ValueType::List) => {
            let texts: Option<Vec<&str>> = items
                .iter()
                .map(|item| if let ValueKind::String(text) = &item.kind { Some(text.as_str()) } else { None })
                .collect();
            return texts.map(|texts| to_list(texts.into_iter())).ok_or_else(|| wrong("a list of other things"));
        }
        (number @ (ValueKind::I64(_) | ValueKind::Float(_)), ValueType::Integer(..) | ValueType::Number(..)) => {
            as_written(number)
        }
        (ValueKind::Boolean(on), ValueType::Bool) => on.to_string(),
        // Without quotes TOML reads 1.10 as the number 1.1.
        (other, ValueType::Text | ValueType::Secret | ValueType::Url) => {
            return Err(format!("`{}` is not a string; write it in quotes", as_written(other)));
        }
        (other, _) => return Err(wrong(&as_written(other))),
    };
    match value_type {
        ValueType::OneOf(words) if !words.contains(&text.as_str()) => Err(wrong(&text)),
        ValueType::OneOf(_) | ValueType::Text | ValueType::Secret | ValueType::Url => Ok(text.into()),
        ValueType::Integer(low, high) => match text.parse::<u64>() {
            Ok(number) if (low..=high).contains(&number) => Ok(number.into()),
            _ => Err(wrong(&text)),
        },
        ValueType::Number(low, high) => match text.parse::<f64>() {
            Ok(number) if (low..=high).contains(&number) => Ok(number.into()),
            _ => Err(wrong(&text)),
        },
        ValueType::Bool => text.parse::<bool>().map(Into::into).map_err(|_| wrong(&text)),
        ValueType::List => Ok(to_list(text.split(','))),
    }
}

/// In the notation of the file: `1.0` is not a whole number.
fn as_written(value: &ValueKind) -> String {
    match value {
        ValueKind::Float(number) => format!("{number:?}"),
        ValueKind::Array(_) => "a list".to_owned(),
        other => other.to_string(),
    }
}

fn to_list<'a>(items: impl Iterator<Item = &'a str>) -> Value {
    items.map(str::trim).filter(|item| !item.is_empty()).map(Value::from).collect()
}
