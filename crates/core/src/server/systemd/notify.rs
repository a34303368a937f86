//! Notifications to systemd (`Type=notify`). They are sent to the socket in `NOTIFY_SOCKET`; without it, nothing is sent.

use std::env;
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

/// How often a long start asks for more time. It must be shorter than systemd's `TimeoutStartSec=`.
const EXTENSION_INTERVAL: Duration = Duration::from_secs(5);
/// The time that it asks for.
const EXTENSION: Duration = Duration::from_secs(30);
/// Time that the process needs to end after its own budget for the stop.
const EXIT_MARGIN: Duration = Duration::from_secs(2);

/// What the service manager knows of the process: a reload is reported only while it serves.
static PHASE: AtomicU8 = AtomicU8::new(STARTING);
const STARTING: u8 = 0;
const SERVING: u8 = 1;
const STOPPING: u8 = 2;

/// Whether a service manager waits for notifications.
pub(in crate::server) fn is_expected() -> bool {
    env::var_os("NOTIFY_SOCKET").is_some()
}

/// The service is ready.
///
/// # Errors
/// When the service manager's socket does not accept the message.
pub(in crate::server) fn ready(status: &str) -> io::Result<()> {
    if PHASE.compare_exchange(STARTING, SERVING, Ordering::Relaxed, Ordering::Relaxed).is_err() {
        return Ok(());
    }
    sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&line(status))])
}

/// What the service does now, as `systemctl status` shows it.
pub(in crate::server) fn status(status: &str) {
    send(&[NotifyState::Status(&line(status))]);
}

/// The service reloads its settings, until [`reloaded`].
pub(in crate::server) fn reloading() {
    if PHASE.load(Ordering::Relaxed) != SERVING {
        return;
    }
    // The time is read last: systemd ignores messages that are older.
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        send(&[NotifyState::Reloading, now]);
    }
}

/// The settings have been reloaded, or not; the status says so.
pub(in crate::server) fn reloaded(status: &str) {
    if PHASE.load(Ordering::Relaxed) == SERVING {
        send(&[NotifyState::Ready, NotifyState::Status(&line(status))]);
    }
}

/// The service stops, which takes at most `budget`: a unit's `TimeoutStopSec=` may be shorter.
pub(in crate::server) fn stopping(reason: &str, budget: Duration) {
    PHASE.store(STOPPING, Ordering::Relaxed);
    let (extension, status) = (extension(budget + EXIT_MARGIN), format!("stopping on {reason}"));
    send(&[NotifyState::Stopping, NotifyState::Custom(&extension), NotifyState::Status(&line(&status))]);
}

/// All listeners respond.
pub(in crate::server) fn alive() {
    send(&[NotifyState::Watchdog]);
}

/// Runs a step of the start that may rightly take longer than `TimeoutStartSec=`, such as migrations.
pub(in crate::server) async fn extend_start<T>(step: impl Future<Output = T>) -> T {
    let mut ticks = interval(EXTENSION_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut step = std::pin::pin!(step);
    loop {
        tokio::select! {
            result = &mut step => return result,
            _ = ticks.tick() => send(&[NotifyState::Custom(&extension(EXTENSION))]),
        }
    }
}

/// `NotifyState::ExtendTimeoutUsec` holds at most 71 minutes.
fn extension(time: Duration) -> String {
    format!("EXTEND_TIMEOUT_USEC={}", time.as_micros())
}

/// A message is a list of lines, so a status must be one.
fn line(status: &str) -> String {
    status.replace(['\n', '\r'], " ")
}

fn send(states: &[NotifyState<'_>]) {
    // `ready` reports a socket that does not accept messages; the service runs without a manager, too.
    let _ = sd_notify::notify(states);
}
