//! A reader that drains a server's stderr.

use std::collections::VecDeque;
use std::io::{PipeReader, Read};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The read size of supervisord, in bytes.
const READ_SIZE: usize = 2 << 16;
const TAIL_BYTES: usize = 2_000;
/// Time limit for reading the rest after the server has exited.
const FINAL_READ_TIMEOUT: Duration = Duration::from_millis(300);

/// The last output of a server, for error messages.
pub struct Tail {
    bytes: Arc<Mutex<VecDeque<u8>>>,
    /// Disconnects when all writers have closed the pipe.
    end: Receiver<()>,
}

impl Tail {
    pub fn text(&self) -> String {
        let _ = self.end.recv_timeout(FINAL_READ_TIMEOUT);
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = bytes.iter().copied().collect();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }
}

/// Drains the pipe until all writers have closed it, on a new thread, which inherits the load generator's core.
pub fn drain(mut pipe: PipeReader) -> Tail {
    let bytes = Arc::<Mutex<VecDeque<u8>>>::default();
    let (writes, end) = channel();
    let tail = Tail { bytes: Arc::clone(&bytes), end };
    std::thread::spawn(move || {
        let _writes = writes;
        let mut buffer = vec![0; READ_SIZE];
        while let Ok(read @ 1..) = pipe.read(&mut buffer) {
            let mut bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
            bytes.extend(&buffer[read.saturating_sub(TAIL_BYTES)..read]);
            let over = bytes.len().saturating_sub(TAIL_BYTES);
            bytes.drain(..over);
        }
    });
    tail
}
