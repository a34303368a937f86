//! The listeners: they are bound last, and serve until a stop signal.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Instant;

use actix_web::{App, HttpServer};
use cyanotype_telemetry::{Level, Pipeline, Report};
use tokio::task::JoinHandle;

use super::app::AppFactory;
use super::error::StartError;
use super::listening_sockets::ListeningSockets;
use super::management::{self, Management};
use super::management_api;
use super::management_listener::ManagementListener;
use super::new_connections::NewConnections;
use super::reload::Reloader;
use super::running_server::RunningServer;
use super::service::Service;
use super::shutdown::Shutdown;
use super::shutdown_budget::{ShutdownBudget, WORKER_SHUTDOWN};
use super::signals::Signals;
use super::start_record::{log_startup, shown};
use super::stopped::{StopReason, Stopped};
use super::systemd::notify;
use super::systemd::sockets::InheritedSockets;
use super::systemd::watchdog::Watchdog;
use super::workers::Workers;
use crate::blueprint::started::StartedBlueprints;
use crate::checks::{self, DescriptorBudget};
use crate::database::{Database, Sweeper};
use crate::fleet::Fleet;
use crate::health::Health;
use crate::log_control::{self, LogControl, SocketFile, expire_overrides};
use crate::metrics::Metrics;
use crate::middleware::routing::serve_head_as_get;
use crate::settings::Settings;

/// Binds `management.socket`, when it is set.
fn socket(settings: &Settings) -> Result<Option<(SocketFile, UnixListener)>, StartError> {
    let Some(path) = &settings.management.socket else { return Ok(None) };
    let socket_error = |source| StartError::Socket { path: path.clone(), source };
    SocketFile::listen(Path::new(path)).map(Some).map_err(socket_error)
}

/// Runs the checks of a start, which look at files and directories. In a thread: a file system that hangs must not delay the start.
#[expect(clippy::disallowed_methods, reason = "work of the process, which has no request")]
fn report_checks(settings: Settings, pipeline: &'static Pipeline) {
    // The task ends by itself.
    drop(tokio::task::spawn_blocking(move || {
        for result in checks::at_start(&settings) {
            pipeline.report(Report::service(Level::Warning, result.line()));
        }
    }));
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
    pub sockets: InheritedSockets,
    pub log_control: LogControl,
}

impl StartedService<'_> {
    #[expect(clippy::disallowed_methods, reason = "the tasks of the process, which have no request")]
    /// Listens, and stops in order.
    pub(super) async fn listen(self, app: AppFactory) -> Result<Stopped, StartError> {
        let Self {
            service,
            settings,
            pipeline,
            signals,
            names,
            database,
            fleet,
            blueprints,
            descriptors,
            sockets,
            log_control,
        } = self;

        let in_flight = app.in_flight.clone();
        let health =
            Health { database: database.clone(), blueprints: blueprints.clone(), in_flight: in_flight.clone() };
        let document = management_api::document(service.name, service.version);
        let document = document.to_json().expect("a document consists of strings, numbers and maps with string keys");
        let program = [service.name, service.version];
        let metrics = Metrics::new(pipeline, database.clone(), in_flight.clone(), program);
        let management = Management { health, metrics, log_control, document: document.into() };
        let (host, port) = (&settings.management.host, settings.management.port);
        let management = HttpServer::new(move || {
            App::new().configure(management::routes(management.clone())).wrap_fn(serve_head_as_get)
        })
        .workers(1)
        .on_connect(log_control::mark_socket)
        .disable_signals()
        .shutdown_timeout(0);
        let management = match sockets.management {
            sockets if sockets.is_empty() => management.bind((host.as_str(), port)),
            sockets => sockets.into_iter().try_fold(management, HttpServer::listen),
        }
        .map_err(|source| StartError::Listen {
            section: "management",
            address: host.with_port(port),
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

        let (host, port) = (&settings.server.host, settings.server.port);
        let (workers, new_connections) = (Workers::default(), NewConnections::default());
        let (own_workers, accepted) = (workers.clone(), new_connections.clone());
        let mut api = HttpServer::new(move || {
            app.database.mark_worker_thread();
            own_workers.register();
            app.clone().app()
        })
        .on_connect(move |_, extensions| {
            extensions.insert(accepted.accept());
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
        let listen_error = |source| StartError::Listen { section: "server", address: host.with_port(port), source };
        let api_sockets = ListeningSockets::open(sockets.api, host.as_str(), port).map_err(listen_error)?;
        for socket in api_sockets.duplicate().map_err(listen_error)? {
            api = api.listen(socket).map_err(listen_error)?;
        }

        log_startup(service, settings, pipeline, &api.addrs(), &management_addresses, &names, &database);
        if let Some(warning) = descriptors.warning() {
            pipeline.report(Report::service(Level::Warning, warning.line()));
        }
        report_checks(settings.clone(), pipeline);
        let sweeper = Sweeper::new(database.clone(), blueprints.expiring_tables(), settings.database.sweep_interval());
        let sweeper = actix_web::rt::spawn(sweeper.run());
        // The task ends with the runtime.
        actix_web::rt::spawn(Reloader::new(service, pipeline).run(signals.hangup));
        let expiry = actix_web::rt::spawn(expire_overrides(pipeline));
        let status = format!("serving on {}", shown(&api.addrs()));
        let mut api = RunningServer::start("API", api.run());
        let mut management =
            ManagementListener { server: RunningServer::start("management", management.run()), socket };
        let watchdog = management_addresses.first().map(|management| {
            let watchdog = Watchdog { pipeline, workers: workers.clone(), management: *management, status };
            actix_web::rt::spawn(watchdog.run())
        });

        let reason = tokio::select! {
            signal = signals.stop => StopReason::signal(signal.ok()),
            fault = api.ended() => StopReason::fault("the end of the API server", fault),
            fault = management.server.ended() => StopReason::fault("the end of the management server", fault),
        };
        let budget = ShutdownBudget::of(reason.drain(settings), settings.server.shutdown_timeout());
        let timeout = budget.drain + settings.server.shutdown_timeout();
        let deadline = Instant::now() + timeout;
        notify::stopping(reason.name, timeout);
        // The listeners end soon; systemd does not expect feeds of a unit that stops.
        watchdog.iter().for_each(JoinHandle::abort);
        let shutdown = Shutdown {
            pipeline,
            reason: reason.name,
            budget,
            in_flight,
            new_connections,
            workers,
            sweeper,
            api,
            api_sockets,
            database,
            fleet,
            blueprints,
            management,
            expiry,
        };
        let (management, fault) = shutdown.run().await;
        Ok(Stopped { deadline, management: Some(management), fault: reason.fault.or(fault) })
    }
}
