//! The end of the queue: batches lines and writes them to fd 2 from the one thread that may block on it.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rustix::pipe::fcntl_setpipe_size;

use super::queue::Shared;
use crate::record::Kind;

/// One write takes this much when more is waiting: what a pipe holds.
const BATCH: usize = 64 * 1024;
/// What a pipe is asked to hold: no more than supervisord reads once its child has ended (`os.read(fd, 2 << 16)`, once).
const PIPE: usize = 1 << 17;
/// Between two tries at a pipe that nobody reads any more.
const PAUSE: Duration = Duration::from_millis(200);
/// Tries before a batch is given up and counted.
const TRIES: u32 = 5;

pub(super) struct Writer<F> {
    file: Option<File>,
    shared: Arc<Shared>,
    loss_line: F,
    batch: Vec<u8>,
    /// Each line of the batch: its kind, and where it ends.
    lines: Vec<(Kind, usize)>,
    /// What the batch counts for in the queue.
    charge: usize,
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
        Self {
            file,
            shared,
            loss_line,
            batch: Vec::with_capacity(BATCH),
            lines: Vec::new(),
            charge: 0,
            broken: false,
            torn: false,
        }
    }

    /// Runs a piece of work. A panic in it, which its hook has reported, costs the batch and not the thread.
    fn guarded(&mut self, work: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            for (kind, _) in std::mem::take(&mut self.lines) {
                self.shared.left(kind);
                self.shared.count_dropped(kind, 1);
            }
            self.batch.clear();
            self.shared.release(std::mem::take(&mut self.charge));
        }
    }

    fn write_batch(&mut self) {
        if std::mem::take(&mut self.torn) {
            // What was torn stays so, and no line after it.
            self.batch.insert(0, b'\n');
            self.lines.iter_mut().for_each(|(_, end)| *end += 1);
        }
        let mut written = 0;
        let mut tries = 0;
        let most = if self.broken { 1 } else { TRIES };
        while written < self.batch.len() && tries < most {
            match self.file.as_mut().map(|file| file.write(&self.batch[written..])) {
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
        self.broken = written < self.batch.len();
        self.torn = self.broken && written > 0 && self.batch[written - 1] != b'\n';
        for (kind, _) in self.lines.iter().filter(|(_, end)| *end > written) {
            self.shared.count_dropped(*kind, 1);
        }
        self.batch.clear();
        for (kind, _) in self.lines.drain(..) {
            self.shared.left(kind);
        }
        if written > 0 {
            self.say_losses();
        }
        self.shared.release(std::mem::take(&mut self.charge));
    }

    /// Says what was dropped, now that the log flows.
    fn say_losses(&mut self) {
        let (Some(counts), Some(file)) = (self.shared.take_dropped(), self.file.as_mut()) else { return };
        if file.write_all(&(self.loss_line)(&counts)).is_err() {
            for (kind, count) in counts {
                self.shared.count_dropped(kind, count);
            }
        }
    }
}

/// What the appender's thread calls: a `write_all` for each line, a `flush` when no more are waiting. Neither fails: an
/// error would make the appender lose lines without a count.
impl<F: Fn(&[(Kind, u64)]) -> Vec<u8>> Write for Writer<F> {
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        if let Some((tag, line)) = message.split_first() {
            if !self.batch.is_empty() && self.batch.len() + line.len() > BATCH {
                self.guarded(Self::write_batch);
            }
            self.batch.extend_from_slice(line);
            let kind = Kind::ALL.get(usize::from(*tag)).copied().unwrap_or(Kind::Service);
            self.lines.push((kind, self.batch.len()));
            self.charge += self.shared.charge(message.len());
        }
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.batch.is_empty() {
            self.guarded(Self::write_batch);
        }
        Ok(())
    }
}
