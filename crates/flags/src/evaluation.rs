//! The three flags, evaluated.

use cyanotype_telemetry::Level;
use cyanotype_telemetry::settings::Mode;
use open_feature::{Client, EvaluationContext, EvaluationError, EvaluationErrorCode};

use crate::notices::Notices;
use crate::values::Values;

const LOG_MODE: &str = "log-mode";
const LOG_LEVEL: &str = "log-level";
const LOG_DEBUG_REQUEST: &str = "log-debug-request";

/// The most characters of a wrong value that are repeated.
const MAX_SHOWN: usize = 100;

/// Evaluates the flags. The error is why the flag system cannot be used.
pub(crate) async fn evaluate(
    client: &Client,
    context: &EvaluationContext,
    notices: &Notices,
) -> Result<Values, String> {
    let context = Some(context);
    let (mode, level, debug) = tokio::join!(
        client.get_string_value(LOG_MODE, context, None),
        client.get_string_value(LOG_LEVEL, context, None),
        client.get_bool_value(LOG_DEBUG_REQUEST, context, None),
    );
    let mode_of = |text: &str| Mode::ALL.into_iter().find(|mode| mode.as_str() == text);
    Ok(Values {
        mode: word(LOG_MODE, evaluated(LOG_MODE, mode, notices)?, mode_of, &Mode::ALL.map(Mode::as_str), notices),
        level: word(LOG_LEVEL, evaluated(LOG_LEVEL, level, notices)?, |text| text.parse().ok(), &Level::NAMES, notices),
        debug: evaluated(LOG_DEBUG_REQUEST, debug, notices)?.unwrap_or(false),
    })
}

/// The value of a flag; `None` when there is no such flag, none for this subject, or one of another type.
fn evaluated<T>(flag: &str, outcome: Result<T, EvaluationError>, notices: &Notices) -> Result<Option<T>, String> {
    let error = match outcome {
        Ok(value) => return Ok(Some(value)),
        Err(error) => error,
    };
    let reason = shown(error.message.as_deref().unwrap_or(&error.code.to_string()));
    match error.code {
        EvaluationErrorCode::FlagNotFound | EvaluationErrorCode::TargetingKeyMissing => {}
        EvaluationErrorCode::ProviderNotReady => return Err(reason),
        _ => notices.ignored(format!("the flag {flag} cannot be evaluated: {reason}")),
    }
    Ok(None)
}

fn word<T>(
    flag: &str,
    text: Option<String>,
    read: impl Fn(&str) -> Option<T>,
    allowed: &[&str],
    notices: &Notices,
) -> Option<T> {
    let text = text?;
    let value = read(&text);
    if value.is_none() {
        notices.ignored(format!(
            "the flag {flag} is `{}`, which is not allowed; allowed is one of {}",
            shown(&text),
            allowed.join(", ")
        ));
    }
    value
}

fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN).flat_map(char::escape_debug).collect()
}
