//! From start to stop: sinks first, then the database, the listeners, and back in the opposite order.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use actix_web::{App, HttpServer};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::database::{Database, DatabaseError, Program, Sweeper};
use crate::descriptors::Descriptors;
use crate::http::routing::answer_head;
use crate::management::{self, Health};
use crate::outlets::Outlets;
use crate::pipeline::{self, Pipeline, Report};
use crate::record::Level;
use crate::registry::{Enabled, RegistryError};
use crate::resources::Shared;
use crate::routes;
use crate::running::{NotStarted, Running};
use crate::service::{Mounted, Service};
use crate::settings::{Mode, Settings};

/// `EX_CONFIG`: another start will fare no better, so nothing should try one.
const BAD_CONFIGURATION: u8 = 78;
/// `EX_UNAVAILABLE`: something that is needed was not to be had.
const UNAVAILABLE: u8 = 69;
/// What a start that may fare better next time takes at least.
const BEFORE_ANOTHER_START: Duration = Duration::from_secs(1);

/// Why the service does not serve, or a command did not reach the database, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartError {
    status: u8,
    reason: String,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for StartError {}

impl From<RegistryError> for StartError {
    fn from(error: RegistryError) -> Self {
        Self { status: BAD_CONFIGURATION, reason: error.to_string() }
    }
}

impl From<NotStarted> for StartError {
    fn from(not: NotStarted) -> Self {
        match not {
            NotStarted::Failed(reason) => Self::unavailable(reason),
            NotStarted::Clash(reason) => Self { status: BAD_CONFIGURATION, reason },
        }
    }
}

impl StartError {
    /// The status that the process should end with: 78 for what is configured wrongly, 69 for what is unavailable.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.status)
    }

    /// Another start will fare no better on a schema that a newer version has written.
    fn database(error: DatabaseError) -> Self {
        match error {
            DatabaseError::SchemaTooNew(reason) => Self { status: BAD_CONFIGURATION, reason },
            error => Self::unavailable(error),
        }
    }

    fn unavailable(reason: impl fmt::Display) -> Self {
        Self { status: UNAVAILABLE, reason: reason.to_string() }
    }
}

pub(crate) fn run(mut service: Service) -> ExitCode {
    let release = service.release();
    service.settings.sentry.release.get_or_insert(release);
    let (settings, enabled) = match service.enabled() {
        Ok((settings, enabled)) => (settings, Ok(enabled)),
        // Why is said by way of the sinks, as far as they are known.
        Err(error) => (service.settings.clone(), Err(error)),
    };
    // Before any runtime: Sentry's hub belongs to the first thread that touches it.
    let pipeline = pipeline::start(&settings, service.before_breadcrumb.take(), &Outlets::Real);

    // Before any runtime: without descriptors it would not start, and could not say why.
    let descriptors = Descriptors::claim(&settings).map_err(|reason| StartError { status: BAD_CONFIGURATION, reason });
    let served = descriptors.and_then(|descriptors| {
        actix_web::rt::System::new().block_on(serve(&service, &settings, enabled, pipeline, descriptors))
    });
    let (deadline, code) = match served {
        Ok(deadline) => (deadline, ExitCode::SUCCESS),
        Err(failed) => {
            let deadline = Instant::now() + settings.server.shutdown_timeout();
            refuse(pipeline, &failed);
            if failed.status == UNAVAILABLE {
                // Whoever starts the service again at once shall not spin.
                std::thread::sleep(BEFORE_ANOTHER_START);
            }
            (deadline, ExitCode::from(failed.status))
        }
    };
    pipeline.finish(deadline);
    code
}

/// Serves until it is told to stop; gives back the instant by which the process must have ended.
async fn serve(
    service: &Service,
    settings: &Settings,
    enabled: Result<Vec<Enabled>, RegistryError>,
    pipeline: &'static Pipeline,
    descriptors: Descriptors,
) -> Result<Instant, StartError> {
    let enabled = enabled?;
    let (_, rules) = routes::registered(settings, &enabled).await?;
    let names: Vec<&'static str> = enabled.iter().map(|enabled| enabled.blueprint.name()).collect();
    let database = open_database(service, settings, &enabled).await?;
    let running = Running::start(&enabled, Shared::new(database.clone())).await?;
    let mounted = Mounted::new(settings, pipeline, enabled, rules, &running, &service.about(settings));
    let started = Started { service, settings, pipeline, names, database, running: running.clone(), descriptors };
    let served = started.listen(mounted).await;
    if served.is_err() {
        running.stop(Shares::of(settings.server.shutdown_timeout()).blueprints).await;
    }
    served
}

