//! The settings `log.*`.

use std::collections::BTreeMap;
use std::time::Duration;

use cyanotype_redact::Redactor;
use cyanotype_settings::{Origin, section};
use serde::{Deserialize, Serialize};

use super::{Env, LineSettings, RedactSettings, rust_log};
use crate::level::Level;

section! {
    /// The settings `log.*`: which records are written, and how.
    pub struct LogSettings {
        /// enabled sinks; `off` disables all logging; without sentry.dsn, `both` writes to stderr only and `sentry` writes
        /// nothing, except failures in dev
        #[setting(one_of::<Mode>(), default = "both")]
        pub mode: Mode,
        /// minimum level of log lines; lower ones reach no sink; a LEVEL in RUST_LOG sets it too, with lower precedence than
        /// files
        #[setting(one_of::<Level>(), default = "info")]
        pub level: Level,
        /// format of records on stderr; `auto` is `json` in prod and `pretty` in dev
        #[setting(one_of::<LogFormat>(), default = "auto")]
        format: LogFormat,
        /// The lines themselves.
        #[serde(flatten)]
        #[setting(section)]
        pub lines: LineSettings,
        /// colors in the pretty format: `auto` uses them on a terminal, unless NO_COLOR, FORCE_COLOR or TERM=dumb says otherwise
        #[setting(one_of::<Color>(), default = "auto")]
        pub color: Color,
        /// minimum level of the log lines of one crate or module; the longest matching path takes precedence; actix_server
        /// and refinery_core default to warning, or to log.level if that is higher, and open_feature_flagd to critical;
        /// MODULE=LEVEL in RUST_LOG sets it too, with lower precedence than files
        #[setting(each "<module>", one_of::<Level>())]
        pub levels: BTreeMap<String, Level>,
        /// Response records.
        #[setting(section)]
        pub response: ResponseLogSettings,
        /// Request bodies in response records.
        #[setting(section)]
        pub request: RequestLogSettings,
        /// Patterns that are redacted in any text.
        #[setting(section)]
        pub redact: RedactSettings,
        /// The limit of reports of one failure.
        #[setting(section)]
        pub flood: FloodSettings,
        /// The stderr queue.
        #[setting(section)]
        pub stderr: StderrSettings,
        /// Lines that are written only if their request fails.
        #[setting(section)]
        pub on_failure: OnFailureSettings,
        /// maximum duration of a log override, in seconds
        #[setting(Integer(1, 604_800), default = 86400)]
        override_max_s: u64,
        /// interval, in seconds, at which the overrides of the fleet are read from the database; on PostgreSQL a notification
        /// arrives earlier
        #[setting(Integer(1, 60), default = 1)]
        override_poll_s: u64,
        /// key that signs the tokens of the header x-debug-log, at least 16 bytes (32 random bytes are recommended); when
        /// unset, no token is accepted
        #[setting(Secret, check = check_debug_key)]
        pub debug_key: Option<String>,
    }
    variable "RUST_LOG" = rust_log::read;
}

impl LogSettings {
    /// The redactor of all sinks.
    #[must_use]
    pub fn redactor(&self) -> Redactor {
        let redactor = Redactor::with_exceptions(&self.response.redact, &self.redact.keep, self.redact.switches.into());
        let redactor = redactor.with_own_patterns(self.redact.own_patterns());
        match self.redact.pseudonyms() {
            Some(pseudonyms) => redactor.with_pseudonyms(pseudonyms),
            None => redactor,
        }
    }

    /// Warnings about limits of parts of a record that exceed the limit of its line.
    #[must_use]
    pub fn size_warnings(&self) -> Vec<String> {
        /// The space for the other keys of a record.
        const OTHER_KEYS_BYTES: usize = 1024;
        let max = self.lines.max_line_bytes;
        let parts = [
            ("log.response.max_bytes", self.response.max_bytes, self.response.body == ResponseLog::Body),
            ("log.request.max_bytes", self.request.max_bytes, self.request.body == ResponseLog::Body),
            ("log.max_path_bytes", self.lines.max_path_bytes, true),
            ("log.max_header_bytes", self.lines.max_header_bytes, true),
        ];
        let exceeding = parts.iter().filter(|(_, bytes, is_on)| *is_on && bytes + OTHER_KEYS_BYTES > max);
        let warning = |(key, bytes, _): &(&str, usize, bool)| {
            format!("{key} ({bytes}) does not fit in log.max_line_bytes ({max}): longer content is truncated")
        };
        exceeding.map(warning).collect()
    }

    /// The maximum duration of an override.
    #[must_use]
    pub fn override_max(&self) -> Duration {
        Duration::from_secs(self.override_max_s)
    }

    /// The interval at which the overrides of the fleet are read.
    #[must_use]
    pub fn override_poll(&self) -> Duration {
        Duration::from_secs(self.override_poll_s)
    }

    /// Whether records are written as JSON; `auto` depends on the environment.
    #[must_use]
    pub fn is_json(&self, env: Env) -> bool {
        match self.format {
            LogFormat::Auto => env == Env::Prod,
            LogFormat::Json => true,
            LogFormat::Pretty => false,
        }
    }
}

section! {
    /// The settings `log.response.*`: response records.
    pub struct ResponseLogSettings {
        /// detail of response records: `off` writes none, `metadata` omits the body's content, `redacted` includes the redacted
        /// content
        #[setting(one_of::<ResponseLog>(), default = "redacted")]
        pub body: ResponseLog,
        /// maximum body content in a response record, in bytes; longer content is truncated
        #[setting(Integer(0, 1 << 24), default = 8192)]
        pub max_bytes: usize,
        /// minimum status of responses whose body content is recorded; lower ones are recorded without it
        #[setting(Integer(100, 599), default = 100)]
        pub body_from_status: u16,
        /// fraction of successful requests whose responses are recorded; responses of status 400 and up, failed requests and
        /// client disconnects are always recorded
        #[setting(Number(0.0, 1.0), default = 1.0)]
        pub sample_rate: f64,
        /// additional keys whose values are redacted
        #[serde(default)]
        #[setting(List)]
        pub redact: Vec<String>,
    }
}

