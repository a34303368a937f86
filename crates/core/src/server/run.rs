//! Startup and run: sinks first, then the database and the listeners. `shutdown.rs` has the order in which they stop.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use cyanotype_telemetry::in_app;
use cyanotype_telemetry::panic::{self, Panics};
use cyanotype_telemetry::{Hooks, Level, Pipeline, Report};

use super::app::AppFactory;
use super::database_commands::open_database;
use super::descriptor_budget;
use super::error::StartError;
use super::listen::StartedService;
use super::main_guard;
use super::service::Service;
use super::shutdown_budget::ShutdownBudget;
use super::signals::{Handlers, Signals};
use super::start_record::report_fatal_error;
use super::stopped::{StopReason, Stopped};
use super::systemd::notify;
use super::systemd::sockets::InheritedSockets;
use crate::blueprint::registry::EnabledBlueprint;
use crate::blueprint::resources::SharedResources;
use crate::blueprint::routes;
use crate::blueprint::started::StartedBlueprints;
use crate::checks::DescriptorBudget;
use crate::database::Database;
use crate::fleet::Fleet;
use crate::log_control::LogControl;
use crate::sentry;
use crate::settings::Settings;

/// Minimum time before a process exits after a temporary startup error.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// Builds a service with these settings and [runs](Service::run) it. A panic while it is built is recorded, too, and sent to
/// Sentry.
///
/// ```no_run
/// # use std::process::ExitCode;
/// # fn serve(settings: cyanotype::settings::Settings, orders: impl cyanotype::Blueprint) -> ExitCode {
/// cyanotype::serve(&settings, |settings| cyanotype::Service::new(settings).blueprint(orders))
/// # }
/// ```
#[must_use]
#[track_caller]
pub fn serve(settings: &Settings, build: impl FnOnce(Settings) -> Service) -> ExitCode {
    in_app::set_workspace_of_caller();
    main_guard::main(|| {
        // First: without a handler most signals end the process, and nothing is written.
        let handlers = Handlers::install();
        // Before there are other threads.
        let sockets = InheritedSockets::take();
        match catch_unwind(AssertUnwindSafe(|| build(settings.clone()))) {
            Ok(service) => run(service, handlers, sockets),
            Err(payload) => {
                panic::report_caught(&*payload);
                let pipeline = start_pipeline(settings, Hooks::default());
                refuse_start(pipeline, settings, &StartError::panicked(&*payload))
            }
        }
    })
}

impl Service {
    /// Serves until a stop signal, and returns the exit status: 0 after a stop, 78 for configuration errors, 69 when the
    /// database or a port is unavailable, 70 after a panic outside requests.
    #[must_use]
    #[track_caller]
    pub fn run(self) -> ExitCode {
        in_app::set_workspace_of_caller();
        main_guard::main(|| run(self, Handlers::install(), InheritedSockets::take()))
    }
}

fn run(
    mut service: Service,
    handlers: io::Result<Handlers>,
    sockets: Result<InheritedSockets, StartError>,
) -> ExitCode {
    let release = service.release();
    service.settings.sentry.release.get_or_insert(release);
    // An error is reported below, when the sinks have been started.
    let (settings, enabled) = match catch_unwind(AssertUnwindSafe(|| service.select_enabled())) {
        Ok(Ok((settings, enabled))) => (settings, Ok(enabled)),
        Ok(Err(error)) => (service.settings.clone(), Err(error.into())),
        Err(payload) => (service.settings.clone(), Err(StartError::panicked(&*payload))),
    };
    let pipeline = start_pipeline(&settings, std::mem::take(&mut service.hooks));

    // Before any runtime: with too few descriptors a runtime would fail without a clear reason.
    let descriptors = descriptor_budget::claim(&settings).map_err(StartError::from);
    let served = descriptors.and_then(|descriptors| {
        let sockets = sockets?;
        let signals = handlers.and_then(|handlers| handlers.watch(pipeline)).map_err(StartError::Signals)?;
        let runtime = actix_web::rt::System::new();
        let service = serve_until_stopped(&service, &settings, enabled, pipeline, descriptors, sockets, signals);
        let stopped = match runtime.block_on(panic::catch(service)) {
            Ok(stopped) => stopped,
            Err(payload) => Err(StartError::panicked(&*payload)),
        };
        match stopped {
            Ok(Stopped { deadline, management: Some(management), fault }) => {
                Ok((deadline, fault, Some((management, runtime))))
            }
            stopped => {
                // Dropping the runtime would wait for blocked threads, so it is leaked.
                std::mem::forget(runtime);
                stopped.map(|Stopped { deadline, fault, .. }| (deadline, fault, None))
            }
        }
    });
    match served {
        Ok((deadline, fault, management)) => {
            let error = fault.map(StartError::Fault);
            error.iter().for_each(|error| report_fatal_error(pipeline, &settings, error, deadline));
            pipeline.finish(deadline);
            // Last: health checks are answered until the process ends.
            if let Some((management, runtime)) = management {
                runtime.block_on(management.stop());
                // Dropping the runtime would wait for blocked threads, so it is leaked.
                std::mem::forget(runtime);
            }
            error.map_or(ExitCode::SUCCESS, |error| error.exit_code())
        }
        Err(error) => refuse_start(pipeline, &settings, &error),
    }
}

