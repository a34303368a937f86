//! The management listener while it runs. It answers health checks until the process ends.

use super::running_server::RunningServer;
use crate::log_control::SocketFile;

/// The management listener's server, and the file of its Unix socket.
pub(super) struct ManagementListener {
    pub server: RunningServer,
    pub socket: Option<SocketFile>,
}

impl ManagementListener {
    /// Stops answering, and removes the socket's file.
    pub(super) async fn stop(mut self) {
        self.server.stop(false).await;
        drop(self.socket);
    }
}
