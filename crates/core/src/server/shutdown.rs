//! Shutdown: its steps in order.

use std::time::{Duration, Instant};

use cyanotype_telemetry::{Level, Pipeline, Report};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::listening_sockets::ListeningSockets;
use super::management_listener::ManagementListener;
use super::new_connections::NewConnections;
use super::running_server::RunningServer;
use super::shutdown_budget::ShutdownBudget;
use super::workers::Workers;
use crate::blueprint::started::StartedBlueprints;
use crate::database::Database;
use crate::fleet::Fleet;
use crate::middleware::in_flight::InFlightRequests;

/// How much longer than their share the workers may take, which check the time once in a while, until they count as blocked.
const WORKER_MARGIN: Duration = Duration::from_millis(250);

/// One step of the shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The service reports that it is not ready; each response from now on closes its connection.
    Announce,
    /// Serves on for `server.drain_s`, until load balancers have noticed.
    Drain,
    /// Stops the deletion of expired rows.
    StopSweeper,
    /// Refuses connections, and waits until those that were accepted before have reached their workers.
    CloseApi,
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
    /// Stops the expiry of overrides.
    StopExpiry,
    /// Writes the last record. Afterwards, outside the runtime, the sinks are flushed; then the management listener stops.
    ReportStopped,
}

/// The order of the shutdown. A worker must not stop while a request of another worker, or a transaction whose client has
/// disconnected, needs its connections. So the workers stop accepting, finish their requests, and then stop together.
const STOP_ORDER: [Step; 12] = [
    Step::Announce,
    Step::Drain,
    Step::StopSweeper,
    Step::CloseApi,
    Step::AwaitInFlight,
    Step::StopApi,
    Step::ReportDropped,
    Step::StopBlueprints,
    Step::StopFleet,
    Step::CloseDatabase,
    Step::StopExpiry,
    Step::ReportStopped,
];

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
    pub api: RunningServer,
    pub api_sockets: ListeningSockets,
    pub database: Database,
    pub fleet: Fleet,
    pub blueprints: StartedBlueprints,
    /// Answers health checks after this shutdown, while the sinks are flushed.
    pub management: ManagementListener,
    /// The task that removes overrides that expire.
    pub expiry: JoinHandle<()>,
}

impl Shutdown {
    /// Runs all steps, in [order](STOP_ORDER). Returns the management listener, and why a server ended during the drain, or what
    /// panicked in the stop of a blueprint.
    pub(super) async fn run(mut self) -> (ManagementListener, Option<String>) {
        let mut in_flight_until = Instant::now();
        let (mut fault, mut panic, mut unfinished) = (None, None, 0);
        for step in STOP_ORDER {
            match step {
                Step::Announce => {
                    self.in_flight.mark_stopping();
                    self.report(Level::Info, self.announcement());
                }
                Step::Drain => {
                    fault = self.drain().await;
                    in_flight_until = Instant::now() + self.budget.in_flight;
                }
                Step::StopSweeper => self.sweeper.abort(),
                Step::CloseApi => {
                    // First: a connection that arrives after the server has paused would be reset.
                    self.api_sockets.close().await;
                    self.api.pause().await;
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
                    self.stop_workers().await;
                }
                Step::ReportDropped => {
                    self.in_flight.wait(Instant::now() + self.budget.dropped_requests).await;
                    self.report_rolled_back(unfinished.max(self.database.unfinished_transactions()));
                }
                Step::StopBlueprints => panic = self.blueprints.stop(self.budget.blueprints).await,
                Step::StopFleet => self.fleet.stop().await,
                Step::CloseDatabase => self.database.close().await,
                Step::StopExpiry => self.expiry.abort(),
                Step::ReportStopped => self.report(Level::Info, "stopped".into()),
            }
        }
        (self.management, fault.or(panic))
    }

    fn announcement(&self) -> String {
        let (reason, drain) = (self.reason, self.budget.drain);
        if drain.is_zero() {
            format!("stopping on {reason}")
        } else {
            format!("stopping on {reason} after a drain of {} s (server.drain_s)", drain.as_secs())
        }
    }

    /// Serves on, unless a server ends by itself: then there is nothing to wait for.
    async fn drain(&mut self) -> Option<String> {
        if self.budget.drain.is_zero() {
            return None;
        }
        // Always all of the time: that no request arrives now does not mean that every load balancer has noticed.
        tokio::select! {
            () = tokio::time::sleep(self.budget.drain) => None,
            fault = self.api.ended() => Some(fault),
            fault = self.management.server.ended() => Some(fault),
        }
    }

    /// Stops the workers. The server waits for a worker that is blocked as long as that takes; this does not.
    async fn stop_workers(&mut self) {
        let mut round = self.workers.ping();
        if timeout(self.budget.workers + WORKER_MARGIN, self.api.stop(true)).await.is_ok() {
            return;
        }
        let count = round.unanswered();
        let workers = if count == 1 { "1 worker is" } else { &format!("{count} workers are") };
        let message = format!("{workers} blocked and did not stop: requests on it end with the process");
        self.pipeline.report(Report::service(Level::Warning, message).with("blocked_workers", count));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_stops_after_its_dependents() {
        let position = |step| STOP_ORDER.iter().position(|other| *other == step).expect("the order has every step");
        for (first, then) in [
            (Step::Announce, Step::Drain),
            (Step::Drain, Step::StopSweeper),
            (Step::Drain, Step::CloseApi),
            (Step::CloseApi, Step::AwaitInFlight),
            (Step::StopSweeper, Step::CloseDatabase),
            (Step::AwaitInFlight, Step::StopApi),
            (Step::StopApi, Step::ReportDropped),
            (Step::ReportDropped, Step::StopBlueprints),
            (Step::StopBlueprints, Step::CloseDatabase),
            (Step::StopFleet, Step::CloseDatabase),
            (Step::CloseDatabase, Step::StopExpiry),
            (Step::StopExpiry, Step::ReportStopped),
        ] {
            assert!(position(first) < position(then), "{first:?} before {then:?}");
        }
    }
}
