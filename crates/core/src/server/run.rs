//! Startup and run: sinks first, then the database and the listeners. `shutdown.rs` has the order in which they stop.

use std::future::pending;
use std::io;
use std::os::unix::net::UnixListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use actix_web::{App, HttpServer};
use cyanotype_telemetry::panic::{self, Panics};
use cyanotype_telemetry::{BeforeBreadcrumb, Level, Pipeline, Report};
use tokio::sync::oneshot::error::RecvError;
use tokio::task::{JoinError, JoinHandle};

use super::app::AppFactory;
use super::descriptors::DescriptorBudget;
use super::error::StartError;
use super::last_words;
use super::management::{self, Health, Management};
use super::management_api;
use super::reload::Reloader;
use super::service::Service;
use super::shutdown::{Shutdown, ShutdownBudget, WORKER_SHUTDOWN};
use super::signals::{Handlers, Signals};
use super::start_record::{log_startup, report_startup_error};
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

/// The reason for the stop when the thread that waits for signals has ended, for example by a panic.
const NO_SIGNAL: &str = "the end of the signal thread";

/// Builds a service with these settings and [runs](Service::run) it. A panic while it is built is recorded, too, and sent to
/// Sentry.
///
/// ```no_run
/// # use std::process::ExitCode;
/// # fn serve(settings: cyanotype::settings::Settings, orders: impl cyanotype::Blueprint) -> ExitCode {
/// cyanotype::serve(settings, |settings| cyanotype::Service::new(settings).blueprint(orders))
/// # }
/// ```
#[must_use]
pub fn serve(settings: Settings, build: impl FnOnce(Settings) -> Service) -> ExitCode {
    last_words::main(|| {
        // First: without a handler most signals end the process, and nothing is written.
        let handlers = Handlers::install();
        match catch_unwind(AssertUnwindSafe(|| build(settings.clone()))) {
            Ok(service) => run(service, handlers),
            Err(payload) => {
                panic::report_caught(&*payload);
                let pipeline = start_pipeline(&settings, None);
                refuse_start(pipeline, &settings, &StartError::panicked(&*payload))
            }
        }
    })
}

