//! The signals of a serving process: which stop it, which reload its settings, and which are ignored.

use std::io;
use std::process;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cyanotype_telemetry::{Level, Pipeline, Report};
use rustix::process::Signal as Number;
use tokio::runtime::{self, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, oneshot};

/// The exit status after a second stop signal.
const SECOND_SIGNAL: i32 = 1;
/// The maximum time in which a process that a second stop signal ends writes its last record.
const SECOND_SIGNAL_FLUSH_TIMEOUT: Duration = Duration::from_millis(200);

/// Handlers that are installed before the service starts; the signals wait until [`watch`](Self::watch).
///
/// They have a runtime and a thread of their own: a second stop signal must end the process even while the service's runtime is
/// blocked.
pub(super) struct Handlers {
    runtime: Runtime,
    received: Received,
}

/// The signals that have an effect.
struct Received {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hangup: Signal,
    user_defined1: Signal,
    user_defined2: Signal,
    /// Not awaited. With a handler, a file that reaches its size limit is an error of the write, as a full disk is.
    _file_size: Signal,
}

/// The signals that the service reacts to.
pub(super) struct Signals {
    /// The name of the first stop signal.
    pub stop: oneshot::Receiver<&'static str>,
    /// SIGHUP.
    pub hangup: Arc<Notify>,
}

impl Handlers {
    /// Installs the handlers. Until then each signal ends the process without a record.
    ///
    /// # Errors
    /// When the system refuses a handler, or the descriptors to wait for it.
    pub(super) fn install() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
        let entered = runtime.enter();
        let received = Received {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
            user_defined1: signal(SignalKind::user_defined1())?,
            user_defined2: signal(SignalKind::user_defined2())?,
            _file_size: signal(SignalKind::from_raw(Number::XFSZ.as_raw()))?,
        };
        drop(entered);
        Ok(Self { runtime, received })
    }

    /// Starts the thread that waits for signals.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub(super) fn watch(self, pipeline: &'static Pipeline) -> io::Result<Signals> {
        let Self { runtime, received } = self;
        let (stop, stopped) = oneshot::channel();
        let hangup = Arc::new(Notify::new());
        let watch = watch(received, pipeline, stop, Arc::clone(&hangup));
        thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(watch))?;
        Ok(Signals { stop: stopped, hangup })
    }
}

async fn watch(
    mut received: Received,
    pipeline: &'static Pipeline,
    stop: oneshot::Sender<&'static str>,
    hangup: Arc<Notify>,
) {
    let mut stop = Some(stop);
    loop {
        let stopping = tokio::select! {
            _ = received.terminate.recv() => "SIGTERM",
            _ = received.interrupt.recv() => "SIGINT",
            _ = received.quit.recv() => "SIGQUIT",
            _ = received.hangup.recv() => {
                hangup.notify_one();
                continue;
            }
            _ = received.user_defined1.recv() => {
                ignore(pipeline, "SIGUSR1");
                continue;
            }
            _ = received.user_defined2.recv() => {
                ignore(pipeline, "SIGUSR2");
                continue;
            }
        };
        match stop.take() {
            // This fails only when the service has ended already.
            Some(first) => drop(first.send(stopping)),
            None => end(pipeline, stopping),
        }
    }
}

fn ignore(pipeline: &Pipeline, name: &str) {
    pipeline.report(Report::service(Level::Info, format!("received {name}, which has no effect")).with("signal", name));
}

/// Ends the process at once, even with requests in flight.
fn end(pipeline: &'static Pipeline, name: &'static str) -> ! {
    // On another thread: a sink that is blocked must not delay the end.
    let (written, was_written) = std::sync::mpsc::channel();
    let write_last_record = move || {
        let message = format!("ended by {name} during the shutdown");
        pipeline.report(Report::service(Level::Warning, message).with("signal", name));
        pipeline.finish(Instant::now() + SECOND_SIGNAL_FLUSH_TIMEOUT);
        let _ = written.send(());
    };
    if thread::Builder::new().spawn(write_last_record).is_ok() {
        let _ = was_written.recv_timeout(SECOND_SIGNAL_FLUSH_TIMEOUT);
    }
    process::exit(SECOND_SIGNAL)
}
