//! The settings `sentry.*`.

use std::time::Duration;

use cyanotype_settings::section;

use crate::level::Level;

section! {
    /// The settings `sentry.*`.
    pub struct SentrySettings {
        /// DSN of the Sentry project; when unset, Sentry is disabled
        #[setting(Secret, env = "SENTRY_DSN", check = check_dsn)]
        pub dsn: Option<String>,
        /// environment of events in Sentry; `env` when unset
        #[setting(Text, env = "SENTRY_ENVIRONMENT")]
        pub environment: Option<String>,
        /// release of events in Sentry; name@version when unset
        #[setting(Text, env = "SENTRY_RELEASE")]
        pub release: Option<String>,
        /// minimum level of log lines and responses that become breadcrumbs
        #[setting(one_of::<Level>(), default = "info")]
        pub breadcrumb_level: Level,
        /// minimum level of log lines that become events instead of breadcrumbs
        #[setting(one_of::<Level>(), default = "error")]
        pub event_level: Level,
        /// maximum number of breadcrumbs of an event; the oldest are dropped
        #[setting(Integer(0, 1000), default = 100)]
        pub max_breadcrumbs: usize,
        /// fraction of events that are sent
        #[setting(Number(0.0, 1.0), default = 1.0)]
        pub sample_rate: f64,
        /// fraction of requests that are sent as transactions
        #[setting(Number(0.0, 1.0), default = 0)]
        pub traces_sample_rate: f32,
        /// whether a caller's sampling decision (`traceparent`, `sentry-trace`) takes precedence over the rate, and is passed on
        #[setting(Bool, default = true)]
        pub traces_follow_caller: bool,
        /// whether the outcomes of requests are counted, and sent once a minute as sessions (release health); needs a release
        #[setting(Bool, default = false)]
        pub sessions: bool,
        /// directory that stores events while Sentry is unavailable; created if missing; several processes may share it; when
        /// unset, such events are written to stderr in full
        #[setting(Text)]
        pub spool_dir: Option<String>,
        /// maximum size of the spool, in bytes; the oldest events are dropped
        #[setting(Integer(0, u64::MAX), default = 67108864)]
        pub spool_max_bytes: u64,
        /// maximum age of an event in the spool, in seconds; older events are dropped
        #[setting(Integer(1, u64::MAX), default = 604800)]
        spool_max_age_s: u64,
    }
}

impl SentrySettings {
    /// Whether some requests are sent as transactions.
    #[must_use]
    pub fn has_transactions(&self) -> bool {
        self.traces_sample_rate > 0.0
    }

    /// The maximum age of an event in the spool.
    #[must_use]
    pub fn spool_max_age(&self) -> Duration {
        Duration::from_secs(self.spool_max_age_s)
    }
}

/// Checks that a DSN has the form `https://KEY@HOST/PROJECT`.
fn check_dsn(dsn: &str) -> Result<(), String> {
    let invalid = |problem: &str| Err(format!("invalid DSN: {problem}; expected https://KEY@HOST/PROJECT"));
    let Some((scheme, rest)) = dsn.split_once("://") else { return invalid("it is not a URL") };
    if !matches!(scheme, "http" | "https") {
        return invalid("its scheme is neither http nor https");
    }
    let Some((key, location)) = rest.rsplit_once('@') else { return invalid("it has no key") };
    let Some((host, project)) = location.rsplit_once('/') else { return invalid("it has no project") };
    let port_is_bad =
        host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']') && port.parse::<u16>().is_err());
    if key.trim_matches(':').is_empty() {
        invalid("it has no key")
    } else if host.is_empty() || port_is_bad || dsn.contains(char::is_whitespace) {
        invalid("it has no valid host")
    } else if project.is_empty() || project.contains(['?', '#']) {
        invalid("it has no project")
    } else if url::Url::parse(dsn).is_err() {
        invalid("it is not a valid URL")
    } else {
        Ok(())
    }
}