impl Service {
    /// Serves until a stop signal, and returns the exit status: 0 after a stop, 78 for configuration errors, 69 when the
    /// database or a port is unavailable, 70 after a panic outside requests.
    #[must_use]
    pub fn run(self) -> ExitCode {
        last_words::main(|| run(self, Handlers::install()))
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

fn run(mut service: Service, handlers: io::Result<Handlers>) -> ExitCode {
    let release = service.release();
    service.settings.sentry.release.get_or_insert(release);
    // An error is reported below, when the sinks have been started.
    let (settings, enabled) = match catch_unwind(AssertUnwindSafe(|| service.select_enabled())) {
        Ok(Ok((settings, enabled))) => (settings, Ok(enabled)),
        Ok(Err(error)) => (service.settings.clone(), Err(error.into())),
        Err(payload) => (service.settings.clone(), Err(StartError::panicked(&*payload))),
    };
    let pipeline = start_pipeline(&settings, service.before_breadcrumb.take());

    // Before any runtime: with too few descriptors a runtime would fail without a clear reason.
    let descriptors = DescriptorBudget::claim(&settings);
    let served = descriptors.and_then(|descriptors| {
        let signals = handlers.and_then(|handlers| handlers.watch(pipeline)).map_err(StartError::Signals)?;
        let runtime = actix_web::rt::System::new();
        let service = serve_until_stopped(&service, &settings, enabled, pipeline, descriptors, signals);
        let stopped = match runtime.block_on(panic::catch(service)) {
            Ok(stopped) => stopped,
            Err(payload) => Err(StartError::panicked(&*payload)),
        };
        if !matches!(stopped, Ok(Stopped { has_served: true, .. })) {
            // It would wait for threads that may be blocked, such as one that waits for a lock of SQLite.
            std::mem::forget(runtime);
        }
        stopped
    });
    match served {
        Ok(Stopped { deadline, fault, .. }) => {
            let error = fault.map(StartError::Fault);
            error.iter().for_each(|error| report_startup_error(pipeline, &settings, error, deadline));
            pipeline.finish(deadline);
            error.map_or(ExitCode::SUCCESS, |error| error.exit_code())
        }
        Err(error) => refuse_start(pipeline, &settings, &error),
    }
}

/// Starts the sinks, before any runtime: Sentry's main hub belongs to the first thread that uses it.
fn start_pipeline(settings: &Settings, before_breadcrumb: Option<BeforeBreadcrumb>) -> &'static Pipeline {
    cyanotype_telemetry::start(&settings.telemetry(), before_breadcrumb, sentry::sinks(settings), Panics::All)
}

/// Reports why the start failed, and returns the exit status.
fn refuse_start(pipeline: &Pipeline, settings: &Settings, error: &StartError) -> ExitCode {
    let deadline = Instant::now() + settings.server.shutdown_timeout();
    report_startup_error(pipeline, settings, error, deadline);
    if error.is_temporary() {
        // Slows down a process manager that restarts the service immediately.
        std::thread::sleep(RESTART_DELAY);
    }
    pipeline.finish(deadline);
    error.exit_code()
}

/// A service that has stopped.
struct Stopped {
    /// The time by which the process must end.
    deadline: Instant,
    /// Whether it has served requests: a signal may stop it before.
    has_served: bool,
    /// Why it stopped without a signal, or what panicked during its stop.
    fault: Option<String>,
}

/// Serves until a stop signal.
async fn serve_until_stopped(
    service: &Service,
    settings: &Settings,
    enabled: Result<Vec<EnabledBlueprint>, StartError>,
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
        signal = &mut signals.stop => return Ok(stop_before_serving(settings, pipeline, signal, None).await),
    };
    let mut blueprints = StartedBlueprints::none(SharedResources::new(database.clone()));
    tokio::select! {
        started = blueprints.start(&enabled) => started?,
        // Nor must a blueprint that does not finish its start.
        signal = &mut signals.stop => {
            return Ok(stop_before_serving(settings, pipeline, signal, Some((blueprints, database))).await);
        }
    }
    let blueprint_share = ShutdownBudget::of(settings.server.shutdown_timeout()).blueprints;
    let fleet = match Fleet::start(&database, pipeline, settings.log.override_poll()).await {
        Ok(fleet) => fleet,
        Err(error) => {
            blueprints.stop(blueprint_share).await;
            return Err(StartError::Database(error));
        }
    };
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
        blueprints.stop(blueprint_share).await;
    }
    served
}

/// Stops a service that has not served yet: what it has started, if it had come so far.
async fn stop_before_serving(
    settings: &Settings,
    pipeline: &Pipeline,
    signal: Result<&'static str, RecvError>,
    started: Option<(StartedBlueprints, Database)>,
) -> Stopped {
    let timeout = settings.server.shutdown_timeout();
    let deadline = Instant::now() + timeout;
    let (name, no_signal) = stop_reason(signal);
    pipeline.report(Report::service(Level::Info, format!("stopping on {name}")));
    let mut panic = None;
    if let Some((blueprints, database)) = started {
        panic = blueprints.stop(ShutdownBudget::of(timeout).blueprints).await;
        database.close();
    }
    pipeline.report(Report::service(Level::Info, "stopped"));
    Stopped { deadline, has_served: false, fault: no_signal.or(panic) }
}

/// The name of the stop signal, and the fault if there was none.
fn stop_reason(signal: Result<&'static str, RecvError>) -> (&'static str, Option<String>) {
    match signal {
        Ok(name) => (name, None),
        Err(_) => (NO_SIGNAL, Some("the thread that waits for signals has ended".to_owned())),
    }
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
    async fn listen(self, app: AppFactory) -> Result<Stopped, StartError> {
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
        let mut management = Some(actix_web::rt::spawn(management));
        let mut api = Some(actix_web::rt::spawn(api));

        // A server's task must not be awaited again once it has ended.
        let (reason, fault) = tokio::select! {
            signal = signals.stop => stop_reason(signal),
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
