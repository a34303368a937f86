//! The settings `log.*` of the lines themselves: their size, names and prefix.

use cyanotype_settings::section;
use serde::Deserialize;

section! {
    /// The settings `log.*` of the lines themselves.
    pub struct LineSettings {
        /// maximum size of a line on stderr, in bytes, including the line feed and the priority prefix; longer records are
        /// truncated
        #[setting(Integer(2048, 1 << 20), default = 16000)]
        pub max_line_bytes: usize,
        /// maximum length of a request's path, and of its query, in records and events, in bytes
        #[setting(Integer(16, 1 << 16), default = 2048)]
        pub max_path_bytes: usize,
        /// maximum length of a request's method, and of the value of a header, in records and events, in bytes
        #[setting(Integer(16, 1 << 16), default = 512)]
        pub max_header_bytes: usize,
        /// whether each line begins with its syslog priority, such as `<3>` for an error; `auto` is `always` when stderr is
        /// connected to journald, which reads and removes it
        #[setting(one_of::<PriorityPrefix>(), default = "auto")]
        pub priority_prefix: PriorityPrefix,
        /// names of the keys in JSON records, for a log collector: Cyanotype's own, Google Cloud Logging's, those of the Elastic
        /// Common Schema, or Datadog's
        #[setting(one_of::<Schema>(), default = "default")]
        pub schema: Schema,
        /// key of a JSON record's level; when unset, that of log.schema
        #[setting(Text, check = check_severity_key)]
        pub severity_key: Option<String>,
        /// names of the levels in JSON records; when unset, those of log.schema
        #[setting(one_of::<LevelNames>())]
        pub level_names: Option<LevelNames>,
        /// write JSON records in ASCII, with other characters as \uXXXX
        #[setting(Bool, default = false)]
        pub ascii: bool,
    }
}

impl LineSettings {
    /// The limits of texts that clients choose.
    #[must_use]
    pub fn client_text_limits(&self) -> ClientTextLimits {
        ClientTextLimits { path: self.max_path_bytes, header: self.max_header_bytes }
    }
}

/// Maximum lengths of texts that clients choose, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct ClientTextLimits {
    /// Of a path, and of a query.
    pub path: usize,
    /// Of a method, and of a header's value.
    pub header: usize,
}

/// When lines begin with a priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PriorityPrefix {
    /// When stderr is connected to journald.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The names of keys in JSON records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schema {
    /// Cyanotype's own, from OpenTelemetry's semantic conventions where they have one.
    Default,
    /// Google Cloud Logging's.
    Gcp,
    /// Those of the Elastic Common Schema.
    Ecs,
    /// Datadog's.
    Datadog,
}

/// The names of levels in JSON records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LevelNames {
    /// Cyanotype's own.
    Default,
    /// Those of syslog, such as `err`.
    Syslog,
    /// Google Cloud Logging's, such as `ERROR`.
    Gcp,
    /// Pino's numbers, such as `50`.
    Pino,
}

/// Other keys of many records, in any schema.
const OTHER_KEYS: [&str; 14] = [
    "timestamp",
    "@timestamp",
    "time",
    "kind",
    "message",
    "target",
    "log.logger",
    "logger.name",
    "request_id",
    "trace_id",
    "blueprint",
    "fields",
    "data",
    "truncated",
];
const MAX_SEVERITY_KEY_BYTES: usize = 64;

fn check_severity_key(key: &str) -> Result<(), String> {
    let is_plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-@/".contains(&byte));
    if !is_plain || key.len() > MAX_SEVERITY_KEY_BYTES {
        return Err(format!(
            "`{key}` is not allowed; expected 1 to {MAX_SEVERITY_KEY_BYTES} letters, digits and `._-@/`"
        ));
    }
    if OTHER_KEYS.contains(&key) {
        return Err(format!("`{key}` is the key of another value"));
    }
    Ok(())
}
