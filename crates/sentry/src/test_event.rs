use std::path::Path;
use std::sync::Arc;

use cyanotype_telemetry::failure::Failure;
use cyanotype_telemetry::stack::Stack;
use cyanotype_telemetry::{Level, Settings};
use parking_lot::Mutex;
use sentry::protocol::Event;
use sentry::{Client, Envelope, Transport};

use crate::gate::Gate;
use crate::options::options;
use crate::scrub::Scrubber;
use crate::{event, transport};

#[derive(Debug, thiserror::Error)]
#[error("Test event: this service can reach Sentry")]
struct TestEvent;

/// Stores the envelope that the SDK would send.
#[derive(Default)]
struct Captured(Mutex<Option<Envelope>>);

impl Transport for Captured {
    fn send_envelope(&self, envelope: Envelope) {
        *self.0.lock() = Some(envelope);
    }
}

/// Sends a test event, bypassing the queue, and waits for Sentry's response. Returns the event as it was sent: complete and
/// scrubbed. Used by `app sentry test`.
///
/// # Errors
/// The reason why the event was not delivered.
pub fn send_test_event(settings: &Settings) -> Result<serde_json::Value, String> {
    if settings.sentry.dsn.is_none() {
        return Err("no DSN is set; set SENTRY_DSN".into());
    }
    let options = options(settings, Gate::default()).ok_or("sentry.dsn is not a valid DSN")?;
    let captured = Arc::new(Captured::default());
    let client = Client::with_options(sentry::apply_defaults(options.transport(Arc::clone(&captured))));
    let dsn = client.options().dsn.clone().ok_or("no DSN is set; set SENTRY_DSN")?;
    let failure = Failure::new(&TestEvent, Some(Arc::new(Stack::capture())));
    let event = Event {
        exception: event::exceptions(&failure, false).into(),
        level: event::level(Level::Info, false),
        logger: Some("cyanotype::sentry".into()),
        ..Default::default()
    };
    client.capture_event(event, None);
    let envelope = captured.0.lock().take();
    let mut event = envelope.as_ref().and_then(Envelope::event).cloned().ok_or("the SDK dropped the event")?;
    Scrubber::new(settings).event(&mut event);
    let sent = serde_json::to_value(&event).map_err(|error| error.to_string())?;
    let ca_file = settings.sentry.ca_file.as_deref().map(Path::new);
    transport::send_now(&dsn, &client.options().user_agent, ca_file, &event.into())
        .map_err(|reason| format!("{reason}; check sentry.dsn, whose host is {}:{}", dsn.host(), dsn.port()))?;
    Ok(sent)
}
