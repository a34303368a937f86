//! The end of the queue: writes batches of lines to fd 2 from the one thread that may block on it.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rustix::pipe::fcntl_setpipe_size;

use super::queue::{Batch, Shared};
use crate::record::Kind;

/// What a pipe is asked to hold: no more than supervisord reads once its child has ended (`os.read(fd, 2 << 16)`, once).
pub(super) const PIPE: usize = 1 << 17;
/// How long lines may gather before the next write, once one has been written: under load a write takes many of them, and
/// its reader wakes as rarely. The first line after a pause is written at once.
const GATHER: Duration = Duration::from_millis(2);
/// Between two tries at a pipe that nobody reads any more.
const PAUSE: Duration = Duration::from_millis(200);
/// Tries before a batch is given up and counted.
const TRIES: u32 = 5;

pub(super) struct Writer<F> {
    file: Option<File>,
    shared: Arc<Shared>,
    loss_line: F,
    /// Whether the last batch was given up: then one try tells whether anybody reads again.
    broken: bool,
    /// Whether it was given up in the middle of a line.
    torn: bool,
}

impl<F: Fn(&[(Kind, u64)]) -> Vec<u8>> Writer<F> {
    pub fn new(shared: Arc<Shared>, loss_line: F) -> Self {
        // A descriptor of our own, so that no lock of the standard library's is held while a write blocks. The open file
        // behind it stays the one that was inherited, with its flags.
        let file = io::stderr().as_fd().try_clone_to_owned().ok().map(File::from);
        if let Some(file) = &file {
            // Where it is a pipe, and the system allows: a reader that pauses is noticed later.
            let _ = fcntl_setpipe_size(file, PIPE);
        }
        Self { file, shared, loss_line, broken: false, torn: false }
    }

    /// Writes all that waits, and what comes meanwhile. A panic, which its hook has reported, costs a batch and not the
    /// thread.
    fn write_waiting(&mut self) {
        while let Some(mut batch) = self.shared.take() {
            let charge = batch.charge();
            let written = catch_unwind(AssertUnwindSafe(|| self.write_batch(&mut batch))).unwrap_or(0);
            let lost: Vec<Kind> = batch.lines.iter().filter(|(_, end)| *end > written).map(|(kind, _)| *kind).collect();
            self.shared.done(charge, batch, lost.into_iter());
            if written > 0 {
                let _ = catch_unwind(AssertUnwindSafe(|| self.say_losses()));
                if !self.shared.is_full() {
                    std::thread::sleep(GATHER);
                }
            }
        }
    }

    /// Gives back how many of its bytes were written.
    fn write_batch(&mut self, batch: &mut Batch) -> usize {
        if std::mem::take(&mut self.torn) {
            // What was torn stays so, and no line after it.
            batch.bytes.insert(0, b'\n');
            batch.lines.iter_mut().for_each(|(_, end)| *end += 1);
        }
        let bytes = &batch.bytes;
        let mut written = 0;
        let mut tries = 0;
        let most = if self.broken { 1 } else { TRIES };
        while written < bytes.len() && tries < most {
            match self.file.as_mut().map(|file| file.write(&bytes[written..])) {
                Some(Ok(0)) | None => tries = most,
                Some(Ok(bytes)) => written += bytes,
                Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                // Whoever shares the pipe may have made it non-blocking: then it is full, not broken.
                Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(PAUSE / 20),
                Some(Err(_)) => {
                    tries += 1;
                    if tries < most {
                        std::thread::sleep(PAUSE);
                    }
                }
            }
        }
        self.broken = written < bytes.len();
        self.torn = self.broken && written > 0 && bytes[written - 1] != b'\n';
        written
    }

    /// Says what was dropped, now that the log flows.
    fn say_losses(&mut self) {
        let (Some(counts), Some(file)) = (self.shared.take_dropped(), self.file.as_mut()) else { return };
        if file.write_all(&(self.loss_line)(&counts)).is_err() {
            self.shared.count_dropped(&counts);
        }
    }
}

/// What the appender's thread calls when it is woken. It never fails: an error would end the thread.
impl<F: Fn(&[(Kind, u64)]) -> Vec<u8>> Write for Writer<F> {
    fn write(&mut self, wake: &[u8]) -> io::Result<usize> {
        self.write_waiting();
        Ok(wake.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
