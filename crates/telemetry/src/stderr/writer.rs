//! The consumer of the queue: writes batches to stderr, on the only thread that may block on it.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rustix::pipe::fcntl_setpipe_size;

use super::batches::{Batch, Batches, MAX_BATCH};
use crate::policy::Kind;

/// The requested capacity of the pipe: the size of the single read that supervisord does after its child has exited
/// (`os.read(fd, 2 << 16)`).
const PIPE_CAPACITY: usize = MAX_BATCH;
/// The delay after each write, in which lines accumulate for the next one. Under load this reduces the number of writes, and of
/// the reader's wake-ups. The first line after a pause is written without delay.
const BATCH_DELAY: Duration = Duration::from_millis(2);
/// The delay between attempts to write to a pipe without a reader.
const RETRY_DELAY: Duration = Duration::from_millis(200);
/// Attempts before a batch is dropped and counted.
const MAX_ATTEMPTS: u32 = 5;

pub(super) struct Writer<F> {
    file: Option<File>,
    batches: Arc<Batches>,
    loss_line: F,
    /// Whether the last batch was dropped; then the next one gets a single attempt.
    broken: bool,
    /// Whether the last write ended in the middle of a line.
    partial_line: bool,
}

impl<F: Fn(&[(Kind, u64)]) -> Vec<u8>> Writer<F> {
    pub(super) fn new(batches: Arc<Batches>, loss_line: F) -> Self {
        // A duplicate of the descriptor, so that a blocked write does not hold the standard library's lock. It shares the
        // inherited open file and its flags.
        let file = io::stderr().as_fd().try_clone_to_owned().ok().map(File::from);
        if let Some(file) = &file {
            // If it is a pipe, and the system allows it: a larger pipe tolerates longer pauses of the reader.
            let _ = fcntl_setpipe_size(file, PIPE_CAPACITY);
        }
        Self { file, batches, loss_line, broken: false, partial_line: false }
    }

    /// Writes all queued lines, and those added in the meantime. A panic loses one batch and does not end the thread; the panic
    /// hook reports it.
    fn write_waiting(&mut self) {
        while let Some(mut batch) = self.batches.take() {
            let charge = batch.charge();
            let written = catch_unwind(AssertUnwindSafe(|| self.write_batch(&mut batch))).unwrap_or(0);
            let lost: Vec<Kind> = batch.lines.iter().filter(|(_, end)| *end > written).map(|(kind, _)| *kind).collect();
            self.batches.complete(charge, batch, lost.into_iter());
            if written > 0 {
                let _ = catch_unwind(AssertUnwindSafe(|| self.report_losses()));
                if !self.batches.has_half_batch() {
                    std::thread::sleep(BATCH_DELAY);
                }
            }
        }
    }

    /// Writes a batch; returns the number of bytes written.
    fn write_batch(&mut self, batch: &mut Batch) -> usize {
        if std::mem::take(&mut self.partial_line) {
            // Terminates the partial line, so that it does not corrupt the next one.
            batch.bytes.insert(0, b'\n');
            batch.lines.iter_mut().for_each(|(_, end)| *end += 1);
        }
        let bytes = &batch.bytes;
        let mut written = 0;
        let mut attempts = 0;
        let max_attempts = if self.broken { 1 } else { MAX_ATTEMPTS };
        while written < bytes.len() && attempts < max_attempts {
            match self.file.as_mut().map(|file| file.write(&bytes[written..])) {
                Some(Ok(0)) | None => attempts = max_attempts,
                Some(Ok(bytes)) => written += bytes,
                Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                // Another process may have made the shared pipe non-blocking: it is full, not broken.
                Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(RETRY_DELAY / 20),
                Some(Err(_)) => {
                    attempts += 1;
                    if attempts < max_attempts {
                        std::thread::sleep(RETRY_DELAY);
                    }
                }
            }
        }
        self.broken = written < bytes.len();
        self.partial_line = self.broken && written > 0 && bytes[written - 1] != b'\n';
        written
    }

    /// Reports dropped records after a successful write.
    fn report_losses(&mut self) {
        let (Some(counts), Some(file)) = (self.batches.take_dropped(), self.file.as_mut()) else { return };
        if file.write_all(&(self.loss_line)(&counts)).is_err() {
            self.batches.count_dropped(&counts);
        }
    }
}

