//! Logging for an actix-web service that is not built from blueprints, including Sentry.

use std::time::Duration;

use actix_web::ResponseError;
use cyanotype_actix::ResponseLogger;
use cyanotype_actix::response_log::register_error_type;

use crate::sentry;
use crate::settings::Settings;

/// [`cyanotype_actix::Recorder`] with Sentry as a sink.
///
/// ```no_run
/// use actix_web::{App, HttpServer, web};
/// use cyanotype::Recorder;
/// use cyanotype::settings::Loader;
/// use std::time::Duration;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let settings = Loader::new("config").process_environment().load()?;
///     let recorder = Recorder::start(&settings); // before any runtime
///     let layers = recorder.clone();
///     let app = move || App::new().route("/", web::get().to(async || "Hello")).wrap(layers.response_logger());
///     actix_web::rt::System::new().block_on(HttpServer::new(app).bind(("127.0.0.1", 8080))?.run())?;
///     recorder.finish(Duration::from_secs(3));
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Recorder(cyanotype_actix::Recorder);

impl Recorder {
    /// Starts the configured sinks. Call it once per process, before any runtime or thread that could use Sentry.
    #[must_use]
    pub fn start(settings: &Settings) -> Self {
        Self(cyanotype_actix::Recorder::start(&settings.recorder(), sentry::sinks(settings)))
    }

    /// The middleware. Each worker's app needs its own.
    #[must_use]
    pub fn response_logger(&self) -> ResponseLogger {
        self.0.response_logger()
    }

    /// Registers a type of response errors, as [`Service::error_type`](crate::Service::error_type) does.
    pub fn error_type<T: ResponseError + std::error::Error + 'static>(&self) {
        register_error_type::<T>();
    }

    /// Flushes the sinks, within this time.
    pub fn finish(&self, limit: Duration) {
        self.0.finish(limit);
    }
}
