//! Sentry: where it is, what it gets, and what waits for it.

use std::time::Duration;

use cyanotype_settings::section;

use crate::level::Level;

section! {
    /// Sentry: where it is, what it gets, and what waits for it.
    pub struct SentrySettings {
        /// where Sentry is; without it there is no Sentry
        #[setting(Secret, env = "SENTRY_DSN", check = check_dsn)]
        pub dsn: Option<String>,
        /// the environment events are filed under; `env` when not set
        #[setting(Text, env = "SENTRY_ENVIRONMENT")]
        pub environment: Option<String>,
        /// the release events are filed under; name@version when not set
        #[setting(Text, env = "SENTRY_RELEASE")]
        pub release: Option<String>,
        /// logger lines and responses from it up are breadcrumbs
        #[setting(one_of::<Level>(), default = "info")]
        pub breadcrumb_level: Level,
        /// logger lines from it up are events, not breadcrumbs
        #[setting(one_of::<Level>(), default = "error")]
        pub event_level: Level,
        /// the newest breadcrumbs that an event carries
        #[setting(Whole(0, 1000), default = 100)]
        pub max_breadcrumbs: usize,
        /// the share of events that are sent
        #[setting(Number(0.0, 1.0), default = 1.0)]
        pub sample_rate: f64,
        /// the share of requests that are sent as transactions
        #[setting(Number(0.0, 1.0), default = 0)]
        pub traces_sample_rate: f32,
        /// a directory for events that cannot be sent at once, made when it is missing; several processes may share it;
        /// without it such events go to stderr in full
        #[setting(Text)]
        pub spool_dir: Option<String>,
        /// bytes that the spool may hold; the oldest events make room
        #[setting(Whole(0, u64::MAX), default = 67108864)]
        pub spool_max_bytes: u64,
        /// seconds that an event may wait in the spool
        #[setting(Whole(1, u64::MAX), default = 604800)]
        spool_max_age_s: u64,
    }
}

impl SentrySettings {
    /// Whether requests are sent as transactions, some of them.
    #[must_use]
    pub fn has_transactions(&self) -> bool {
        self.traces_sample_rate > 0.0
    }

    /// How long an event may wait in the spool.
    #[must_use]
    pub fn spool_max_age(&self) -> Duration {
        Duration::from_secs(self.spool_max_age_s)
    }
}

/// A DSN is `https://KEY@HOST/PROJECT`.
fn check_dsn(dsn: &str) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("this DSN {what}; allowed is https://KEY@HOST/PROJECT"));
    let Some((scheme, rest)) = dsn.split_once("://") else { return wrong("is no URL") };
    if !matches!(scheme, "http" | "https") {
        return wrong("is neither http nor https");
    }
    let Some((key, location)) = rest.rsplit_once('@') else { return wrong("has no key") };
    let Some((host, project)) = location.rsplit_once('/') else { return wrong("has no project") };
    let port_is_bad =
        host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']') && port.parse::<u16>().is_err());
    if key.trim_matches(':').is_empty() {
        wrong("has no key")
    } else if host.is_empty() || port_is_bad || dsn.contains(char::is_whitespace) {
        wrong("has no usable host")
    } else if project.is_empty() || project.contains(['?', '#']) {
        wrong("has no project")
    } else if url::Url::parse(dsn).is_err() {
        wrong("cannot be read")
    } else {
        Ok(())
    }
}
