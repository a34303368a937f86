//! The names of keys and levels in JSON records. A preset is a table; a line is rendered with our names and then renamed, so
//! that our own schema costs nothing.

use std::borrow::Cow;
use std::fmt::Write;

use super::entries::Entry;
use super::limit::TRUNCATED;
use crate::level::Level;
use crate::settings::{self, LevelNames, LineSettings};

/// The names that a collector expects.
struct Preset {
    severity_key: &'static str,
    level_names: LevelNames,
    /// Our key, and the collector's.
    keys: &'static [(&'static str, &'static str)],
    /// Whether durations are whole nanoseconds instead of milliseconds.
    nanoseconds: bool,
    /// The name of the object for a response's keys of [`HTTP_REQUEST`].
    http_request: Option<&'static str>,
    /// A constant: its key and JSON value.
    constant: Option<(&'static str, &'static str)>,
}

const DEFAULT: Preset = Preset {
    severity_key: "level",
    level_names: LevelNames::Default,
    keys: &[],
    nanoseconds: false,
    http_request: None,
    constant: None,
};

/// The fields that Cloud Logging's agents move to the entry itself. It accepts a trace id without the project on stderr.
/// <https://docs.cloud.google.com/logging/docs/structured-logging>
const GCP: Preset = Preset {
    severity_key: "severity",
    level_names: LevelNames::Gcp,
    keys: &[
        ("timestamp", "time"),
        ("trace_id", "logging.googleapis.com/trace"),
        ("exception.stacktrace", "stack_trace"),
        ("tags", "logging.googleapis.com/labels"),
    ],
    http_request: Some("httpRequest"),
    ..DEFAULT
};

/// <https://www.elastic.co/docs/reference/ecs/ecs-field-reference>
const ECS: Preset = Preset {
    severity_key: "log.level",
    keys: &[
        ("timestamp", "@timestamp"),
        ("target", "log.logger"),
        ("request_id", "http.request.id"),
        ("tags", "labels"),
        ("trace_id", "trace.id"),
        ("exception.type", "error.type"),
        ("exception.message", "error.message"),
        ("exception.stacktrace", "error.stack_trace"),
        ("duration_ms", "event.duration"),
        ("http.request.body.size", "http.request.body.bytes"),
        ("http.response.body.size", "http.response.body.bytes"),
    ],
    nanoseconds: true,
    constant: Some(("ecs.version", "\"8.11.0\"")),
    ..DEFAULT
};

/// <https://docs.datadoghq.com/standard-attributes/>
const DATADOG: Preset = Preset {
    severity_key: "status",
    keys: &[
        ("target", "logger.name"),
        ("request_id", "http.request_id"),
        ("trace_id", "dd.trace_id"),
        ("user", "usr"),
        ("exception.type", "error.kind"),
        ("exception.message", "error.message"),
        ("exception.stacktrace", "error.stack"),
        ("duration_ms", "duration"),
        ("http.request.method", "http.method"),
        ("http.response.status_code", "http.status_code"),
        ("http.request.body.size", "network.bytes_read"),
        ("http.response.body.size", "network.bytes_written"),
        ("url.path", "http.url_details.path"),
        ("client.address", "network.client.ip"),
        ("user_agent.original", "http.useragent"),
    ],
    nanoseconds: true,
    ..DEFAULT
};

/// Our keys that Cloud Logging has in `httpRequest`, and their names there.
const HTTP_REQUEST: [(&str, &str); 9] = [
    ("http.request.method", "requestMethod"),
    ("url.path", "requestUrl"),
    ("url.query", ""),
    ("http.response.status_code", "status"),
    ("duration_ms", "latency"),
    ("http.response.body.size", "responseSize"),
    ("http.request.body.size", "requestSize"),
    ("client.address", "remoteIp"),
    ("user_agent.original", "userAgent"),
];

/// The names in effect: a preset's, or those that the settings state explicitly.
pub(crate) struct Schema {
    severity_key: Cow<'static, str>,
    level_names: LevelNames,
    preset: &'static Preset,
}

impl Schema {
    /// Our own names.
    pub(crate) const DEFAULT: Self =
        Self { severity_key: Cow::Borrowed(DEFAULT.severity_key), level_names: LevelNames::Default, preset: &DEFAULT };

    pub(crate) fn from_settings(settings: &LineSettings) -> Self {
        let preset = match settings.schema {
            settings::Schema::Default => &DEFAULT,
            settings::Schema::Gcp => &GCP,
            settings::Schema::Ecs => &ECS,
            settings::Schema::Datadog => &DATADOG,
        };
        Self {
            severity_key: settings.severity_key.clone().map_or(Cow::Borrowed(preset.severity_key), Cow::Owned),
            level_names: settings.level_names.unwrap_or(preset.level_names),
            preset,
        }
    }

    /// Whether it has only our own names.
    pub(crate) fn is_default(&self) -> bool {
        self.preset.keys.is_empty()
            && self.severity_key == DEFAULT.severity_key
            && self.level_names == LevelNames::Default
    }

