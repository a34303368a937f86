//! Checks the connection to Sentry without storing an event.
//!
//! It sends a client report without losses. Sentry's Relay and compatible servers check the key and the project for it as for an
//! event, and then discard it; for an envelope without items Relay answers 200 before it checks the key.

use std::path::Path;
use std::time::Duration;

use cyanotype_telemetry::Settings;
use jiff::{SignedDuration, Timestamp};
use sentry::Envelope;
use sentry::protocol::ClientReport;
use sentry::protocol::client_report::Item;
use sentry::types::{Dsn, Scheme};

use crate::endpoint::Endpoint;
use crate::gate::Gate;
use crate::options::options;
use crate::queued_envelope::QueuedEnvelope;
use crate::{clock, proxy};

/// A smaller difference is the time of the request, and the resolution of the header.
const NOTABLE_OFFSET: SignedDuration = SignedDuration::from_secs(30);

/// What a check of the connection found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionCheck {
    /// What was found, without the key.
    pub found: String,
    /// What to do; `None` if nothing.
    pub remedy: Option<String>,
    /// Whether Sentry would accept an event.
    pub works: bool,
}

/// Checks name, connection, TLS and key of the DSN. It takes at most five seconds.
#[must_use]
pub fn check_connection(settings: &Settings) -> ConnectionCheck {
    let failed = |found: String, remedy: &str| ConnectionCheck { found, remedy: Some(remedy.into()), works: false };
    let options = options(settings, Gate::default()).map(sentry::apply_defaults);
    let Some((dsn, user_agent)) = options.and_then(|options| Some((options.dsn.clone()?, options.user_agent))) else {
        return failed("sentry.dsn is not a valid DSN".into(), "set SENTRY_DSN to https://KEY@HOST/PROJECT");
    };
    let ca_file = settings.sentry.ca_file.as_deref().map(Path::new);
    let (endpoint, problems) = Endpoint::new(&dsn, &user_agent, ca_file, clock::system());
    let mut envelope = Envelope::new();
    envelope.add_item(ClientReport::new(std::iter::empty::<Item>()));
    let Some(envelope) = QueuedEnvelope::new(&envelope) else {
        return failed("the client report cannot be serialized".into(), "report this as a bug");
    };
    let target = target(&dsn);
    let mut check = match endpoint.send(&envelope.bytes) {
        Ok(response) => {
            let date = response.headers().get("date").and_then(|date| date.to_str().ok());
            let mut check = answered(&dsn, &target, response.status().as_u16());
            if let Some(offset) = date.and_then(offset).filter(|_| check.remedy.is_none()) {
                let direction = if offset.is_negative() { "behind" } else { "ahead" };
                let away = Duration::from_secs(offset.unsigned_abs().as_secs()).as_secs();
                check.found = format!("{}; Sentry's clock is {away} s {direction}", check.found);
                check.remedy = Some("synchronize the clock of this machine: Sentry shows events at other times".into());
            }
            check
        }
        Err(error) => {
            let remedy = remedy(&error, dsn.scheme());
            failed(format!("{target}: {error}"), remedy)
        }
    };
    if !problems.is_empty() {
        check.found = format!("{}; {}", check.found, problems.join("; "));
        check.remedy.get_or_insert_with(|| "correct the variable or the file".into());
    }
    check
}

/// The server, and the proxy on the way to it; without the key.
fn target(dsn: &Dsn) -> String {
    let proxy = proxy::from_env(dsn, |name| std::env::var(name).ok()).ok().flatten();
    let by = proxy.map(|proxy| format!(" through the proxy {}:{}", proxy.host(), proxy.port())).unwrap_or_default();
    format!("{}://{}:{}{by}", dsn.scheme(), dsn.host(), dsn.port())
}

/// How far Sentry's clock is ahead, if that is notable.
fn offset(date: &str) -> Option<SignedDuration> {
    let there = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    Some(there.duration_since(Timestamp::now())).filter(|offset| offset.abs() >= NOTABLE_OFFSET)
}

fn answered(dsn: &Dsn, target: &str, status: u16) -> ConnectionCheck {
    let project = dsn.project_id();
    let tls = if dsn.scheme() == Scheme::Https { "TLS is trusted, " } else { "" };
    let (found, remedy, works) = match status {
        200..=299 => (format!("{target}: {tls}the key of project {project} is accepted"), None, true),
        429 => {
            let found = format!("{target}: {tls}the project is over its limit (429)");
            (found, Some("events wait in the spool: raise the quota of the project"), true)
        }
        401 | 403 => {
            let found = format!("{target}: {tls}the key of project {project} is refused ({status})");
            (found, Some("copy the DSN from the settings of the project (client keys)"), false)
        }
        404 => {
            let found = format!("{target}: {tls}there is no project {project} (404)");
            (found, Some("copy the DSN from the settings of the project, or check the path of the server"), false)
        }
        408 | 500..=599 => {
            let found = format!("{target}: {tls}the server fails ({status})");
            (found, Some("see the logs of Sentry, or of the proxy in front of it"), false)
        }
        status => {
            let found = format!("{target}: {tls}the server answered {status}, as Sentry does not");
            (found, Some("check that the host of the DSN is Sentry"), false)
        }
    };
    ConnectionCheck { found, remedy: remedy.map(str::to_owned), works }
}

fn remedy(error: &ureq::Error, scheme: Scheme) -> &'static str {
    match error {
        ureq::Error::HostNotFound => "check the host of the DSN, and the name servers (getent hosts HOST)",
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => {
            "set sentry.ca_file to the authority of the server, or check its name and its date"
        }
        ureq::Error::Io(error) if error.to_string().contains("certificate") => {
            "set sentry.ca_file to the authority of the server, or check its name and its date"
        }
        ureq::Error::Io(_) if scheme == Scheme::Https => {
            "check the port, the firewall and the proxy, and that the server speaks TLS"
        }
        ureq::Error::ConnectProxyFailed(_) => "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
        _ => "check the port, the firewall and the proxy",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_header_has_an_offset_from_half_a_minute() {
        let at = |seconds: i64| {
            let time = Timestamp::now() + SignedDuration::from_secs(seconds);
            time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
        };
        assert_eq!(offset(&at(0)), None);
        assert!(offset(&at(-40)).is_some_and(|offset| offset.is_negative()));
        assert!(offset(&at(3600)).is_some_and(|offset| offset.as_secs() >= 3598));
        assert_eq!(offset("yesterday"), None);
    }

    #[test]
    fn each_status_has_a_remedy_unless_the_key_is_accepted() {
        let dsn: Dsn = "https://k3y@sentry.example/7".parse().expect("a DSN");
        for (status, works, has_remedy) in [
            (200, true, false),
            (429, true, true),
            (401, false, true),
            (404, false, true),
            (503, false, true),
            (301, false, true),
        ] {
            let check = answered(&dsn, &target(&dsn), status);
            assert_eq!((check.works, check.remedy.is_some()), (works, has_remedy), "{status}");
            assert!(!check.found.contains("k3y"));
        }
    }
}
