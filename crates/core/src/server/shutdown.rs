//! Shutdown: its steps in order, and its time budget.

use std::io;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use cyanotype_telemetry::{Level, Pipeline, Report};
use tokio::task::JoinHandle;

use super::new_connections::NewConnections;
use super::workers::Workers;
use crate::blueprint::started::StartedBlueprints;
use crate::database::Database;
use crate::fleet::Fleet;
use crate::log_control::SocketFile;
use crate::middleware::in_flight::InFlightRequests;

/// How long a worker waits for its connections before it drops them; actix-web accepts whole seconds.
pub(super) const WORKER_SHUTDOWN: Duration = Duration::from_secs(1);
/// Time for dropped requests to be recorded.
const DROPPED_REQUESTS: Duration = Duration::from_millis(500);

/// The shares of `server.shutdown_timeout_s`.
///
/// | timeout | in flight | workers | dropped requests | blueprints | sinks |
/// | --- | --- | --- | --- | --- | --- |
/// | 8 s | 4 s | 1 s | 0.5 s | 1 s | 1.5 s |
/// | 30 s | 17 s | 1 s | 0.5 s | 3.75 s | 7.75 s |
/// | 2 s | 0 s | 1 s | 0.5 s | 0.25 s | 0.25 s |
/// | 1 s | 0 s | 1 s | 0.5 s | 0.125 s | 0 s |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ShutdownBudget {
    /// For the requests and transactions in flight to finish.
    pub in_flight: Duration,
    /// For the workers to close idle connections and drop the rest.
    pub workers: Duration,
    /// For the dropped requests to be recorded.
    pub dropped_requests: Duration,
    /// For the blueprints to stop.
    pub blueprints: Duration,
    /// The rest. The sinks also get the time that the other steps do not use.
    pub sinks: Duration,
}

impl ShutdownBudget {
    /// Requests get five eighths, rounded down to whole seconds; the time to close connections is part of it. Blueprints get one
    /// eighth.
    pub(super) fn of(timeout: Duration) -> Self {
        let seconds = timeout.as_secs();
        let requests = Duration::from_secs((seconds * 5 / 8).max(1).min(seconds.saturating_sub(1)));
        let shares = Self {
            in_flight: requests.saturating_sub(WORKER_SHUTDOWN),
            workers: WORKER_SHUTDOWN,
            dropped_requests: DROPPED_REQUESTS,
            blueprints: timeout / 8,
            sinks: Duration::ZERO,
        };
        Self { sinks: timeout.saturating_sub(shares.total()), ..shares }
    }

    fn total(self) -> Duration {
        self.in_flight + self.workers + self.dropped_requests + self.blueprints + self.sinks
    }
}

/// One step of the shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The service reports that it is not ready; each response from now on closes its connection.
    Announce,
    /// Stops the deletion of expired rows.
    StopSweeper,
    /// Stops accepting connections.
    PauseApi,
    /// Waits for requests in flight, and for transactions whose client has disconnected.
    AwaitInFlight,
    /// Stops all workers together, with the connections that are still open.
    StopApi,
    /// Records the requests that the workers dropped.
    ReportDropped,
    /// Stops the blueprints in reverse order.
    StopBlueprints,
    /// Stops polling the overrides of the fleet.
    StopFleet,
    /// Closes the connections to the database.
    CloseDatabase,
    /// Stops the management listener.
    StopManagement,
    /// Stops the expiry of overrides.
    StopExpiry,
    /// Writes the last record; the sinks are flushed afterwards, outside the runtime.
    ReportStopped,
}

/// The order of the shutdown. A worker must not stop while a request of another worker, or a transaction whose client has
/// disconnected, needs its connections. So the workers stop accepting, finish their requests, and then stop together.
const STOP_ORDER: [Step; 12] = [
    Step::Announce,
    Step::StopSweeper,
    Step::PauseApi,
    Step::AwaitInFlight,
    Step::StopApi,
    Step::ReportDropped,
    Step::StopBlueprints,
    Step::StopFleet,
    Step::CloseDatabase,
    Step::StopManagement,
    Step::StopExpiry,
    Step::ReportStopped,
];

/// A server's handle, and the task that it runs in, unless that has ended.
type Server = (ServerHandle, Option<JoinHandle<io::Result<()>>>);

/// The parts that the shutdown stops.
pub(super) struct Shutdown {
    pub pipeline: &'static Pipeline,
    /// The name of the signal, or what else stops the service.
    pub reason: &'static str,
    pub budget: ShutdownBudget,
    pub in_flight: InFlightRequests,
    pub new_connections: NewConnections,
    pub workers: Workers,
    pub sweeper: JoinHandle<()>,
    pub api: Server,
    pub database: Database,
    pub fleet: Fleet,
    pub blueprints: StartedBlueprints,
    pub management: Server,
    /// The file of the management listener's Unix socket.
    pub socket: Option<SocketFile>,
    /// The task that removes overrides that expire.
    pub expiry: JoinHandle<()>,
}

