//! Startup and run: sinks first, then the database and the listeners. `shutdown.rs` has the order in which they stop.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use actix_web::{App, HttpServer};
use cyanotype_telemetry::in_app;
use cyanotype_telemetry::panic::Panics;
use cyanotype_telemetry::{Level, Pipeline, Report};

use super::app::AppFactory;
use super::descriptors::DescriptorBudget;
use super::error::StartError;
use super::management::{self, Health, Management};
use super::management_api;
use super::reload::Reloader;
use super::service::Service;
use super::shutdown::{Shutdown, ShutdownBudget, WORKER_SHUTDOWN};
use super::signals::{Handlers, Signals};
use super::start_record::{log_startup, report_startup_error};
use crate::blueprint::error::RegistryError;
use crate::blueprint::registry::EnabledBlueprint;
use crate::blueprint::resources::SharedResources;
use crate::blueprint::routes;
use crate::blueprint::started::StartedBlueprints;
use crate::database::{Database, DatabaseError, Program, Sweeper};
use crate::fleet::Fleet;
use crate::log_control::{self, LogControl, SocketFile, expire_overrides};
use crate::middleware::routing::serve_head_as_get;
use crate::sentry;
use crate::settings::Settings;

/// Minimum time before a process exits after a temporary startup error.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// The name of the stop signal when the thread that waits for signals has ended, for example by a panic.
const NO_SIGNAL: &str = "the end of the signal thread";

impl Service {
    /// Serves until a stop signal, and returns the exit status: 0 after a stop, 78 for configuration errors, 69 when the
    /// database or a port is unavailable.
    #[must_use]
    #[track_caller]
    pub fn run(self) -> ExitCode {
        in_app::set_workspace_of_caller();
        run(self)
    }

    /// Runs an operator's command on the database, migrated as at startup; no other part of the service runs.
    ///
    /// # Errors
    /// When the blueprints conflict, the database is unavailable, or the work fails.
    pub fn with_database<T>(
        &self,
        work: impl AsyncFnOnce(Database) -> Result<T, DatabaseError>,
    ) -> Result<T, StartError> {
        run_with_database(self, work)
    }
}

fn run(mut service: Service) -> ExitCode {
    // First: without a handler most signals end the process, and nothing is written.
    let handlers = Handlers::install();
    let release = service.release();
    service.settings.sentry.release.get_or_insert(release);
    let (settings, enabled) = match service.select_enabled() {
        Ok((settings, enabled)) => (settings, Ok(enabled)),
        // Reported below, when the sinks have been started.
        Err(error) => (service.settings.clone(), Err(error)),
    };
    // Before any runtime: Sentry's main hub belongs to the first thread that uses it.
    let pipeline = cyanotype_telemetry::start(
        &settings.telemetry(),
        service.before_breadcrumb.take(),
        sentry::sinks(&settings),
        Panics::All,
    );

    // Before any runtime: with too few descriptors a runtime would fail without a clear reason.
    let descriptors = DescriptorBudget::claim(&settings);
    let served = descriptors.and_then(|descriptors| {
        let signals = handlers.and_then(|handlers| handlers.watch(pipeline)).map_err(StartError::Signals)?;
        let runtime = actix_web::rt::System::new();
        let stopped = runtime.block_on(serve(&service, &settings, enabled, pipeline, descriptors, signals));
        if matches!(stopped, Ok(Stopped { opens_database: true, .. })) {
            // It would wait for the thread that waits for a lock of SQLite.
            std::mem::forget(runtime);
        }
        stopped
    });
    let (deadline, code) = match served {
        Ok(stopped) => (stopped.deadline, ExitCode::SUCCESS),
        Err(error) => {
            let deadline = Instant::now() + settings.server.shutdown_timeout();
            report_startup_error(pipeline, &settings, &error);
            if error.is_temporary() {
                // Slows down a process manager that restarts the service immediately.
                std::thread::sleep(RESTART_DELAY);
            }
            (deadline, error.exit_code())
        }
    };
    pipeline.finish(deadline);
    code
}

/// A service that a signal stopped.
struct Stopped {
    /// The time by which the process must end.
    deadline: Instant,
    /// Whether it was still opening its database.
    opens_database: bool,
}

