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
/// use std::time::Duration;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let settings = Loader::<Settings>::new("config").process_environment().load()?;
///     let recorder = Recorder::start(&settings, Sinks::stderr(&settings.telemetry())); // before any runtime
///     let layers = recorder.clone();
///     actix_web::rt::System::new().block_on(
///         HttpServer::new(move || {
///             App::new()
///                 .route("/", web::get().to(async || "Hello"))
///                 .wrap(layers.response_logger()) // inside compression
///                 .wrap(Compress::default())
///         })
///         .bind(("127.0.0.1", 8080))?
///         .run(),
///     )?;
///     recorder.finish(Duration::from_secs(3));
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Recorder {
    pipeline: &'static Pipeline,
    response_log: Config,
}

impl Recorder {
    /// Starts recording to these sinks. Call it once per process, before any runtime or thread that could report something.
    #[must_use]
    pub fn start(settings: &Settings, sinks: Sinks) -> Self {
        let address_resolver = ClientAddressResolver::new(&settings.server);
        let response_log = Config::new(&settings.log, address_resolver, Rules::new([]));
        Self {
            pipeline: cyanotype_telemetry::start(&settings.telemetry(), Hooks::default(), sinks, Panics::All),
            response_log,
        }
    }

    /// The middleware. Each worker's app needs its own.
    #[must_use]
    pub fn response_logger(&self) -> ResponseLogger {
        ResponseLogger::new(self.pipeline, self.response_log.clone())
    }

    /// Flushes the sinks, within this time.
    pub fn finish(&self, limit: Duration) {
        self.pipeline.finish(Instant::now() + limit);
    }
}
