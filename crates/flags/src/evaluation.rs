//! Evaluation of the flags.

use cyanotype_telemetry::Level;
use cyanotype_telemetry::settings::Mode;
use open_feature::{Client, EvaluationContext, EvaluationError, EvaluationErrorCode};

use crate::evaluated_flags::EvaluatedFlags;
use crate::events::FlagEvents;

const LOG_MODE: &str = "log-mode";
const LOG_LEVEL: &str = "log-level";
const LOG_DEBUG_REQUEST: &str = "log-debug-request";

/// Maximum number of characters of an invalid value or an error that are shown.
const MAX_SHOWN_CHARS: usize = 100;

/// Evaluates the flags. The error states why the provider is unavailable.
pub(crate) async fn evaluate(
    client: &Client,
    context: &EvaluationContext,
    events: &FlagEvents,
) -> Result<EvaluatedFlags, String> {
    let context = Some(context);
    let (mode, level, debug) = tokio::join!(
        client.get_string_value(LOG_MODE, context, None),
        client.get_string_value(LOG_LEVEL, context, None),
        client.get_bool_value(LOG_DEBUG_REQUEST, context, None),
    );
    let mode_of = |text: &str| Mode::ALL.into_iter().find(|mode| mode.as_str() == text);
    Ok(EvaluatedFlags {
        mode: parse_value(LOG_MODE, found(LOG_MODE, mode, events)?, mode_of, &Mode::ALL.map(Mode::as_str), events),
        level: parse_value(
            LOG_LEVEL,
            found(LOG_LEVEL, level, events)?,
            |text| text.parse().ok(),
            &Level::NAMES,
            events,
        ),
        debug: found(LOG_DEBUG_REQUEST, debug, events)?.unwrap_or(false),
    })
}

/// The value of a flag; `None` if the flag does not exist, has no value for this subject, or cannot be evaluated.
fn found<T>(flag: &str, outcome: Result<T, EvaluationError>, events: &FlagEvents) -> Result<Option<T>, String> {
    let error = match outcome {
        Ok(value) => return Ok(Some(value)),
        Err(error) => error,
    };
    let reason = excerpt(error.message.as_deref().unwrap_or(&error.code.to_string()));
    match error.code {
        EvaluationErrorCode::FlagNotFound | EvaluationErrorCode::TargetingKeyMissing => {}
        EvaluationErrorCode::ProviderNotReady => return Err(reason),
        _ => events.ignored(format!("flag {flag} ignored: evaluation failed: {reason}")),
    }
    Ok(None)
}

fn parse_value<T>(
    flag: &str,
    text: Option<String>,
    parse: impl Fn(&str) -> Option<T>,
    allowed: &[&str],
    events: &FlagEvents,
) -> Option<T> {
    let text = text?;
    let value = parse(&text);
    if value.is_none() {
        events.ignored(format!(
            "flag {flag} ignored: invalid value `{}`; expected one of {}",
            excerpt(&text),
            allowed.join(", ")
        ));
    }
    value
}

fn excerpt(text: &str) -> String {
    text.chars().take(MAX_SHOWN_CHARS).flat_map(char::escape_debug).collect()
}
