//! The settings `sentry.*`.

use std::time::Duration;

use cyanotype_settings::section;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::{Env, sentry_names as names};
use crate::ignored::IgnoredTypes;
use crate::level::Level;

section! {
    /// The settings `sentry.*`.
    pub struct SentrySettings {
        /// DSN of the Sentry project; when unset, Sentry is disabled
        #[setting(Secret, env = "SENTRY_DSN", check = check_dsn)]
        pub dsn: Option<String>,
        /// PEM file with certificates of authorities that Sentry's certificate may be signed by, in addition to the system's;
        /// read at startup
        #[setting(Text, check = check_ca_file)]
        pub ca_file: Option<String>,
        /// environment of events in Sentry; `env` when unset; at most 64 characters, and none that Sentry rejects
        #[setting(Text, env = "SENTRY_ENVIRONMENT", check = names::check_environment)]
        pub environment: Option<String>,
        /// release of events in Sentry; name@version when unset; at most 200 characters, and none that Sentry rejects
        #[setting(Text, env = "SENTRY_RELEASE", check = names::check_release)]
        pub release: Option<String>,
        /// distribution of the release, for example a build number; at most 64 characters
        #[setting(Text, check = names::check_dist)]
        pub dist: Option<String>,
        /// name of this machine in events; the host name when unset; `off` sends none
        #[setting(Text)]
        server_name: Option<String>,
        /// in dev, copies what is sent to Sentry to Spotlight, Sentry's viewer for development: its URL, or `true` for
        /// http://localhost:8969/stream; also works without sentry.dsn
        #[setting(Text, env = "SENTRY_SPOTLIGHT", check = check_spotlight)]
        spotlight: Option<String>,
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
        /// types of errors that are not sent, such as sqlx::Error or Timeout: the name in exception.type or that of the root
        /// cause, in full or its last segment; they are logged as errors that sampling excludes
        #[serde(default)]
        #[setting(List)]
        ignore: Vec<String>,
        /// fraction of requests that are sent as transactions
        #[setting(Number(0.0, 1.0), default = 0)]
        pub traces_sample_rate: f32,
        /// whether a caller's sampling decision (`traceparent`, `sentry-trace`) takes precedence over the rate, and is passed on
        #[setting(Bool, default = true)]
        pub traces_follow_caller: bool,
        /// whether the outcomes of requests are counted, and sent once a minute as sessions (release health); needs a release
        #[setting(Bool, default = false)]
        pub sessions: bool,
        /// whether log lines from log.level up are also sent to Sentry's Logs
        #[setting(Bool, default = false)]
        pub logs: bool,
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
        /// crates and modules whose frames are code of the application, such as shop::orders; wins over in_app_exclude
        #[serde(default)]
        #[setting(List)]
        pub in_app_include: Vec<String>,
        /// crates and modules whose frames are not code of the application; by default those outside the program's workspace
        #[serde(default)]
        #[setting(List)]
        pub in_app_exclude: Vec<String>,
    }
}

impl SentrySettings {
    /// The name of this machine in events; `None` if none is to be sent.
    #[must_use]
    pub fn server_name(&self) -> Option<String> {
        match self.server_name.as_deref() {
            Some("" | "off") => None,
            Some(name) => Some(name.to_owned()),
            None => rustix::system::uname().nodename().to_str().ok().filter(|name| !name.is_empty()).map(str::to_owned),
        }
    }

    /// The URL of a local Spotlight, if it gets copies; only in dev.
    #[must_use]
    pub fn spotlight(&self, env: Env) -> Option<String> {
        let value = self.spotlight.as_deref().filter(|_| env == Env::Dev)?;
        if is_switch(value, SPOTLIGHT_OFF) {
            return None;
        }
        Some(if is_switch(value, SPOTLIGHT_ON) { SPOTLIGHT_URL } else { value }.to_owned())
    }

    /// Whether some requests are sent as transactions.
    #[must_use]
    pub fn has_transactions(&self) -> bool {
        self.traces_sample_rate > 0.0
    }

    /// The types of errors that are not sent.
    #[must_use]
    pub fn ignored_types(&self) -> IgnoredTypes {
        IgnoredTypes::new(&self.ignore)
    }

    /// The maximum age of an event in the spool.
    #[must_use]
    pub fn spool_max_age(&self) -> Duration {
        Duration::from_secs(self.spool_max_age_s)
    }
}

