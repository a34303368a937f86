//! Stop signals of commands. The service has handlers of its own.

use std::{io, process, thread};

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::CommandError;

/// Calls a function at the first stop signal, on another thread, with the signal's number. The signal ends nothing by itself.
pub(crate) fn on_stop(act: impl FnOnce(i32) + Send + 'static) -> Result<(), CommandError> {
    install(act).map_err(|error| CommandError::Other(format!("cannot install signal handlers: {error}")))
}

/// Lets stop signals end the first process of a container: the kernel does not deliver a signal to it for which it has no handler.
pub(crate) fn end_first_process() -> Result<(), CommandError> {
    match process::id() {
        // As a shell shows the end by a signal.
        1 => on_stop(|number| process::exit(128 + number)),
        _ => Ok(()),
    }
}

fn install(act: impl FnOnce(i32) + Send + 'static) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let entered = runtime.enter();
    let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::quit(), SignalKind::hangup()];
    let [mut terminate, mut interrupt, mut quit, mut hangup] =
        [signal(kinds[0])?, signal(kinds[1])?, signal(kinds[2])?, signal(kinds[3])?];
    drop(entered);
    let wait = async move {
        tokio::select! {
            _ = terminate.recv() => kinds[0],
            _ = interrupt.recv() => kinds[1],
            _ = quit.recv() => kinds[2],
            _ = hangup.recv() => kinds[3],
        }
    };
    let watch = move || act(runtime.block_on(wait).as_raw_value());
    thread::Builder::new().name("signals".to_owned()).spawn(watch).map(drop)
}
