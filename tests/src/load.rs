//! Background load on the service, with latency statistics.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::clients::Clients;
use crate::http::{Client, KeepAlive};

/// Clients that send requests one after the other, each on its own keep-alive connection.
pub struct Load {
    clients: Clients,
    stats: Arc<Mutex<LoadStats>>,
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
        let request = Client::new(port).post("/probe/run").json(script);
        let stats = Arc::<Mutex<LoadStats>>::default();
        let client = |_| {
            let (stats, request, mut connection) = (Arc::clone(&stats), request.clone(), KeepAlive::default());
            move || {
                let began = Instant::now();
                let result = connection.send(&request);
                let mut stats = stats.lock().unwrap_or_else(PoisonError::into_inner);
                match result {
                    Ok(_) => stats.latencies.push(began.elapsed()),
                    Err(_) => stats.failed += 1,
                }
            }
        };
        Self { clients: Clients::start(pause, (0..clients).map(client)), stats }
    }

    /// The statistics since the start, or since the last call.
    pub fn take_stats(&self) -> LoadStats {
        std::mem::take(&mut *self.stats.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets the requests in flight finish, and returns the statistics since the last call of [`Self::take_stats`].
    pub fn stop(self) -> LoadStats {
        let Self { clients, stats } = self;
        clients.stop();
        std::mem::take(&mut *stats.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
