//! Timestamps with microsecond precision, which the API and both databases share.

use std::time::Duration;

use jiff::{Timestamp, Unit};
use serde::Serializer;

/// The current time, rounded to the microsecond, so that a stored value equals the value read back.
#[must_use]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    now.round(Unit::Microsecond).unwrap_or(now)
}

/// Whole seconds, rounded up, for response headers.
pub(crate) fn ceil_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// Serializes a time as RFC 3339 with exactly six decimals, so that times sort as strings.
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
/// If the serializer fails.
pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.6}"))
}

/// Serializes an optional time like [`serialize`], or as null.
///
/// # Errors
/// If the serializer fails.
pub fn serialize_optional<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serialize(time, serializer),
        None => serializer.serialize_none(),
    }
}
