//! Clients that must never see a refused, reset or unanswered request.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use system_tests::clients::Clients;
use system_tests::http::{Client, KeepAlive};

const PAUSE: Duration = Duration::from_millis(2);

/// Running clients. Half of them open a connection for each request; the others reuse it until a response closes it.
pub(super) struct Load {
    clients: Clients,
    results: Arc<Mutex<Results>>,
}

#[derive(Default)]
struct Results {
    answered: usize,
    failures: Vec<String>,
}

impl Load {
    pub fn start(port: u16, clients: usize) -> Self {
        let results = Arc::<Mutex<Results>>::default();
        let request = Client::new(port).post("/probe/run/quiet").json(&json!({"steps": [{"do": "sleep", "ms": 3}]}));
        let client = |index: usize| {
            let (results, request, mut connection) = (Arc::clone(&results), request.clone(), KeepAlive::default());
            let closes = index.is_multiple_of(2);
            move || {
                // A server may close a connection between two requests.
                connection.close_if_ended();
                let sent = if closes { request.clone().try_send() } else { connection.send(&request) };
                let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                match sent {
                    Ok(reply) if reply.status == 204 => results.answered += 1,
                    Ok(reply) => results.failures.push(format!("status {}", reply.status)),
                    Err(error) => results.failures.push(error.to_string()),
                }
            }
        };
        Self { clients: Clients::start(PAUSE, (0..clients).map(client)), results }
    }

    /// The number of responses with status 204 so far.
    pub fn answered(&self) -> usize {
        self.results.lock().unwrap_or_else(PoisonError::into_inner).answered
    }

    /// Ends the clients, and returns all failures.
    pub fn stop(self) -> Vec<String> {
        let Self { clients, results } = self;
        clients.stop();
        std::mem::take(&mut results.lock().unwrap_or_else(PoisonError::into_inner).failures)
    }
}