    /// Appends the line of a record with these keys and values, including the line feed.
    pub(super) fn write(&self, entries: &[Entry<'_>], out: &mut String) {
        let has_request =
            self.preset.http_request.is_some() && entries.iter().any(|it| it.key == "http.request.method");
        let mut separator = '{';
        for Entry { key, value } in entries {
            let mut pair = |key: &str, value: &str| {
                // Writing to a String cannot fail.
                let _ = write!(out, "{separator}\"{key}\":{value}");
                separator = ',';
            };
            match &**key {
                "level" => pair(self.name(key), level_name(self.level_names, value)),
                "duration_ms" if self.preset.nanoseconds => pair(self.name(key), &nanoseconds(value)),
                TRUNCATED => pair(TRUNCATED, &self.renamed_list(value)),
                // The object stands where its first key did.
                "http.request.method" if has_request => pair(self.name(key), &http_request(entries)),
                _ if has_request && is_in_http_request(key) => {}
                _ => pair(self.name(key), value),
            }
        }
        if let Some((key, value)) = self.preset.constant {
            let _ = write!(out, ",\"{key}\":{value}");
        }
        out.push_str("}\n");
    }

    /// The name of one of our keys.
    pub(crate) fn name<'k>(&'k self, key: &'k str) -> &'k str {
        let Preset { keys, http_request, .. } = self.preset;
        match http_request {
            _ if key == "level" => &self.severity_key,
            Some(name) if is_in_http_request(key) => name,
            _ => keys.iter().find(|(ours, _)| *ours == key).map_or(key, |(_, theirs)| theirs),
        }
    }

    /// The value of `truncated` with the names of this schema.
    fn renamed_list(&self, json: &str) -> String {
        const SEPARATOR: &str = "\",\"";
        // The list is never empty. Its keys stay as they are escaped in the line.
        let keys = json[2..json.len() - 2].split(SEPARATOR);
        let mut names: Vec<&str> = Vec::new();
        for name in keys.map(|key| self.name(key)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        format!("[\"{}\"]", names.join(SEPARATOR))
    }
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Schema({})", self.severity_key)
    }
}

fn is_in_http_request(key: &str) -> bool {
    HTTP_REQUEST.iter().any(|(ours, _)| *ours == key)
}

/// Cloud Logging's `httpRequest`: sizes are strings, the latency is in seconds, and the URL has the query.
fn http_request(entries: &[Entry<'_>]) -> String {
    let mut object = String::new();
    for (ours, theirs) in HTTP_REQUEST {
        let Some(entry) = entries.iter().find(|entry| entry.key == ours) else { continue };
        let value = &*entry.value;
        let value: Cow<'_, str> = match ours {
            "url.path" => match entries.iter().find(|entry| entry.key == "url.query") {
                Some(query) => format!("{}?{}", &value[..value.len() - 1], &query.value[1..]).into(),
                None => value.into(),
            },
            "url.query" => continue,
            "duration_ms" => format!("\"{}s\"", seconds(value)).into(),
            "http.response.body.size" | "http.request.body.size" => format!("\"{value}\"").into(),
            _ => value.into(),
        };
        let separator = if object.is_empty() { '{' } else { ',' };
        let _ = write!(object, "{separator}\"{theirs}\":{value}");
    }
    object.push('}');
    object
}

/// Whole nanoseconds, from milliseconds with three decimals.
fn nanoseconds(ms: &str) -> String {
    let digits = ms.replacen('.', "", 1) + "000";
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() { "0".to_owned() } else { digits.to_owned() }
}

/// Seconds with six decimals, from milliseconds with three.
fn seconds(ms: &str) -> String {
    let mut digits = format!("{:0>7}", ms.replacen('.', "", 1).trim_start_matches('0'));
    digits.insert(digits.len() - 6, '.');
    digits
}

/// The JSON value of a level, from that with our names.
fn level_name(names: LevelNames, ours: &str) -> &str {
    let Ok(level) = ours.trim_matches('"').parse() else { return ours };
    match (names, level) {
        (LevelNames::Default, _) => ours,
        (LevelNames::Syslog, Level::Trace | Level::Debug) => "\"debug\"",
        (LevelNames::Syslog, Level::Info) => "\"info\"",
        (LevelNames::Syslog, Level::Warning) => "\"warning\"",
        (LevelNames::Syslog, Level::Error) => "\"err\"",
        (LevelNames::Syslog, Level::Critical) => "\"crit\"",
        (LevelNames::Gcp, Level::Trace | Level::Debug) => "\"DEBUG\"",
        (LevelNames::Gcp, Level::Info) => "\"INFO\"",
        (LevelNames::Gcp, Level::Warning) => "\"WARNING\"",
        (LevelNames::Gcp, Level::Error) => "\"ERROR\"",
        (LevelNames::Gcp, Level::Critical) => "\"CRITICAL\"",
        (LevelNames::Pino, Level::Trace) => "10",
        (LevelNames::Pino, Level::Debug) => "20",
        (LevelNames::Pino, Level::Info) => "30",
        (LevelNames::Pino, Level::Warning) => "40",
        (LevelNames::Pino, Level::Error) => "50",
        (LevelNames::Pino, Level::Critical) => "60",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_converted_exactly() {
        for (ms, ns, s) in [
            ("0.000", "0", "0.000000"),
            ("0.001", "1000", "0.000001"),
            ("2.345", "2345000", "0.002345"),
            ("61000.001", "61000001000", "61.000001"),
        ] {
            assert_eq!((nanoseconds(ms).as_str(), seconds(ms).as_str()), (ns, s));
        }
    }

    #[test]
    fn no_preset_gives_two_keys_one_name() {
        for preset in [&GCP, &ECS, &DATADOG] {
            let mut names: Vec<&str> = preset.keys.iter().map(|(_, theirs)| *theirs).collect();
            names.push(preset.severity_key);
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count);
        }
    }
}