section! {
    /// The settings `log.request.*`: request bodies in response records.
    pub struct RequestLogSettings {
        /// detail of the request body in a response record: `off` omits it, `metadata` records its type and size, `redacted`
        /// records its redacted content too
        #[setting(one_of::<ResponseLog>(), default = "off")]
        pub body: ResponseLog,
        /// maximum request body content in a response record, in bytes; longer content is truncated
        #[setting(Integer(0, 1 << 24), default = 8192)]
        pub max_bytes: usize,
    }
}

section! {
    /// The settings `log.flood.*`: the limit of reports of one failure.
    pub struct FloodSettings {
        /// maximum reports of one failure (same type, module and route, and a message that differs at most in numbers, ids and
        /// quoted texts) per log.flood.window_s; further ones are suppressed and their count is reported, on stderr and in
        /// Sentry; capture_event is exempt
        #[setting(Integer(1, u64::MAX), default = 100)]
        pub limit: u64,
        /// window of log.flood.limit, in seconds
        #[setting(Integer(1, 3600), default = 10)]
        window_s: u64,
    }
}

impl FloodSettings {
    /// The window in which at most `limit` reports of one failure are recorded.
    #[must_use]
    pub fn window(&self) -> Duration {
        Duration::from_secs(self.window_s)
    }
}

section! {
    /// The settings `log.stderr.*`.
    pub struct StderrSettings {
        /// maximum size of the stderr queue, in bytes; records that do not fit are dropped and counted
        #[setting(Integer(65536, 1 << 30), default = 8388608)]
        pub queue_bytes: usize,
    }
}

section! {
    /// The settings `log.on_failure.*`: lines that are written only if their request fails.
    pub struct OnFailureSettings {
        /// minimum level of log lines below log.level that are stored with their request and written only if it fails (a 5xx,
        /// an uncaught failure or a timeout); off stores none
        #[setting(OneOf(OFF_OR_LEVEL), default = "off")]
        level: OffOrLevel,
        /// maximum size of the lines stored with one request, in bytes; the oldest are dropped and counted
        #[setting(Integer(1024, 1 << 20), default = 16384)]
        pub max_bytes: usize,
    }
}

impl OnFailureSettings {
    /// The minimum level of stored lines; `None` stores none.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        match self.level {
            OffOrLevel::Off => None,
            OffOrLevel::Level(level) => Some(level),
        }
    }
}

/// The names of [`OffOrLevel`]'s values.
const OFF_OR_LEVEL: &[&str] = {
    let [trace, debug, info, warning, error, critical] = Level::NAMES;
    &["off", trace, debug, info, warning, error, critical]
};

/// A level, or none.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OffOrLevel {
    Off,
    #[serde(untagged)]
    Level(Level),
}

/// The minimum length of `log.debug_key`, in bytes. 32 random bytes are recommended: the length of an HMAC-SHA-256.
pub const MIN_DEBUG_KEY_BYTES: usize = 16;

fn check_debug_key(key: &str) -> Result<(), String> {
    if key.len() < MIN_DEBUG_KEY_BYTES {
        return Err(format!(
            "the key is shorter than {MIN_DEBUG_KEY_BYTES} bytes; expected {MIN_DEBUG_KEY_BYTES} bytes or more"
        ));
    }
    Ok(())
}

/// Which sinks are enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// None: nothing is written anywhere.
    Off,
    /// Lines on stderr.
    Stderr,
    /// Events in Sentry.
    Sentry,
    /// Lines on stderr, and events in Sentry.
    Both,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Mode; 4] = [Mode::Off, Mode::Stderr, Mode::Sentry, Mode::Both];

    /// Its name in the settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Mode::Off => "off",
            Mode::Stderr => "stderr",
            Mode::Sentry => "sentry",
            Mode::Both => "both",
        }
    }
}

/// The format of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// JSON in prod, pretty in dev.
    Auto,
    /// One line of JSON per record.
    Json,
    /// For reading in a terminal.
    Pretty,
}

/// When records in the pretty format are colored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Color {
    /// On a terminal, unless a variable of the environment says otherwise.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The detail recorded of a response, or of a request's body, in increasing order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResponseLog {
    /// Nothing.
    Off,
    /// Everything but the content.
    Metadata,
    /// The redacted content too.
    #[serde(rename(deserialize = "redacted"))]
    Body,
}

impl ResponseLog {
    /// The name in listings of routes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ResponseLog::Off => "off",
            ResponseLog::Metadata => "metadata",
            ResponseLog::Body => "body",
        }
    }

    /// The name in the settings: `Body` is `redacted` there, because the setting says what happens to the content, while a
    /// listing of routes says what a record contains.
    #[must_use]
    pub const fn as_setting(self) -> &'static str {
        match self {
            ResponseLog::Body => "redacted",
            other => other.as_str(),
        }
    }
}

/// Removes the level that `RUST_LOG` sets for a module, so that a layer of higher precedence can set it.
pub fn remove_rust_log_level(log: &mut LogSettings, origins: &mut Vec<Origin>, module: &str) {
    let key = format!("log.levels.{module}");
    if origins.iter().any(|origin| origin.key == key && origin.set_by == rust_log::NAME) {
        origins.retain(|origin| origin.key != key);
        log.levels.remove(module);
    }
}
