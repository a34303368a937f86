//! Records for an actix-web service that is not made of blueprints.

use std::time::{Duration, Instant};

use crate::http::response_log::{Config, ResponseLogger};
use crate::http::rules::Rules;
use crate::outlets::Outlets;
use crate::pipeline::{self, Pipeline};
use crate::settings::Settings;

/// The sinks, and the response-logging wrapper, for a service that exists already.
///
/// What is answered stays as it was, to the byte; panics, the lines of loggers and what is said with the helpers are
/// recorded too. It takes the place of the process's panic hook and of its `tracing` subscriber, unless there is one.
///
/// ```no_run
/// use actix_web::middleware::Compress;
/// use actix_web::{App, HttpServer, web};
/// use cyanotype::Recorder;
/// use cyanotype::settings::Loader;
/// use std::time::Duration;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let settings = Loader::new("config").process_environment().load()?;
///     let recorder = Recorder::start(&settings); // before any runtime
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
    /// Starts the sinks that the settings ask for; once in a process, and before any runtime or thread that could speak to
    /// Sentry.
    #[must_use]
    pub fn start(settings: &Settings) -> Self {
        let rules = Rules::new(settings.log.response.body, &[]);
        Self { pipeline: pipeline::start(settings, None, &Outlets::Real), response_log: Config::new(settings, rules) }
    }

    /// The wrapper; each worker's app takes one of its own.
    #[must_use]
    pub fn response_logger(&self) -> ResponseLogger {
        ResponseLogger::new(self.pipeline, self.response_log.clone())
    }

    /// Delivers what is queued, at most for so long.
    pub fn finish(&self, limit: Duration) {
        self.pipeline.finish(Instant::now() + limit);
    }
}
