//! What is recorded, and how.

use std::collections::BTreeMap;
use std::time::Duration;

use cyanotype_redact::{Patterns, Redactor};
use cyanotype_settings::{Origin, section};
use serde::{Deserialize, Serialize};

use super::{Env, rust_log};
use crate::level::Level;

section! {
    /// What is recorded, and how.
    pub struct LogSettings {
        /// which sinks there are
        #[setting(one_of::<Mode>(), default = "both")]
        pub mode: Mode,
        /// what a logger says below it reaches no sink; a part LEVEL of RUST_LOG sets it below the files
        #[setting(one_of::<Level>(), default = "info")]
        pub level: Level,
        /// how a record is written; auto is json in prod and pretty in dev
        #[setting(one_of::<LogFormat>(), default = "auto")]
        format: LogFormat,
        /// a level of its own for the logger lines of one crate or module; the longest name that fits wins; actix_server
        /// has warning, or log.level if that is higher, unless it is set here; a part MODULE=LEVEL of RUST_LOG sets it
        /// below the files
        #[setting(each "<module>", one_of::<Level>())]
        pub levels: BTreeMap<String, Level>,
        /// What is recorded of a response.
        #[setting(section)]
        pub response: ResponseLogSettings,
        /// What is recorded of a request.
        #[setting(section)]
        pub request: RequestLogSettings,
        /// What is redacted in any text.
        #[setting(section)]
        pub redact: RedactSettings,
        /// How many reports of one failure there are.
        #[setting(section)]
        pub flood: FloodSettings,
        /// What waits for stderr.
        #[setting(section)]
        pub stderr: StderrSettings,
        /// What is stored for the case that a request fails.
        #[setting(section)]
        pub on_failure: OnFailureSettings,
        /// maximum duration of a log override, in seconds
        #[setting(Whole(1, 604_800), default = 86400)]
        override_max_s: u64,
        /// interval, in seconds, at which the overrides of the fleet are read from the database; on PostgreSQL a notification
        /// comes first
        #[setting(Whole(1, 60), default = 1)]
        override_poll_s: u64,
        /// key that signs the tokens of the header x-debug-log, 16 bytes or more (32 random ones are recommended); when not set,
        /// no token is accepted
        #[setting(Secret, check = check_debug_key)]
        pub debug_key: Option<String>,
    }
    variable "RUST_LOG" = rust_log::read;
}

impl LogSettings {
    /// The redactor of all sinks.
    #[must_use]
    pub fn redactor(&self) -> Redactor {
        Redactor::new(&self.response.redact, self.redact.into())
    }

    /// The longest time that an override holds.
    #[must_use]
    pub fn override_max(&self) -> Duration {
        Duration::from_secs(self.override_max_s)
    }

    /// How often the overrides of the whole fleet are looked at.
    #[must_use]
    pub fn override_poll(&self) -> Duration {
        Duration::from_secs(self.override_poll_s)
    }

    /// Whether records are JSON; `auto` is decided by the environment.
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
    /// What is recorded of a response.
    pub struct ResponseLogSettings {
        /// what is recorded of a response: nothing, all but its content, or its redacted content too
        #[setting(one_of::<ResponseLog>(), default = "redacted")]
        pub body: ResponseLog,
        /// the longest content that is recorded, in bytes
        #[setting(Whole(0, 1 << 24), default = 8192)]
        pub max_bytes: usize,
        /// the content of responses is recorded from this status up; of the others all but their content is
        #[setting(Whole(100, 599), default = 100)]
        pub body_from_status: u16,
        /// the share of successful requests whose responses are recorded; a request of status 400 and up, one that failed
        /// and one that its client left always is
        #[setting(Number(0.0, 1.0), default = 1.0)]
        pub sample_rate: f64,
        /// more keys whose values are never recorded
        #[serde(default)]
        #[setting(List)]
        pub redact: Vec<String>,
    }
}

section! {
    /// What is recorded of a request.
    pub struct RequestLogSettings {
        /// what the record of a response tells of the request's body: nothing, its type and size, or its redacted content
        /// too
        #[setting(one_of::<ResponseLog>(), default = "off")]
        pub body: ResponseLog,
        /// the longest content of a request that is recorded, in bytes
        #[setting(Whole(0, 1 << 24), default = 8192)]
        pub max_bytes: usize,
    }
}

