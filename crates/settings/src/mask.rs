//! Masking of secrets in output.

use serde_json::Value;

use crate::Setting;

/// A value as text, with credentials masked.
pub(crate) fn shown(setting: &Setting, value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    if setting.value_type.is_secret() { mask(&text) } else { text }
}

/// A URL without its user, password and query: `https://[redacted]@sentry.example/7`.
pub(crate) fn mask(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "[redacted]".into() };
    let rest = rest.split_once('?').map_or_else(|| rest.to_owned(), |(rest, _)| format!("{rest}?[redacted]"));
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://[redacted]@{host}"),
        None => format!("{scheme}://{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked() {
        assert_eq!(mask("https://abc@sentry.example/7"), "https://[redacted]@sentry.example/7");
        assert_eq!(mask("postgres://u:p@db/x?password=q"), "postgres://[redacted]@db/x?[redacted]");
        assert_eq!(mask("sqlite://data/a.db"), "sqlite://data/a.db");
    }
}
