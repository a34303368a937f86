//! Parses the duration of an override.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::Value;

const MIN_DURATION: Duration = Duration::from_secs(1);

/// Parses `"15m"`, `"1h30m"`, `"90s"`, or a number of seconds.
///
/// # Errors
/// If the value is not a duration, or exceeds `max`; the message states what is allowed.
pub(crate) fn parse(value: &Value, max: Duration) -> Result<Duration, String> {
    let read = match value {
        Value::Number(seconds) => seconds.as_u64().map(Duration::from_secs),
        Value::String(text) => from_text(text.trim()),
        _ => None,
    };
    read.filter(|read| (MIN_DURATION..=max).contains(read)).ok_or_else(|| {
        format!(
            "expected a duration from 1s to {} (log.override_max_s), such as 15m, 1h30m or 90s, or a number of seconds",
            format(max)
        )
    })
}

fn from_text(text: &str) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    text.parse::<SignedDuration>().ok().and_then(|duration| duration.try_into().ok())
}

/// Formats a duration such as `1h 30m`.
pub(super) fn format(duration: Duration) -> String {
    SignedDuration::try_from(duration).map_or_else(|_| format!("{} s", duration.as_secs()), |it| format!("{it:#}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn common_duration_formats_are_accepted() {
        let day = Duration::from_secs(86_400);
        for (written, seconds) in [
            (json!("15m"), 900),
            (json!("1h30m"), 5_400),
            (json!("1h 30m"), 5_400),
            (json!("90s"), 90),
            (json!("90"), 90),
            (json!(90), 90),
            (json!(" 1s "), 1),
            (json!("24h"), 86_400),
        ] {
            assert_eq!(parse(&written, day), Ok(Duration::from_secs(seconds)), "{written}");
        }
    }

    #[test]
    fn an_invalid_duration_is_refused_with_the_allowed_range() {
        let max = Duration::from_secs(5_400);
        for other in [
            json!(""),
            json!("0s"),
            json!(0),
            json!("999ms"),
            json!("1h31m"),
            json!(5_401),
            json!("-15m"),
            json!("15m ago"),
            json!("soon"),
            json!(1.5),
            json!(null),
            json!(["15m"]),
            json!("99999999999999999999"),
            json!("99999999999999h"),
        ] {
            let refusal = parse(&other, max).expect_err("is refused");
            assert!(refusal.contains("from 1s to 1h 30m (log.override_max_s)"), "{other}: {refusal}");
        }
    }
}
