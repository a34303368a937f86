//! Reports readiness, and feeds systemd's watchdog (`WatchdogSec=`) while all listeners respond.
//!
//! A feed needs an answer of each worker of the API, a response of the management listener, and the main thread that this runs on.
//! There is no time limit of its own: a worker that is busy for a moment answers late and delays the feed; one that does not answer
//! for the whole of `WatchdogSec=` is hung, and systemd restarts the service.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use cyanotype_telemetry::{Level, Pipeline, Report};
use rustix::io::Errno;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::notify;
use crate::management_client::is_live;
use crate::server::workers::Workers;
use crate::settings::reachable;

/// How often a request to a management listener that does not respond is repeated.
const RETRY: Duration = Duration::from_millis(500);

/// What must respond.
pub(in crate::server) struct Watchdog {
    pub pipeline: &'static Pipeline,
    pub workers: Workers,
    pub management: SocketAddr,
    /// For `systemctl status`.
    pub status: String,
}

impl Watchdog {
    /// Reports readiness once all workers run; then feeds the watchdog, if the unit has one.
    pub(in crate::server) async fn run(self) {
        if !notify::is_expected() {
            return;
        }
        self.respond().await;
        if let Err(error) = notify::ready(&self.status) {
            let message = format!("the service manager does not accept notifications (NOTIFY_SOCKET): {error}");
            self.pipeline.report(Report::service(Level::Warning, message));
        }
        let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()) else { return };
        loop {
            self.wait(limit).await;
            notify::alive();
            sleep(limit / 4).await;
        }
    }

    /// Waits until all respond.
    async fn respond(&self) {
        self.workers.ping().answered().await;
        while !responds(self.management).await {
            sleep(RETRY).await;
        }
    }

    /// As [`respond`](Self::respond). If that takes half of the limit, a record says so: systemd ends the process without one.
    async fn wait(&self, limit: Duration) {
        let mut round = self.workers.ping();
        let answers = async {
            round.answered().await;
            while !responds(self.management).await {
                sleep(RETRY).await;
            }
        };
        if timeout(limit / 2, answers).await.is_ok() {
            return;
        }
        let what = match round.unanswered() {
            0 => "the management listener does not respond".to_owned(),
            1 => "1 worker does not respond".to_owned(),
            count => format!("{count} workers do not respond"),
        };
        let message = format!(
            "{what} for {:.1} s; the watchdog of systemd ends the process after {:.1} s",
            (limit / 2).as_secs_f64(),
            limit.as_secs_f64()
        );
        self.pipeline.report(Report::service(Level::Error, message));
        round.answered().await;
        self.respond().await;
        self.pipeline.report(Report::service(Level::Info, "all workers and the management listener respond again"));
    }
}

/// Whether the management listener responds. While this process has no descriptor or port for the request, that is unknown and no fault.
async fn responds(address: SocketAddr) -> bool {
    match ask(reachable(address)).await {
        Ok(is_live) => is_live,
        Err(error) => [Errno::MFILE, Errno::NFILE, Errno::ADDRNOTAVAIL, Errno::NOBUFS]
            .iter()
            .any(|errno| error.raw_os_error() == Some(errno.raw_os_error())),
    }
}

async fn ask(address: SocketAddr) -> io::Result<bool> {
    is_live(TcpStream::connect(address).await?).await
}