impl Shutdown {
    /// Runs all steps, in [order](STOP_ORDER). Returns the description of a panic in the stop of a blueprint.
    pub(super) async fn run(mut self) -> Option<String> {
        let mut panic = None;
        let in_flight_until = Instant::now() + self.budget.in_flight;
        let mut unfinished = 0;
        for step in STOP_ORDER {
            match step {
                Step::Announce => {
                    self.in_flight.mark_stopping();
                    self.report(Level::Info, format!("stopping on {}", self.reason));
                }
                Step::StopSweeper => self.sweeper.abort(),
                Step::PauseApi => {
                    self.api.0.pause().await;
                    self.new_connections.settle(&self.workers, in_flight_until).await;
                }
                Step::AwaitInFlight => {
                    self.new_connections.wait(&self.workers, in_flight_until).await;
                    self.in_flight.wait(in_flight_until).await;
                    self.database.wait_for_transactions(in_flight_until).await;
                }
                Step::StopApi => {
                    // These are rolled back with their workers, which own their connections.
                    unfinished = self.database.unfinished_transactions();
                    stop(&mut self.api, true).await;
                }
                Step::ReportDropped => {
                    self.in_flight.wait(Instant::now() + self.budget.dropped_requests).await;
                    self.report_rolled_back(unfinished.max(self.database.unfinished_transactions()));
                }
                Step::StopBlueprints => panic = self.blueprints.stop(self.budget.blueprints).await,
                Step::StopFleet => self.fleet.stop().await,
                Step::CloseDatabase => self.database.close(),
                Step::StopManagement => {
                    stop(&mut self.management, false).await;
                    drop(self.socket.take());
                }
                Step::StopExpiry => self.expiry.abort(),
                Step::ReportStopped => self.report(Level::Info, "stopped".into()),
            }
        }
        panic
    }

    fn report_rolled_back(&self, count: u64) {
        if count > 0 {
            let message =
                format!("rolled back {count} database transactions that were still open when the shutdown wait ended");
            self.pipeline.report(Report::service(Level::Warning, message).with("rolled_back", count));
        }
    }

    fn report(&self, level: Level, message: String) {
        self.pipeline.report(Report::service(level, message));
    }
}

async fn stop((handle, task): &mut Server, graceful: bool) {
    handle.stop(graceful).await;
    if let Some(task) = task {
        // The server has stopped; its result is no longer needed.
        let _ = task.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(milliseconds: u64) -> [u64; 5] {
        let ShutdownBudget { in_flight, workers, dropped_requests, blueprints, sinks } =
            ShutdownBudget::of(Duration::from_millis(milliseconds));
        [in_flight, workers, dropped_requests, blueprints, sinks].map(|share| share.as_millis() as u64)
    }

    #[test]
    fn the_budget_is_split_into_shares() {
        assert_eq!(budget(8_000), [4_000, 1_000, 500, 1_000, 1_500]);
        assert_eq!(budget(30_000), [17_000, 1_000, 500, 3_750, 7_750]);
    }

    #[test]
    fn the_request_share_is_rounded_down_to_seconds() {
        assert_eq!(budget(9_000)[0], budget(8_000)[0]);
        assert_eq!(budget(10_000)[0], 5_000);
    }

    #[test]
    fn the_shares_add_up_to_the_timeout() {
        for seconds in 2..=300 {
            let timeout = Duration::from_secs(seconds);
            assert_eq!(ShutdownBudget::of(timeout).total(), timeout, "{seconds} s");
        }
    }

    #[test]
    fn a_tiny_budget_has_no_request_share_and_may_be_exceeded() {
        assert_eq!(budget(2_000), [0, 1_000, 500, 250, 250]);
        assert_eq!(budget(1_000), [0, 1_000, 500, 125, 0]);
        assert_eq!(budget(0), [0, 1_000, 500, 0, 0]);
    }

    #[test]
    fn a_dependency_stops_after_its_dependents() {
        let position = |step| STOP_ORDER.iter().position(|other| *other == step).expect("the order has every step");
        for (first, then) in [
            (Step::Announce, Step::PauseApi),
            (Step::PauseApi, Step::AwaitInFlight),
            (Step::StopSweeper, Step::CloseDatabase),
            (Step::AwaitInFlight, Step::StopApi),
            (Step::StopApi, Step::ReportDropped),
            (Step::ReportDropped, Step::StopBlueprints),
            (Step::StopBlueprints, Step::CloseDatabase),
            (Step::StopFleet, Step::CloseDatabase),
            (Step::CloseDatabase, Step::StopManagement),
            (Step::StopManagement, Step::StopExpiry),
            (Step::StopExpiry, Step::ReportStopped),
        ] {
            assert!(position(first) < position(then), "{first:?} before {then:?}");
        }
    }
}
