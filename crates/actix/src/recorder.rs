//! Logging for an existing actix-web service.

use std::time::{Duration, Instant};

use cyanotype_telemetry::panic::Panics;
use cyanotype_telemetry::{Hooks, Pipeline, Sinks};

use crate::client_address::ClientAddressResolver;
use crate::response_log::{Config, ResponseLogger, Rules};
use crate::settings::Settings;

/// The sinks and the response-logging middleware for an existing service.
///
/// Responses are unchanged, byte for byte. Panics, log lines and the reports of the capture helpers are recorded too. It replaces
/// the process's panic hook, and installs a `tracing` subscriber unless one is installed already.
///
/// ```no_run
/// use actix_web::middleware::Compress;
/// use actix_web::{App, HttpServer, web};
/// use cyanotype_actix::{Loader, Recorder, Settings, Sinks};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let settings = Loader::<Settings>::new("config").process_environment().load()?;
///     let recorder = Recorder::start(&settings, Sinks::stderr(&settings.telemetry())); // before any runtime
///     let logger = recorder.response_logger();
///     actix_web::rt::System::new().block_on(
///         HttpServer::new(move || {
///             App::new()
///                 .route("/", web::get().to(async || "Hello"))
///                 .wrap(logger.clone()) // inside compression
///                 .wrap(Compress::default())
///         })
///         .bind(("127.0.0.1", 8080))?
///         .run(),
///     )?;
///     Ok(())
/// } // `recorder` is dropped, also after an early return: the sinks are flushed
/// ```
#[must_use = "dropping the recorder flushes the sinks, so it must live as long as the service"]
pub struct Recorder {
    pipeline: &'static Pipeline,
    response_log: Config,
    flush_limit: Duration,
}

impl Recorder {
    /// How long dropping a recorder may take.
    pub const FLUSH_LIMIT: Duration = Duration::from_secs(3);

    /// Starts recording to these sinks. Call it once per process, before any runtime or thread that could report something.
    pub fn start(settings: &Settings, sinks: Sinks) -> Self {
        let address_resolver = ClientAddressResolver::new(&settings.server);
        let response_log = Config::new(&settings.log, address_resolver, Rules::new([]));
        let pipeline = cyanotype_telemetry::start(&settings.telemetry(), Hooks::default(), sinks, Panics::All);
        Self { pipeline, response_log, flush_limit: Self::FLUSH_LIMIT }
    }

    /// The middleware, to be cloned for the app of each worker.
    #[must_use]
    pub fn response_logger(&self) -> ResponseLogger {
        ResponseLogger::new(self.pipeline, self.response_log.clone())
    }

    /// Flushes the sinks, within this time instead of [`FLUSH_LIMIT`](Self::FLUSH_LIMIT).
    pub fn finish(mut self, limit: Duration) {
        self.flush_limit = limit;
    }
}

/// Flushes the sinks: resolves stacks, sends or spools events, and writes lines, within the limit.
impl Drop for Recorder {
    fn drop(&mut self) {
        self.pipeline.finish(Instant::now() + self.flush_limit);
    }
}
