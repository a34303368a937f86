//! Clients in the background.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Running clients. Dropping them lets their requests in flight finish.
pub struct Clients {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    /// Starts a thread for each of these functions, which calls it again and again with this pause between two calls.
    pub fn start<C: FnMut() + Send + 'static>(pause: Duration, clients: impl IntoIterator<Item = C>) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let start = |mut client: C| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    client();
                    thread::sleep(pause);
                }
            })
        };
        let threads = clients.into_iter().map(start).collect();
        Self { stop, threads }
    }

    /// Lets the requests in flight finish.
    #[track_caller]
    pub fn stop(mut self) {
        let ended = self.join();
        assert!(ended, "a client panicked");
    }

    /// Whether none has panicked.
    fn join(&mut self) -> bool {
        self.stop.store(true, Ordering::Relaxed);
        // All are joined, also after one that panicked.
        let panicked = self.threads.drain(..).filter_map(|thread| thread.join().err()).count();
        panicked == 0
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.join();
    }
}