async fn open_database(service: &Service, settings: &Settings, enabled: &[Enabled]) -> Result<Database, StartError> {
    let blueprints = enabled.iter().map(|enabled| &enabled.blueprint);
    let migrations = blueprints.filter_map(|blueprint| Some((blueprint.name(), blueprint.migrations()?)));
    let program = Program { name: service.name, version: service.version };
    Database::open(&settings.database, migrations, program).await.map_err(StartError::database)
}

/// Runs a command's work on the database alone.
pub(crate) fn on_database<T>(
    service: &Service,
    work: impl AsyncFnOnce(Database) -> Result<T, DatabaseError>,
) -> Result<T, StartError> {
    let (settings, enabled) = service.enabled()?;
    actix_web::rt::System::new().block_on(async {
        let database = open_database(service, &settings, &enabled).await?;
        let done = work(database.clone()).await;
        database.close();
        done.map_err(StartError::database)
    })
}

/// All that is there before the listeners.
struct Started<'a> {
    service: &'a Service,
    settings: &'a Settings,
    pipeline: &'static Pipeline,
    names: Vec<&'static str>,
    database: Database,
    running: Running,
    descriptors: Descriptors,
}

impl Started<'_> {
    async fn listen(self, mounted: Mounted) -> Result<Instant, StartError> {
        let Self { service, settings, pipeline, names, database, running, descriptors } = self;
        let mut signals = Signals::listen().map_err(StartError::unavailable)?;

        let in_flight = mounted.in_flight.clone();
        let health = Health { database: database.clone(), blueprints: running.clone(), in_flight: in_flight.clone() };
        let management =
            HttpServer::new(move || App::new().configure(management::routes(health.clone())).wrap_fn(answer_head))
                .workers(1)
                .disable_signals()
                .shutdown_timeout(0)
                .bind((settings.management.host.as_str(), settings.management.port));
        let management = management.map_err(|error| cannot_listen("management", settings, &error))?;

        let shares = Shares::of(settings.server.shutdown_timeout());
        let mut api = HttpServer::new(move || {
            mounted.database.begin_worker();
            mounted.clone().app()
        })
        .disable_signals()
        // What is left for idle connections, and for those that take longer than the requests' share.
        .shutdown_timeout(1)
        .max_connections(descriptors.connections_per_worker)
        .client_request_timeout(settings.server.request_timeout())
        // A client that closes its side has left: its handler is ended, not run for nobody.
        .h1_allow_half_closed(false);
        if let Some(workers) = settings.server.workers {
            api = api.workers(workers);
        }
        let api = api.bind((settings.server.host.as_str(), settings.server.port));
        let api = api.map_err(|error| cannot_listen("server", settings, &error))?;

        say_start(service, settings, pipeline, &api.addrs(), &management.addrs(), &names, &database);
        if let Some(warning) = descriptors.warning() {
            pipeline.report(Report::service(Level::Warning, warning));
        }
        let sweeper = Sweeper::new(database.clone(), running.expiring(), settings.database.sweep_interval());
        let sweeper = actix_web::rt::spawn(sweeper.run());
        let (api, management) = (api.run(), management.run());
        let (api_handle, management_handle) = (api.handle(), management.handle());
        let management = actix_web::rt::spawn(management);
        let api = actix_web::rt::spawn(api);

        let name = signals.next().await;
        let deadline = Instant::now() + settings.server.shutdown_timeout();
        in_flight.stop();
        pipeline.report(Report::service(Level::Info, format!("stopping on {name}")));
        // A second signal ends at once, whatever is in hand.
        actix_web::rt::spawn(async move {
            signals.next().await;
            std::process::exit(1);
        });
        sweeper.abort();
        // No worker may end while another one's request, or a transaction whose client has left, needs what it holds: so
        // no connection is accepted any more, all of them finish, and then they end together.
        let requests = Instant::now() + shares.requests.saturating_sub(Duration::from_secs(1));
        api_handle.pause().await;
        in_flight.wait(requests).await;
        database.wait_for_transactions(requests).await;
        // These end with their workers: cut off, or by losing the connection that their worker has made.
        let left_open = database.unfinished_transactions();
        api_handle.stop(true).await;
        // Both have ended by themselves; how is of no interest any more.
        let _ = api.await;
        // What the workers cut off is recorded as they end.
        in_flight.wait(Instant::now() + CUTTING_OFF).await;
        let cut_off = left_open.max(database.unfinished_transactions());
        if cut_off > 0 {
            let message =
                format!("rolled back {cut_off} database transactions that the stop did not wait for any longer");
            pipeline.report(Report::service(Level::Warning, message).with("rolled_back", cut_off));
        }
        running.stop(shares.blueprints).await;
        database.close();
        management_handle.stop(false).await;
        let _ = management.await;
        pipeline.report(Report::service(Level::Info, "stopped"));
        Ok(deadline)
    }
}

