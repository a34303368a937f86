use std::path::Path;

use cyanotype_telemetry::{EventId, Level, Settings};

use crate::gate::Gate;
use crate::options::options;
use crate::{event, transport};

/// Sends a test event, bypassing the queue, and waits for Sentry's response. Used by `app sentry test`.
///
/// # Errors
/// The reason why the event was not delivered.
pub fn send_test_event(settings: &Settings) -> Result<EventId, String> {
    if settings.sentry.dsn.is_none() {
        return Err("no DSN is set; set SENTRY_DSN".into());
    }
    let options = options(settings, Gate::default()).ok_or("sentry.dsn is not a valid DSN")?;
    let dsn = options.dsn.clone().ok_or("no DSN is set; set SENTRY_DSN")?;
    let id = EventId::random();
    let event = sentry::protocol::Event {
        event_id: id.uuid(),
        message: Some("Test event: this service can reach Sentry".into()),
        level: event::level(Level::Info, false),
        release: options.release.clone(),
        environment: options.environment.clone(),
        server_name: options.server_name.clone(),
        dist: settings.sentry.dist.clone().map(Into::into),
        ..Default::default()
    };
    let ca_file = settings.sentry.ca_file.as_deref().map(Path::new);
    let sent = transport::send_now(&dsn, &options.user_agent, ca_file, event);
    sent.map(|()| id)
        .map_err(|reason| format!("{reason}; check sentry.dsn, whose host is {}:{}", dsn.host(), dsn.port()))
}
