//! The listeners: they are bound last, and serve until a stop signal.

use std::future::pending;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Instant;

use actix_web::{App, HttpServer};
use cyanotype_telemetry::{Level, Pipeline, Report};
use tokio::task::{JoinError, JoinHandle};

use super::app::AppFactory;
use super::error::StartError;
use super::management::{self, Health, Management};
use super::management_api;
use super::reload::Reloader;
use super::service::Service;
use super::shutdown::{Shutdown, ShutdownBudget, WORKER_SHUTDOWN};
use super::signals::Signals;
use super::start_record::log_startup;
use super::stopped::{Stopped, stop_reason};
use crate::blueprint::started::StartedBlueprints;
use crate::checks::{self, DescriptorBudget};
use crate::database::{Database, Sweeper};
use crate::fleet::Fleet;
use crate::log_control::{self, LogControl, SocketFile, expire_overrides};
use crate::middleware::routing::serve_head_as_get;
use crate::settings::Settings;

/// Binds `management.socket`, when it is set.
fn socket(settings: &Settings) -> Result<Option<(SocketFile, UnixListener)>, StartError> {
    let Some(path) = &settings.management.socket else { return Ok(None) };
    let socket_error = |source| StartError::Socket { path: path.clone(), source };
    SocketFile::listen(Path::new(path)).map(Some).map_err(socket_error)
}

/// The parts that are started before the listeners.
pub(super) struct StartedService<'a> {
    pub service: &'a Service,
    pub settings: &'a Settings,
    pub pipeline: &'static Pipeline,
    pub signals: Signals,
    pub names: Vec<&'static str>,
    pub database: Database,
    pub fleet: Fleet,
    pub blueprints: StartedBlueprints,
    pub descriptors: DescriptorBudget,
    pub log_control: LogControl,
}

impl StartedService<'_> {
    #[expect(clippy::disallowed_methods, reason = "the tasks of the process, which have no request")]
    /// Listens, and stops in order.
    pub(super) async fn listen(self, app: AppFactory) -> Result<Stopped, StartError> {
        let Self { service, settings, pipeline, signals, names, database, fleet, blueprints, descriptors, log_control } =
            self;

        let in_flight = app.in_flight.clone();
        let health =
            Health { database: database.clone(), blueprints: blueprints.clone(), in_flight: in_flight.clone() };
        let document = management_api::document(service.name, service.version);
        let document = document.to_json().expect("a document consists of strings, numbers and maps with string keys");
        let management = Management { health, log_control, document: document.into() };
        let (host, port) = (settings.management.host.as_str(), settings.management.port);
        let management = HttpServer::new(move || {
            App::new().configure(management::routes(management.clone())).wrap_fn(serve_head_as_get)
        })
        .workers(1)
        .on_connect(log_control::mark_socket)
        .disable_signals()
        .shutdown_timeout(0)
        .bind((host, port))
        .map_err(|source| StartError::Listen {
            section: "management",
            host: host.to_owned(),
            port,
            source,
        })?;
        // Before the Unix socket is added: actix would list it with a placeholder address.
        let management_addresses = management.addrs();
        let (management, socket) = match socket(settings)? {
            Some((file, listener)) => {
                let socket_error = |source| StartError::Socket { path: file.path().display().to_string(), source };
                (management.listen_uds(listener).map_err(socket_error)?, Some(file))
            }
            None => (management, None),
        };

        let (host, port) = (settings.server.host.as_str(), settings.server.port);
        let mut api = HttpServer::new(move || {
            app.database.mark_worker_thread();
            app.clone().app()
        })
        .disable_signals()
        // Time for idle connections to close, and for requests that exceed their share.
        .shutdown_timeout(WORKER_SHUTDOWN.as_secs())
        .max_connections(descriptors.connections_per_worker)
        .client_request_timeout(settings.server.request_timeout())
        // A client that closes its side has disconnected: its handler is cancelled.
        .h1_allow_half_closed(false);
        if let Some(workers) = settings.server.workers {
            api = api.workers(workers);
        }
        let api = api.bind((host, port)).map_err(|source| StartError::Listen {
            section: "server",
            host: host.to_owned(),
            port,
            source,
        })?;

        log_startup(service, settings, pipeline, &api.addrs(), &management_addresses, &names, &database);
        for finding in descriptors.finding().into_iter().chain(checks::at_start(settings)) {
            pipeline.report(Report::service(Level::Warning, finding.line()));
        }
        let sweeper = Sweeper::new(database.clone(), blueprints.expiring_tables(), settings.database.sweep_interval());
        let sweeper = actix_web::rt::spawn(sweeper.run());
        // The task ends with the runtime.
        actix_web::rt::spawn(Reloader::new(service, pipeline).run(signals.hangup));
        let expiry = actix_web::rt::spawn(expire_overrides(pipeline));
        let (api, management) = (api.run(), management.run());
        let (api_handle, management_handle) = (api.handle(), management.handle());
        let mut management = Some(actix_web::rt::spawn(management));
        let mut api = Some(actix_web::rt::spawn(api));

        // A server's task must not be awaited again once it has ended.
        let (reason, fault) = tokio::select! {
            signal = signals.stop => stop_reason(signal.ok()),
            outcome = wait(&mut api) => ("the end of the API server", ended("API", outcome)),
            outcome = wait(&mut management) => ("the end of the management server", ended("management", outcome)),
        };
        let timeout = settings.server.shutdown_timeout();
        let deadline = Instant::now() + timeout;
        let shutdown = Shutdown {
            pipeline,
            reason,
            budget: ShutdownBudget::of(timeout),
            in_flight,
            sweeper,
            api: (api_handle, api),
            database,
            fleet,
            blueprints,
            management: (management_handle, management),
            socket,
            expiry,
        };
        let panic = shutdown.run().await;
        Ok(Stopped { deadline, has_served: true, fault: fault.or(panic) })
    }
}

/// Waits for a server to end, and removes its task then.
async fn wait(server: &mut Option<JoinHandle<io::Result<()>>>) -> Result<io::Result<()>, JoinError> {
    let Some(task) = server else { return pending().await };
    let outcome = task.await;
    *server = None;
    outcome
}

/// The fault of a server that ended without a signal.
fn ended(server: &str, outcome: Result<io::Result<()>, JoinError>) -> Option<String> {
    let reason = match outcome {
        Ok(Ok(())) => String::new(),
        Ok(Err(error)) => format!(": {error}"),
        Err(error) => format!(": {error}"),
    };
    Some(format!("the {server} server has ended{reason}"))
}