/// How the time to stop is shared out; what the requests leave is for the sinks.
struct Shares {
    requests: Duration,
    blueprints: Duration,
}

impl Shares {
    fn of(all: Duration) -> Self {
        let requests = Duration::from_secs((all.as_secs() * 5 / 8).max(1).min(all.as_secs().saturating_sub(1)));
        Self { requests, blueprints: all / 8 }
    }
}

/// How long a worker has to drop its connections.
const CUTTING_OFF: Duration = Duration::from_millis(500);
fn cannot_listen(section: &str, settings: &Settings, error: &io::Error) -> StartError {
    let (host, port) = match section {
        "management" => (&settings.management.host, settings.management.port),
        _ => (&settings.server.host, settings.server.port),
    };
    StartError::unavailable(format!("cannot listen on {host}:{port} ({section}.host, {section}.port): {error}"))
}

fn say_start(
    service: &Service,
    settings: &Settings,
    pipeline: &Pipeline,
    api: &[SocketAddr],
    management: &[SocketAddr],
    blueprints: &[&'static str],
    database: &Database,
) {
    let shown = |addresses: &[SocketAddr]| addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let policy = pipeline.policy;
    let sinks: Vec<&str> = [("stderr", policy.has_stderr()), ("sentry", policy.has_sentry())]
        .iter()
        .filter(|(_, on)| *on)
        .map(|(name, _)| *name)
        .collect();
    let wants_sentry = matches!(policy.mode, Mode::Sentry | Mode::Both);
    let why_not = match (wants_sentry && !policy.has_sentry(), cfg!(feature = "sentry")) {
        (false, _) => None,
        (true, true) => Some("no DSN is set"),
        (true, false) => Some("this build has no Sentry in it"),
    };
    let level = if settings.warnings.is_empty() { Level::Info } else { Level::Warning };
    let mut report =
        Report::service(level, format!("{} {} serves on http://{}", service.name, service.version, shown(api)))
            .with("version", service.version)
            .with("address", shown(api))
            .with("management_address", shown(management))
            .with("env", settings.env.as_str())
            .with("mode", policy.mode.as_str())
            .with("log_level", policy.level.as_str())
            .with("sinks", sinks)
            .with("blueprints", blueprints.to_vec())
            .with("database", database.kind());
    if let Some(file) = database.file() {
        report = report.with("database_file", file.display().to_string());
    }
    if let Some(why_not) = why_not {
        report = report.with("sentry", why_not);
    }
    if !settings.warnings.is_empty() {
        report = report.with("warnings", settings.warnings.clone());
    }
    pipeline.report(report);
}

/// Says why there is no service, whatever the mode and the level: it is the answer to the command.
fn refuse(pipeline: &Pipeline, failed: &StartError) {
    let record = Report::service(Level::Critical, failed.reason.clone());
    if pipeline.policy.route(record.kind, record.level).stderr {
        pipeline.report(record);
    } else {
        let _ = writeln!(io::stderr(), "{}", failed.reason);
    }
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
