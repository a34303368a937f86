//! The consumer of the queue: writes batches to stderr, on the only thread that may block on it.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileExt;
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

pub(super) struct Writer<F, W = File> {
    file: Option<W>,
    batches: Arc<Batches>,
    loss_line: F,
    /// Whether the last batch was dropped; then the next one gets a single attempt.
    broken: bool,
    /// Whether the last byte that was written is in the middle of a line.
    partial_line: bool,
    /// The delay between attempts to write.
    retry_delay: Duration,
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
        let partial_line = file.as_ref().is_some_and(ends_in_partial_line);
        Self { file, batches, loss_line, broken: false, partial_line, retry_delay: RETRY_DELAY }
    }
}

impl<W: Write, F: Fn(&[(Kind, u64)]) -> Vec<u8>> Writer<F, W> {
    /// Writes all queued lines, and those added in the meantime. A panic loses one batch and does not end the thread; the panic
    /// hook reports it.
    fn write_waiting(&mut self) {
        while let Some(batch) = self.batches.take() {
            let charge = batch.charge();
            let written = catch_unwind(AssertUnwindSafe(|| self.write_batch(&batch))).unwrap_or(0);
            let lost = batch.lines.iter().filter(|(_, end)| !is_delivered(*end, written));
            let lost: Vec<Kind> = lost.map(|(kind, _)| *kind).collect();
            self.batches.complete(charge, batch, lost.into_iter());
            if written > 0 {
                let _ = catch_unwind(AssertUnwindSafe(|| self.report_losses()));
                if !self.batches.has_half_batch() {
                    std::thread::sleep(BATCH_DELAY);
                }
            }
        }
    }

    /// Writes a batch; returns the number of its bytes that were written.
    fn write_batch(&mut self, batch: &Batch) -> usize {
        let max_attempts = if self.broken { 1 } else { MAX_ATTEMPTS };
        // Terminates a partial line, so that it does not corrupt the next one.
        let at_line_start = !self.partial_line || self.write_bytes(b"\n", max_attempts) > 0;
        let written = if at_line_start { self.write_bytes(&batch.bytes, max_attempts) } else { 0 };
        self.broken = written < batch.bytes.len();
        written
    }

    /// Writes until all bytes are written or the attempts are used up; returns the number of bytes written.
    fn write_bytes(&mut self, bytes: &[u8], max_attempts: u32) -> usize {
        let mut written = 0;
        let mut attempts = 0;
        while written < bytes.len() && attempts < max_attempts {
            match self.file.as_mut().map(|file| file.write(&bytes[written..])) {
                Some(Ok(0)) | None => attempts = max_attempts,
                Some(Ok(count)) => {
                    written += count;
                    self.partial_line = bytes[written - 1] != b'\n';
                }
                Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                // Another process may have made the shared pipe non-blocking: it is full, not broken.
                Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::sleep(self.retry_delay / 20)
                }
                Some(Err(_)) => {
                    attempts += 1;
                    if attempts < max_attempts {
                        std::thread::sleep(self.retry_delay);
                    }
                }
            }
        }
        written
    }

    /// Reports dropped records after a batch that was written in full.
    fn report_losses(&mut self) {
        if self.broken {
            return;
        }
        let Some(counts) = self.batches.take_dropped() else { return };
        let line = (self.loss_line)(&counts);
        match is_delivered(line.len(), self.write_bytes(&line, 1)) {
            true => self.batches.count_written_loss_record(),
            false => self.batches.count_dropped(&counts),
        }
    }
}

/// Whether the line that ends at this offset was delivered. Its line feed may be missing: the next write adds it.
fn is_delivered(end: usize, written: usize) -> bool {
    written + 1 >= end
}