/// Checks that a DSN has the form `https://KEY@HOST/PROJECT`; a port, and a path before the project, may follow the host.
fn check_dsn(dsn: &str) -> Result<(), String> {
    let invalid = |problem: &str| Err(format!("invalid DSN: {problem}; expected https://KEY@HOST/PROJECT"));
    let Some((scheme, rest)) = dsn.split_once("://") else { return invalid("it is not a URL") };
    if !matches!(scheme, "http" | "https") {
        return invalid("its scheme is neither http nor https");
    }
    let Some((key, location)) = rest.rsplit_once('@') else { return invalid("it has no key") };
    let Some((host, path)) = location.split_once('/') else { return invalid("it has no project") };
    let project = path.strip_suffix('/').unwrap_or(path).rsplit('/').next().unwrap_or_default();
    let port_is_bad =
        host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']') && port.parse::<u16>().is_err());
    if key.trim_matches(':').is_empty() {
        invalid("it has no key")
    } else if host.is_empty() || port_is_bad || dsn.contains(char::is_whitespace) {
        invalid("it has no valid host")
    } else if project.is_empty() || path.contains(['?', '#']) {
        invalid("it has no project")
    } else if url::Url::parse(dsn).is_err() {
        invalid("it is not a valid URL")
    } else {
        Ok(())
    }
}

/// Where Spotlight listens by default.
const SPOTLIGHT_URL: &str = "http://localhost:8969/stream";
const SPOTLIGHT_ON: &[&str] = &["true", "1", "yes", "on", "y", "t"];
const SPOTLIGHT_OFF: &[&str] = &["", "false", "0", "no", "off", "n", "f"];

fn is_switch(value: &str, switch: &[&str]) -> bool {
    switch.iter().any(|word| value.trim().eq_ignore_ascii_case(word))
}

fn check_spotlight(value: &str) -> Result<(), String> {
    let is_url = || url::Url::parse(value).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if is_switch(value, SPOTLIGHT_ON) || is_switch(value, SPOTLIGHT_OFF) || is_url() {
        return Ok(());
    }
    Err(format!("`{value}` is neither true, false nor a URL"))
}

/// Checks that a file has certificates of authorities.
fn check_ca_file(path: &str) -> Result<(), String> {
    let unusable = |problem: String| format!("cannot use `{path}`: {problem}");
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
    let mut count = 0;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        webpki::anchor_from_trusted_cert(&certificate)
            .map_err(|error| unusable(format!("invalid certificate: {error}")))?;
        count += 1;
    }
    if count == 0 { Err(unusable("it has no certificate in PEM format".into())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dsn_may_have_a_port_and_a_path() {
        for dsn in [
            "https://k@host/1",
            "https://k@host:9000/sentry/1",
            "http://k:secret@[::1]:9000/a/b/1",
            "https://k@host/1/",
        ] {
            assert_eq!(check_dsn(dsn), Ok(()), "{dsn}");
        }
        for (dsn, problem) in [
            ("https://k@host:port/sentry/1", "no valid host"),
            ("https://k@/1", "no valid host"),
            ("https://k@host", "no project"),
            ("https://k@host/", "no project"),
            ("https://k@host/sentry//", "no project"),
            ("https://k@host/sentry/1?a=b", "no project"),
            ("https://host/1", "no key"),
            ("ftp://k@host/1", "scheme"),
        ] {
            let error = check_dsn(dsn).expect_err("it is invalid");
            assert!(error.contains(problem), "{dsn}: {error}");
        }
    }

    #[test]
    fn a_ca_file_must_have_valid_certificates() {
        let dir = test_harness::scratch::Scratch::new("ca-file");
        let error = |name: &str, content: Option<&str>| {
            let path = dir.join(name);
            if let Some(content) = content {
                std::fs::write(&path, content).expect("it is written");
            }
            let error = check_ca_file(path.to_str().expect("it is text")).expect_err("it is unusable");
            assert!(error.contains(name), "{error}");
            error
        };
        error("missing.pem", None);
        let no_certificate = error("empty.pem", Some("not PEM"));
        assert!(no_certificate.ends_with("it has no certificate in PEM format"), "{no_certificate}");
        let block = |content: &str| format!("-----BEGIN CERTIFICATE-----\n{content}\n-----END CERTIFICATE-----\n");
        let invalid = error("invalid.pem", Some(&block("AAAA")));
        assert!(invalid.contains("invalid certificate"), "{invalid}");
        error("broken.pem", Some(&block("!")));
    }
}