section! {
    /// What is redacted in any text.
    #[derive(Copy)]
    pub struct RedactSettings {
        /// redact what follows the word Bearer, in any text
        #[setting(Switch, default = true)]
        pub bearer: bool,
        /// redact JSON Web Tokens, in any text
        #[setting(Switch, default = true)]
        pub jwt: bool,
        /// redact card numbers, in any text: 13 to 19 digits that begin with 2 to 6 and pass Luhn's check
        #[setting(Switch, default = true)]
        pub card: bool,
        /// redact blocks of private keys, in any text
        #[setting(Switch, default = true)]
        pub private_key: bool,
    }
}

impl From<RedactSettings> for Patterns {
    fn from(RedactSettings { bearer, jwt, card, private_key }: RedactSettings) -> Self {
        Self { bearer, jwt, card, private_key }
    }
}

section! {
    /// How many reports of one failure there are.
    pub struct FloodSettings {
        /// reports of one failure (type, message and route) that are told in log.flood.window_s; of the others their count
        /// is, on stderr and in Sentry; capture_event is exempt
        #[setting(Whole(1, u64::MAX), default = 100)]
        pub limit: u64,
        /// seconds that log.flood.limit is for
        #[setting(Whole(1, 3600), default = 10)]
        window_s: u64,
    }
}

impl FloodSettings {
    /// The time in which no more than `limit` reports of one failure are told.
    #[must_use]
    pub fn window(&self) -> Duration {
        Duration::from_secs(self.window_s)
    }
}

section! {
    /// What waits for stderr.
    pub struct StderrSettings {
        /// bytes that may wait for a slow reader of stderr; what does not fit is counted
        #[setting(Whole(65536, 1 << 30), default = 8388608)]
        pub queue_bytes: usize,
    }
}

section! {
    /// What is stored for the case that a request fails.
    pub struct OnFailureSettings {
        /// minimum level of the lines below log.level that are stored with their request, and written when it fails: a 5xx,
        /// an uncaught failure or a timeout; off stores none
        #[setting(OneOf(OFF_OR_LEVEL), default = "off")]
        level: OffOrLevel,
        /// maximum size, in bytes, of the lines that are stored with one request; the oldest are dropped, and counted
        #[setting(Whole(1024, 1 << 20), default = 16384)]
        pub max_bytes: usize,
    }
}

impl OnFailureSettings {
    /// The minimum level of lines that are stored; `None` stores none.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        match self.level {
            OffOrLevel::Off => None,
            OffOrLevel::Level(level) => Some(level),
        }
    }
}

/// The words of an [`OffOrLevel`].
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

/// HMAC-SHA-256 is as strong as its key, up to the length of its hash.
/// The shortest `log.debug_key`, in bytes. One as long as the MAC, 32 random bytes, is recommended.
pub const MIN_DEBUG_KEY_BYTES: usize = 16;

fn check_debug_key(key: &str) -> Result<(), String> {
    if key.len() < MIN_DEBUG_KEY_BYTES {
        return Err(format!(
            "this key has fewer than {MIN_DEBUG_KEY_BYTES} bytes; allowed are {MIN_DEBUG_KEY_BYTES} or more"
        ));
    }
    Ok(())
}

/// Which sinks there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Plan 0: nothing is written anywhere.
    Off,
    /// Lines on stderr alone.
    Stderr,
    /// Plan 1.
    Sentry,
    /// Plan 2.
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

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// JSON in prod, pretty in dev.
    Auto,
    /// One record is one line of JSON.
    Json,
    /// Made for eyes.
    Pretty,
}

/// How much is recorded of a response, or of a request's body; each says more than the one before.
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
    /// Its name where it is listed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ResponseLog::Off => "off",
            ResponseLog::Metadata => "metadata",
            ResponseLog::Body => "body",
        }
    }

    /// Its name in the settings.
    #[must_use]
    pub const fn setting(self) -> &'static str {
        match self {
            ResponseLog::Body => "redacted",
            other => other.as_str(),
        }
    }
}

/// Removes the level that `RUST_LOG` gives a module, for a layer above it that sets the module's level otherwise.
pub fn remove_rust_log_level(log: &mut LogSettings, origins: &mut Vec<Origin>, module: &str) {
    let key = format!("log.levels.{module}");
    if origins.iter().any(|origin| origin.key == key && origin.set_by == rust_log::NAME) {
        origins.retain(|origin| origin.key != key);
        log.levels.remove(module);
    }
}
