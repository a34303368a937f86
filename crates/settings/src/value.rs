//! A value of a layer, as its setting takes it.

use config::ValueKind;
use serde_json::Value;

use crate::layers::Leaf;
use crate::{Setting, ValueType};

/// The value as its setting takes it, or what is wrong with it.
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

/// A text without the white space around it; `None` for another value, and for what is not UTF-8.
pub(crate) fn text(value: &ValueKind) -> Option<&str> {
    match value {
        ValueKind::String(text) if !text.contains(char::REPLACEMENT_CHARACTER) => Some(text.trim()),
        _ => None,
    }
}

fn parse_value(leaf: &Leaf, value_type: ValueType) -> Result<Value, String> {
    let allowed = || value_type.allowed();
    let wrong = |shown: &str| {
        // What was meant to be secret may be half of one: it is not repeated.
        if value_type.is_secret() {
            format!("this value is not allowed; allowed is {}", allowed())
        } else {
            format!("`{shown}` is not allowed; allowed is {}", allowed())
        }
    };
    let text = match (&leaf.value, value_type) {
        (ValueKind::String(text), _) if text.contains(char::REPLACEMENT_CHARACTER) => {
            return Err("this value is not UTF-8".into());
        }
        (ValueKind::String(text), _) => text.trim().to_owned(),
        (ValueKind::Array(items), ValueType::List) => {
            let texts: Option<Vec<&str>> = items
                .iter()
                .map(|item| if let ValueKind::String(text) = &item.kind { Some(text.as_str()) } else { None })
                .collect();
            return texts.map(|texts| to_list(texts.into_iter())).ok_or_else(|| wrong("a list of other things"));
        }
        (number @ (ValueKind::I64(_) | ValueKind::Float(_)), ValueType::Whole(..) | ValueType::Number(..)) => {
            as_written(number)
        }
        (ValueKind::Boolean(on), ValueType::Switch) => on.to_string(),
        // TOML's 1.10 is the number 1.1: only quotes keep a text what it is.
        (other, ValueType::Text | ValueType::Secret | ValueType::Url) => {
            return Err(format!("`{}` is not a text; write it in quotes", as_written(other)));
        }
        (other, _) => return Err(wrong(&as_written(other))),
    };
    match value_type {
        ValueType::OneOf(words) if !words.contains(&text.as_str()) => Err(wrong(&text)),
        ValueType::OneOf(_) | ValueType::Text | ValueType::Secret | ValueType::Url => Ok(text.into()),
        ValueType::Whole(low, high) => match text.parse::<u64>() {
            Ok(number) if (low..=high).contains(&number) => Ok(number.into()),
            _ => Err(wrong(&text)),
        },
        ValueType::Number(low, high) => match text.parse::<f64>() {
            Ok(number) if (low..=high).contains(&number) => Ok(number.into()),
            _ => Err(wrong(&text)),
        },
        ValueType::Switch => text.parse::<bool>().map(Into::into).map_err(|_| wrong(&text)),
        ValueType::List => Ok(to_list(text.split(','))),
    }
}

/// As a file has it: 1.0 is no whole number.
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
