//! A server of one of the listeners, while it runs.

use std::future::pending;
use std::io;

use actix_web::dev::{Server, ServerHandle};
use tokio::task::JoinHandle;

/// A server that runs in a task of its own.
pub(super) struct RunningServer {
    /// What it serves, for its fault.
    name: &'static str,
    handle: ServerHandle,
    /// `None` when it has ended: a task must not be awaited again.
    task: Option<JoinHandle<io::Result<()>>>,
}

impl RunningServer {
    #[expect(clippy::disallowed_methods, reason = "the task of a server, which has no request")]
    pub(super) fn start(name: &'static str, server: Server) -> Self {
        let handle = server.handle();
        Self { name, handle, task: Some(actix_web::rt::spawn(server)) }
    }

    /// Waits until it ends by itself, and returns the fault. It can end only once.
    pub(super) async fn ended(&mut self) -> String {
        let Some(task) = &mut self.task else { return pending().await };
        let outcome = task.await;
        self.task = None;
        let reason = match outcome {
            Ok(Ok(())) => String::new(),
            Ok(Err(error)) => format!(": {error}"),
            Err(error) => format!(": {error}"),
        };
        format!("the {} server has ended{reason}", self.name)
    }

    /// Stops accepting connections, shortly after this returns.
    pub(super) async fn pause(&self) {
        self.handle.pause().await;
    }

    /// Stops it. Only a graceful stop waits for its connections.
    pub(super) async fn stop(&mut self, graceful: bool) {
        self.handle.stop(graceful).await;
        if let Some(task) = self.task.take() {
            // The server has stopped; its result is no longer needed.
            let _ = task.await;
        }
    }
}