/// Serves until a stop signal.
async fn serve(
    service: &Service,
    settings: &Settings,
    enabled: Result<Vec<EnabledBlueprint>, RegistryError>,
    pipeline: &'static Pipeline,
    descriptors: DescriptorBudget,
    mut signals: Signals,
) -> Result<Stopped, StartError> {
    let enabled = enabled?;
    let (routes, rules) = routes::collect_and_check(settings, &enabled).await?;
    let names: Vec<&'static str> = enabled.iter().map(|enabled| enabled.blueprint.name()).collect();
    let database = tokio::select! {
        opened = open_database(service, settings, &enabled) => opened?,
        // A database that does not answer must not delay the stop. No blueprint has started yet.
        signal = &mut signals.stop => return Ok(stop_before_start(settings, pipeline, signal.unwrap_or(NO_SIGNAL))),
    };
    let blueprints = StartedBlueprints::start(&enabled, SharedResources::new(database.clone())).await?;
    let fleet = Fleet::start(&database, pipeline, settings.log.override_poll()).await.map_err(StartError::Database)?;
    let app = AppFactory::new(settings, pipeline, enabled, rules, &blueprints, &service.api_info(settings));
    let compiled_in = service.blueprints.iter().map(|it| it.blueprint.name()).collect();
    let log_control = LogControl::new(settings, pipeline, fleet.clone(), compiled_in, routes);
    let started = StartedService {
        service,
        settings,
        pipeline,
        signals,
        names,
        database,
        fleet,
        blueprints: blueprints.clone(),
        descriptors,
        log_control,
    };
    let served = started.listen(app).await;
    if served.is_err() {
        blueprints.stop(ShutdownBudget::of(settings.server.shutdown_timeout()).blueprints).await;
    }
    served.map(|deadline| Stopped { deadline, opens_database: false })
}

/// Records that a signal ended the process while it opened its database.
fn stop_before_start(settings: &Settings, pipeline: &Pipeline, signal: &str) -> Stopped {
    for message in [format!("stopping on {signal}"), "stopped".to_owned()] {
        pipeline.report(Report::service(Level::Info, message));
    }
    Stopped { deadline: Instant::now() + settings.server.shutdown_timeout(), opens_database: true }
}

async fn open_database(
    service: &Service,
    settings: &Settings,
    enabled: &[EnabledBlueprint],
) -> Result<Database, StartError> {
    let blueprints = enabled.iter().map(|enabled| &enabled.blueprint);
    let migrations = blueprints.filter_map(|blueprint| Some((blueprint.name(), blueprint.migrations()?)));
    let program = Program { name: service.name, version: service.version };
    Database::open(&(&settings.database).into(), migrations, program).await.map_err(StartError::Database)
}

/// Runs a command's work on the database, without the rest of the service.
fn run_with_database<T>(
    service: &Service,
    work: impl AsyncFnOnce(Database) -> Result<T, DatabaseError>,
) -> Result<T, StartError> {
    let (settings, enabled) = service.select_enabled()?;
    actix_web::rt::System::new().block_on(async {
        let database = open_database(service, &settings, &enabled).await?;
        let result = work(database.clone()).await;
        database.close();
        result.map_err(StartError::Database)
    })
}

/// Binds `management.socket`, when it is set.
fn socket(settings: &Settings) -> Result<Option<(SocketFile, UnixListener)>, StartError> {
    let Some(path) = &settings.management.socket else { return Ok(None) };
    let socket_error = |source| StartError::Socket { path: path.clone(), source };
    SocketFile::listen(Path::new(path)).map(Some).map_err(socket_error)
}

/// The parts that are started before the listeners.
struct StartedService<'a> {
    service: &'a Service,
    settings: &'a Settings,
    pipeline: &'static Pipeline,
    signals: Signals,
    names: Vec<&'static str>,
    database: Database,
    fleet: Fleet,
    blueprints: StartedBlueprints,
    descriptors: DescriptorBudget,
    log_control: LogControl,
}

impl StartedService<'_> {
    #[expect(clippy::disallowed_methods, reason = "the tasks of the process, which have no request")]
    async fn listen(self, app: AppFactory) -> Result<Instant, StartError> {
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
        if let Some(warning) = descriptors.warning() {
            pipeline.report(Report::service(Level::Warning, warning));
        }
        let sweeper = Sweeper::new(database.clone(), blueprints.expiring_tables(), settings.database.sweep_interval());
        let sweeper = actix_web::rt::spawn(sweeper.run());
        // The task ends with the runtime.
        actix_web::rt::spawn(Reloader::new(service, pipeline).run(signals.hangup));
        let expiry = actix_web::rt::spawn(expire_overrides(pipeline));
        let (api, management) = (api.run(), management.run());
        let (api_handle, management_handle) = (api.handle(), management.handle());
        let management = actix_web::rt::spawn(management);
        let api = actix_web::rt::spawn(api);

        let signal = signals.stop.await.unwrap_or(NO_SIGNAL);
        let timeout = settings.server.shutdown_timeout();
        let deadline = Instant::now() + timeout;
        let shutdown = Shutdown {
            pipeline,
            signal,
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
        shutdown.run().await;
        Ok(deadline)
    }
}
