//! The reader of a server's stderr.

use std::collections::VecDeque;
use std::io::{PipeReader, Read};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What supervisord reads at once.
const READ_SIZE: usize = 2 << 16;
const TAIL_BYTES: usize = 2_000;
/// Within this the last words of a server that has ended are read.
const FINAL_READ_TIMEOUT: Duration = Duration::from_millis(300);

/// The end of what was read, for when the server does not serve.
pub struct Tail {
    bytes: Arc<Mutex<VecDeque<u8>>>,
    /// Is cut off when nobody writes any more.
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

/// Reads until nobody has the other end any more, on a thread of its own, and so on the load's core.
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
