//! The reader of a server's stderr.

use std::collections::VecDeque;
use std::io::{PipeReader, Read};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What supervisord reads at once.
const AT_ONCE: usize = 2 << 16;
const KEPT: usize = 2_000;
/// Within this the last words of a server that has ended are read.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// The end of what was read, for when the server does not serve.
pub struct Tail {
    kept: Arc<Mutex<VecDeque<u8>>>,
    /// Is cut off when nobody writes any more.
    end: Receiver<()>,
}

impl Tail {
    pub fn text(&self) -> String {
        let _ = self.end.recv_timeout(LAST_WORDS);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept: Vec<u8> = kept.iter().copied().collect();
        String::from_utf8_lossy(&kept).trim().to_owned()
    }
}

/// Reads until nobody has the other end any more, on a thread of its own, and so on the load's core.
pub fn drain(mut pipe: PipeReader) -> Tail {
    let kept = Arc::<Mutex<VecDeque<u8>>>::default();
    let (writes, end) = channel();
    let tail = Tail { kept: Arc::clone(&kept), end };
    std::thread::spawn(move || {
        let _writes = writes;
        let mut buffer = vec![0; AT_ONCE];
        while let Ok(read @ 1..) = pipe.read(&mut buffer) {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend(&buffer[read.saturating_sub(KEPT)..read]);
            let over = kept.len().saturating_sub(KEPT);
            kept.drain(..over);
        }
    });
    tail
}
