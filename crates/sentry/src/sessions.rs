//! Release health: how many requests of a release fail, counted per minute.

use std::sync::{Arc, Once};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cyanotype_telemetry::request::RequestEnd;
use parking_lot::{Condvar, Mutex};
use sentry::protocol::{SessionAggregateItem, SessionAggregates, SessionAttributes};
use sentry::{Client, ClientOptions};

/// Counts are sent at most once in this time, and each covers as long.
const INTERVAL: Duration = Duration::from_secs(60);

/// Counts requests, and sends the counts once a minute and at shutdown.
pub(crate) struct Sessions {
    client: Arc<Client>,
    /// `None` without a release: Sentry rejects such counts.
    attributes: Option<SessionAttributes<'static>>,
    state: Mutex<State>,
    /// Locked while counts are sent: the transport is closed after the last ones.
    sending: Mutex<()>,
    closing: Condvar,
    missing_release: Once,
}

#[derive(Default)]
struct State {
    /// One for each minute, oldest first.
    counts: Vec<SessionAggregateItem>,
    closed: bool,
}

impl Sessions {
    /// Starts the thread that sends the counts with this client.
    pub(crate) fn start(client: Arc<Client>) -> Arc<Self> {
        let sessions = Arc::new(Self {
            attributes: attributes(client.options()),
            client,
            state: Mutex::default(),
            sending: Mutex::default(),
            closing: Condvar::new(),
            missing_release: Once::new(),
        });
        let own = Arc::clone(&sessions);
        let thread = std::thread::Builder::new().name("sentry-sessions".into()).spawn(move || own.run());
        thread.expect("the thread that sends sessions to Sentry cannot be started");
        sessions
    }

    fn run(&self) {
        cyanotype_telemetry::mute_this_thread();
        loop {
            let mut state = self.state.lock();
            self.closing.wait_while_for(&mut state, |state| !state.closed, INTERVAL);
            if state.closed {
                return;
            }
            drop(state);
            self.send();
        }
    }

    /// Counts a request that has ended.
    pub(crate) fn count(&self, end: &RequestEnd) {
        if self.attributes.is_none() {
            self.missing_release.call_once(|| {
                tracing::warn!(
                    "sentry.sessions needs a release, and there is none: no sessions are sent; set sentry.release"
                );
            });
            return;
        }
        add(&mut self.state.lock().counts, SystemTime::now(), end);
    }

    /// Sends what has been counted since the last call.
    fn send(&self) {
        let _sending = self.sending.lock();
        let aggregates = std::mem::take(&mut self.state.lock().counts);
        if let Some(attributes) = self.attributes.clone().filter(|_| !aggregates.is_empty()) {
            self.client.send_envelope(SessionAggregates { aggregates, attributes }.into());
        }
    }

    /// Ends the thread, and sends the last counts.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.closing.notify_all();
        self.send();
    }
}

fn attributes(options: &ClientOptions) -> Option<SessionAttributes<'static>> {
    let release = options.release.clone()?;
    Some(SessionAttributes { release, environment: options.environment.clone(), ip_address: None, user_agent: None })
}

fn add(counts: &mut Vec<SessionAggregateItem>, now: SystemTime, end: &RequestEnd) {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let started = UNIX_EPOCH + Duration::from_secs(seconds - seconds % INTERVAL.as_secs());
    if counts.last().is_none_or(|last| last.started != started) {
        counts.push(SessionAggregateItem {
            started,
            distinct_id: None,
            exited: 0,
            errored: 0,
            abnormal: 0,
            crashed: 0,
        });
    }
    let Some(last) = counts.last_mut() else { return };
    let count = match end {
        RequestEnd { has_panicked: true, .. } => &mut last.crashed,
        RequestEnd { has_failed: true, .. } | RequestEnd { status: Some(500..), .. } => &mut last.errored,
        _ => &mut last.exited,
    };
    *count = count.saturating_add(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_counted_without_a_release() {
        let count = |release: Option<&'static str>| {
            let sessions = Sessions::start(Arc::new(Client::with_options(ClientOptions::new().maybe_release(release))));
            sessions.count(&RequestEnd { status: Some(200), has_failed: false, has_panicked: false });
            let counted = sessions.state.lock().counts.len();
            sessions.close();
            counted
        };
        assert_eq!([count(None), count(Some("shop@1.2.3"))], [0, 1]);
    }

    #[test]
    fn requests_are_counted_by_minute_and_outcome() {
        let mut counts = Vec::new();
        let end = |status, has_failed, has_panicked| RequestEnd { status, has_failed, has_panicked };
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        for (seconds, end) in [
            (61, end(Some(200), false, false)),
            (62, end(Some(404), false, false)),
            (63, end(None, false, false)),
            (64, end(Some(200), true, false)),
            (65, end(Some(503), false, false)),
            (119, end(Some(500), true, true)),
            (120, end(Some(204), false, false)),
        ] {
            add(&mut counts, at(seconds), &end);
        }
        let counted: Vec<_> = counts.iter().map(|it| (it.started, it.exited, it.errored, it.crashed)).collect();
        assert_eq!(counted, [(at(60), 3, 2, 1), (at(120), 1, 0, 0)]);
    }
}
