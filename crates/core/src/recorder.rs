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
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let settings = Loader::new("config").process_environment().load()?;
///     let recorder = Recorder::start(&settings); // before any runtime
///     let logger = recorder.response_logger();
///     let app = move || App::new().route("/", web::get().to(async || "Hello")).wrap(logger.clone());
///     actix_web::rt::System::new().block_on(HttpServer::new(app).bind(("127.0.0.1", 8080))?.run())?;
///     Ok(())
/// } // `recorder` is dropped, also after an early return: the sinks are flushed
/// ```
#[must_use = "dropping the recorder flushes the sinks, so it must live as long as the service"]
pub struct Recorder(cyanotype_actix::Recorder);

impl Recorder {
    /// How long dropping a recorder may take.
    pub const FLUSH_LIMIT: Duration = cyanotype_actix::Recorder::FLUSH_LIMIT;

    /// Starts the configured sinks. Call it once per process, before any runtime or thread that could use Sentry.
    pub fn start(settings: &Settings) -> Self {
        Self(cyanotype_actix::Recorder::start(&settings.recorder(), sentry::sinks(settings)))
    }

    /// The middleware, to be cloned for the app of each worker.
    #[must_use]
    pub fn response_logger(&self) -> ResponseLogger {
        self.0.response_logger()
    }

    /// Registers a type of response errors, as [`Service::error_type`](crate::Service::error_type) does.
    pub fn error_type<T: ResponseError + std::error::Error + 'static>(&self) {
        register_error_type::<T>();
    }

    /// Flushes the sinks, within this time instead of [`FLUSH_LIMIT`](Self::FLUSH_LIMIT).
    pub fn finish(self, limit: Duration) {
        self.0.finish(limit);
    }
}
