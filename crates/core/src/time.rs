//! Times as the API and both databases have them: to the microsecond.

use std::time::Duration;

use jiff::{Timestamp, Unit};
use serde::Serializer;

/// The time now, to the microsecond: what is stored is what is read again.
#[must_use]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    now.round(Unit::Microsecond).unwrap_or(now)
}

/// Rounded up, as headers have it.
pub(crate) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// Writes a time in RFC 3339 with six decimals always, so that times compare as texts.
///
/// ```
/// use jiff::Timestamp;
///
/// #[derive(serde::Serialize)]
/// struct Note {
///     #[serde(serialize_with = "cyanotype::time::serialize")]
///     created_at: Timestamp,
/// }
///
/// let note = Note { created_at: Timestamp::UNIX_EPOCH };
/// assert_eq!(serde_json::to_string(&note).unwrap(), r#"{"created_at":"1970-01-01T00:00:00.000000Z"}"#);
/// ```
///
/// # Errors
/// When the serializer fails.
pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.6}"))
}

/// The same, where there may be none: null then.
///
/// # Errors
/// When the serializer fails.
pub fn serialize_or_none<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serialize(time, serializer),
        None => serializer.serialize_none(),
    }
}