/// Starts the sinks, before any runtime: Sentry's main hub belongs to the first thread that uses it.
fn start_pipeline(settings: &Settings, hooks: Hooks) -> &'static Pipeline {
    cyanotype_telemetry::start(&settings.telemetry(), hooks, sentry::sinks(settings), Panics::All)
}

/// Reports why the start failed, and returns the exit status.
fn refuse_start(pipeline: &Pipeline, settings: &Settings, error: &StartError) -> ExitCode {
    let deadline = Instant::now() + settings.server.shutdown_timeout();
    report_fatal_error(pipeline, settings, error, deadline);
    if error.is_temporary() {
        // Slows down a process manager that restarts the service immediately.
        std::thread::sleep(RESTART_DELAY);
    }
    pipeline.finish(deadline);
    error.exit_code()
}

/// Serves until a stop signal.
async fn serve_until_stopped(
    service: &Service,
    settings: &Settings,
    enabled: Result<Vec<EnabledBlueprint>, StartError>,
    pipeline: &'static Pipeline,
    descriptors: DescriptorBudget,
    sockets: InheritedSockets,
    mut signals: Signals,
) -> Result<Stopped, StartError> {
    let enabled = enabled?;
    let (routes, rules) = routes::collect_and_check(settings, &enabled).await?;
    let names: Vec<&'static str> = enabled.iter().map(|enabled| enabled.blueprint.name()).collect();
    notify::status("opening the database");
    let database = tokio::select! {
        opened = notify::extend_start(open_database(service, settings, &enabled)) => opened?,
        // A database that does not answer must not delay the stop. No blueprint has started yet.
        signal = &mut signals.stop => return Ok(stop_before_serving(settings, pipeline, signal.ok(), None).await),
    };
    notify::status("starting the blueprints");
    let mut blueprints = StartedBlueprints::none(SharedResources::new(database.clone()));
    tokio::select! {
        started = blueprints.start(&enabled) => started?,
        // A blueprint that hangs in `start` must not delay the stop either.
        signal = &mut signals.stop => {
            return Ok(stop_before_serving(settings, pipeline, signal.ok(), Some((blueprints, database))).await);
        }
    }
    let blueprint_share = ShutdownBudget::of(Duration::ZERO, settings.server.shutdown_timeout()).blueprints;
    let fleet = tokio::select! {
        biased;
        signal = &mut signals.stop => {
            return Ok(stop_before_serving(settings, pipeline, signal.ok(), Some((blueprints, database))).await);
        }
        started = notify::extend_start(Fleet::start(&database, pipeline, settings.log.override_poll())) => started,
    };
    let fleet = match fleet {
        Ok(fleet) => fleet,
        Err(error) => {
            blueprints.stop(blueprint_share).await;
            return Err(StartError::Database(error));
        }
    };
    let patterns = routes::patterns(&routes);
    let app = AppFactory::new(settings, pipeline, enabled, rules, patterns, &blueprints, &service.api_info(settings));
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
        sockets,
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
    signal: Option<&'static str>,
    started: Option<(StartedBlueprints, Database)>,
) -> Stopped {
    let timeout = settings.server.shutdown_timeout();
    let deadline = Instant::now() + timeout;
    let StopReason { name, fault } = StopReason::signal(signal);
    notify::stopping(name, timeout);
    pipeline.report(Report::service(Level::Info, format!("stopping on {name}")));
    let mut panic = None;
    if let Some((blueprints, database)) = started {
        panic = blueprints.stop(ShutdownBudget::of(Duration::ZERO, timeout).blueprints).await;
        database.close().await;
    }
    pipeline.report(Report::service(Level::Info, "stopped"));
    Stopped { deadline, management: None, fault: fault.or(panic) }
}