/// Called by the appender's thread when it is woken. It never fails, because an error would end the thread.
impl<F: Fn(&[(Kind, u64)]) -> Vec<u8>> Write for Writer<F> {
    fn write(&mut self, wake: &[u8]) -> io::Result<usize> {
        self.write_waiting();
        Ok(wake.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::Level;
    use std::io::{PipeReader, Read, pipe};
    use std::time::Instant;

    fn loss_line(counts: &[(Kind, u64)]) -> Vec<u8> {
        format!("lost {counts:?}\n").into_bytes()
    }

    type TestWriter = Writer<fn(&[(Kind, u64)]) -> Vec<u8>>;

    /// A writer to a pipe, and the reading end.
    fn piped() -> (TestWriter, PipeReader) {
        let mut writer: TestWriter = Writer::new(Arc::new(Batches::new(1 << 20)), loss_line);
        let reader = connect_new_pipe(&mut writer);
        (writer, reader)
    }

    fn connect_new_pipe(writer: &mut TestWriter) -> PipeReader {
        let (reader, end) = pipe().expect("a pipe");
        writer.file = Some(File::from(std::os::fd::OwnedFd::from(end)));
        reader
    }

    fn push(writer: &TestWriter, line: &[u8]) {
        writer.batches.push(Kind::Line, Level::Error, line);
    }

    fn read_to_end(mut writer: TestWriter, mut reader: PipeReader) -> String {
        writer.file = None;
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("valid UTF-8");
        text
    }

    #[test]
    fn losses_are_reported_after_the_queued_lines() {
        let (mut writer, reader) = piped();
        push(&writer, b"one\n");
        push(&writer, b"two\n");
        writer.batches.count_dropped(&[(Kind::Response, 3)]);
        assert_eq!(writer.write(b"wake").ok(), Some(4));
        assert!(writer.batches.wait_drained(Instant::now()).0);
        assert_eq!(read_to_end(writer, reader), "one\ntwo\nlost [(Response, 3)]\n");
    }

    #[test]
    fn lines_are_counted_while_the_pipe_has_no_reader() {
        let (mut writer, reader) = piped();
        drop(reader);
        push(&writer, b"one\n");
        let begin = Instant::now();
        writer.write_waiting();
        assert!(begin.elapsed() >= RETRY_DELAY * (MAX_ATTEMPTS - 1), "the write is retried");
        push(&writer, b"two\n");
        let begin = Instant::now();
        writer.write_waiting();
        assert!(begin.elapsed() < RETRY_DELAY * (MAX_ATTEMPTS - 1), "a broken pipe gets one attempt");
        let reader = connect_new_pipe(&mut writer);
        push(&writer, b"three\n");
        writer.write_waiting();
        assert_eq!(read_to_end(writer, reader), "three\nlost [(Line, 2)]\n");
    }

    #[test]
    fn a_partial_line_is_terminated_before_the_next() {
        let (mut writer, mut reader) = piped();
        push(&writer, b"whole\n");
        push(&writer, &[b'x'; 2 * MAX_BATCH / 3]);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut begin = [0; 1000];
                reader.read_exact(&mut begin).expect("the bytes are written");
                assert!(begin.starts_with(b"whole\nxxx"));
            });
            writer.write_waiting();
        });
        assert!(writer.partial_line && writer.broken);
        let reader = connect_new_pipe(&mut writer);
        push(&writer, b"next\n");
        writer.write_waiting();
        assert!(!writer.partial_line && !writer.broken);
        assert_eq!(read_to_end(writer, reader), "\nnext\nlost [(Line, 1)]\n");
    }

    #[test]
    fn a_full_nonblocking_pipe_loses_nothing() {
        let (mut writer, mut reader) = piped();
        let file = writer.file.as_ref().expect("an open file");
        rustix::io::ioctl_fionbio(file, true).expect("non-blocking mode");
        push(&writer, &[b'x'; MAX_BATCH - 1]);
        push(&writer, b"\n");
        let text = std::thread::scope(|scope| {
            let read = scope.spawn(move || {
                std::thread::sleep(Duration::from_millis(30));
                let mut text = vec![0; MAX_BATCH];
                reader.read_exact(&mut text).expect("the bytes are written");
                text
            });
            writer.write_waiting();
            read.join().expect("the reader does not panic")
        });
        assert!(text.ends_with(b"x\n"));
        assert_eq!(writer.batches.take_dropped(), None);
    }
}