/// Whether a file ends in the middle of a line: a full disk or a signal has cut the last record of an earlier process.
fn ends_in_partial_line(mut file: &File) -> bool {
    let is_file = file.metadata().ok().filter(|metadata| metadata.is_file());
    let Some(length) = is_file.map(|metadata| metadata.len()) else { return false };
    // A file that is opened for appending begins at offset 0, whatever its length.
    let end = file.stream_position().ok().filter(|offset| *offset > 0).unwrap_or(length);
    // Opened again, because the descriptor is often only for writing. Where this fails, no line feed is added.
    let reader = File::open(format!("/dev/fd/{}", file.as_raw_fd())).ok();
    let mut last = [b'\n'];
    let was_read = end > 0 && reader.is_some_and(|reader| reader.read_exact_at(&mut last, end - 1).is_ok());
    was_read && last != [b'\n']
}

/// Called by the appender's thread when it is woken. It never fails, because an error would end the thread.
impl<W: Write, F: Fn(&[(Kind, u64)]) -> Vec<u8>> Write for Writer<F, W> {
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

    /// A disk on which this many more bytes fit.
    struct Disk {
        file: Vec<u8>,
        free: usize,
        /// A full disk accepts 0 bytes; otherwise it fails.
        accepts_nothing: bool,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.free);
            if count == 0 && !self.accepts_nothing {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.free -= count;
            self.file.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Writes three lines to a disk with this much space, then more and more while it stays full, then one with space again.
    /// Returns the file, and the number of lines that were counted as lost.
    fn fill_disk(free: usize, accepts_nothing: bool, more: &[usize]) -> (String, u64) {
        let disk = Disk { file: vec![], free, accepts_nothing };
        let batches = Arc::new(Batches::new(1 << 20));
        let (broken, partial_line, retry_delay) = (false, false, Duration::ZERO);
        let mut writer = Writer { file: Some(disk), batches, loss_line, broken, partial_line, retry_delay };
        let push = |writer: &mut Writer<_, Disk>, line: &str| {
            writer.batches.push(Kind::Line, Level::Error, format!("<{line}>\n").as_bytes());
            writer.write_waiting();
        };
        ["one", "two", "three"].iter().for_each(|line| push(&mut writer, line));
        for free in more {
            writer.file.as_mut().expect("a disk").free = *free;
            push(&mut writer, "four");
        }
        writer.file.as_mut().expect("a disk").free = 1 << 20;
        push(&mut writer, "last");
        let file = String::from_utf8(writer.file.expect("a disk").file).expect("valid UTF-8");
        let counts = file.lines().filter_map(|line| line.strip_prefix("lost [(Line, ")?.strip_suffix(")]"));
        let lost = counts.map(|count| count.parse::<u64>().expect("a number")).sum();
        (file, lost)
    }

    #[test]
    fn after_a_full_disk_each_record_is_delivered_or_counted() {
        for free in 0..=18 {
            for more in [&[][..], &[0], &[0, 0], &[1], &[0, 1, 0], &[1, 3, 0], &[6], &[14, 1]] {
                let (file, lost) = fill_disk(free, free % 2 == 0, more);
                let delivered = file.lines().filter(|line| line.starts_with('<') && line.ends_with('>')).count();
                assert_eq!(delivered as u64 + lost, 4 + more.len() as u64, "{free} {more:?}: {file}");
                assert!(file.contains("\n<last>\n") || file.starts_with("<last>\n"), "{free} {more:?}: {file}");
            }
        }
    }

    #[test]
    fn a_file_that_ends_in_a_partial_line_is_recognized() {
        let directory = test_harness::scratch::Scratch::new("partial-line");
        let file = directory.join("log");
        for (content, expected) in [("", false), ("{}\n", false), ("{}\n{\"times", true)] {
            std::fs::write(&file, content).expect("it can be written");
            let appending = File::options().append(true).open(&file).expect("it exists");
            assert_eq!(ends_in_partial_line(&appending), expected, "{content}");
        }
        let (_reader, pipe) = pipe().expect("a pipe");
        assert!(!ends_in_partial_line(&File::from(std::os::fd::OwnedFd::from(pipe))));
    }
}
