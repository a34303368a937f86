//! Background load on the service, with latency statistics.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Clients that send requests one after the other, each on its own keep-alive connection.
pub struct Load {
    stop: Arc<AtomicBool>,
    stats: Arc<Mutex<LoadStats>>,
    clients: Vec<JoinHandle<()>>,
}

/// Statistics of a period of the load.
#[derive(Clone, Debug, Default)]
pub struct LoadStats {
    latencies: Vec<Duration>,
    /// Requests without a response.
    pub failed: usize,
}

impl LoadStats {
    /// The number of responses.
    pub fn completed(&self) -> usize {
        self.latencies.len()
    }

    /// This percentile of the latency, in milliseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(at).map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
    }
}

impl Load {
    /// Starts clients that send `POST /probe/run` with this script, with a pause between two requests.
    pub fn start(port: u16, clients: usize, pause: Duration, script: &Value) -> Self {
        let body = script.to_string();
        let request = format!(
            "POST /probe/run HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let (stop, stats) = (Arc::<AtomicBool>::default(), Arc::<Mutex<LoadStats>>::default());
        let clients = (0..clients).map(|_| {
            let (stop, stats, request) = (Arc::clone(&stop), Arc::clone(&stats), request.clone());
            std::thread::spawn(move || {
                let mut connection = None;
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let result = send(&mut connection, port, request.as_bytes());
                    let mut stats = stats.lock().unwrap_or_else(PoisonError::into_inner);
                    match result {
                        Ok(()) => stats.latencies.push(began.elapsed()),
                        Err(_) => {
                            connection = None;
                            stats.failed += 1;
                        }
                    }
                    drop(stats);
                    std::thread::sleep(pause);
                }
            })
        });
        let clients = clients.collect();
        Self { stop, stats, clients }
    }

    /// The statistics since the start, or since the last call.
    pub fn take_stats(&self) -> LoadStats {
        std::mem::take(&mut *self.stats.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets the requests in flight finish, and returns the statistics since the last call of [`Self::take_stats`].
    pub fn stop(mut self) -> LoadStats {
        self.join();
        self.take_stats()
    }

    fn join(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            let _ = client.join();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.join();
    }
}

fn send(connection: &mut Option<BufReader<TcpStream>>, port: u16, request: &[u8]) -> io::Result<()> {
    let reader = match connection {
        Some(reader) => reader,
        None => {
            let stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_read_timeout(Some(Duration::from_secs(30)))?;
            stream.set_nodelay(true)?;
            connection.insert(BufReader::new(stream))
        }
    };
    reader.get_mut().write_all(request)?;
    let mut length = 0;
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?;
        }
        if line == "\r\n" {
            io::copy(&mut reader.take(length), &mut io::sink())?;
            return Ok(());
        }
    }
}
