//! Puts blueprints together into the one app that serves them.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Service as _, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Condition, from_fn};
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, Error};
use tracing_actix_web::TracingLogger;
use utoipa::openapi::OpenApi;

use crate::api;
use crate::api::pages::Pages;
use crate::blueprint::Blueprint;
use crate::capture::Breadcrumb;
use crate::database::{Database, DatabaseError};
use crate::extract::Limits;
use crate::http::answer_headers::Defaults;
use crate::http::compression::Compression;
use crate::http::context::give_context;
use crate::http::cors;
use crate::http::failures::answer_failures;
use crate::http::gate::Gate;
use crate::http::handler_time::end_late;
use crate::http::in_flight::InFlight;
use crate::http::optional::Optional;
use crate::http::preflights::watch_preflights;
use crate::http::rate_limit::{Limiters, limit_rate};
use crate::http::response_log::{Config, ResponseLogger};
use crate::http::root_span::RootSpan;
use crate::http::rules::Rules;
use crate::lifecycle::{self, StartError};
use crate::pipeline::{BeforeBreadcrumb, Pipeline};
use crate::problem::Problem;
use crate::record::EventId;
use crate::registry::{self, Enabled, Registered, RegistryError};
use crate::request;
use crate::resources::Mount;
use crate::routes::{self, RouteInfo};
use crate::running::Running;
use crate::sentry;
use crate::settings::spec::Setting;
use crate::settings::{Cors, Settings, TrailingSlash};

/// The service: settings, blueprints, and what is done before a breadcrumb is kept.
///
/// ```no_run
/// # use std::process::ExitCode;
/// # fn serve(settings: cyanotype::settings::Settings, users: impl cyanotype::Blueprint) -> ExitCode {
/// cyanotype::Service::new(settings)
///     .blueprint(users)
///     .before_breadcrumb(|crumb| (crumb.category.as_deref() != Some("noise")).then_some(crumb))
///     .run()
/// # }
/// ```
pub struct Service {
    pub(crate) settings: Settings,
    pub(crate) blueprints: Vec<Registered>,
    pub(crate) before_breadcrumb: Option<BeforeBreadcrumb>,
    pub(crate) complete_document: Option<api::Complete>,
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

impl Service {
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            blueprints: Vec::new(),
            before_breadcrumb: None,
            complete_document: None,
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// The program's own name and version; the start says them, and they are Sentry's release when the settings have none.
    #[must_use]
    pub fn program(mut self, name: &'static str, version: &'static str) -> Self {
        (self.name, self.version) = (name, version);
        self
    }

    /// Adds a blueprint.
    #[must_use]
    pub fn blueprint(mut self, blueprint: impl Blueprint) -> Self {
        self.blueprints.push(Registered::new(blueprint));
        self
    }

    /// Sees each breadcrumb said with [`add_breadcrumb`](crate::add_breadcrumb) before it is kept for Sentry, and may
    /// change it or, with `None`, keep it from Sentry.
    #[must_use]
    pub fn before_breadcrumb(
        mut self,
        hook: impl Fn(Breadcrumb) -> Option<Breadcrumb> + Send + Sync + 'static,
    ) -> Self {
        self.before_breadcrumb = Some(Box::new(hook));
        self
    }

    /// Completes the API document, which has the program's name as its title: with a title, a contact and a licence for
    /// readers, or whatever else the blueprints cannot state.
    ///
    /// ```
    /// # fn complete(service: cyanotype::Service) -> cyanotype::Service {
    /// use utoipa::openapi::{ContactBuilder, LicenseBuilder};
    ///
    /// service.document(|document| {
    ///     document.info.title = "Shop".into();
    ///     document.info.contact = Some(ContactBuilder::new().name(Some("Shop API team")).build());
    ///     document.info.license = Some(LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build());
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn document(mut self, complete: impl Fn(&mut OpenApi) + Send + Sync + 'static) -> Self {
        self.complete_document = Some(Box::new(complete));
        self
    }

    /// The settings in force, those of the blueprints among them.
    ///
    /// # Errors
    /// When the blueprints do not go together, or cannot be set so.
    pub fn settings(&self) -> Result<Settings, RegistryError> {
        self.enabled().map(|(settings, _)| settings)
    }

    /// What can be set for each blueprint that is compiled in, below `blueprints.<its name>`.
    pub fn blueprint_settings(&self) -> impl Iterator<Item = (&'static str, &'static [Setting])> {
        self.blueprints.iter().map(|it| (it.blueprint.name(), it.blueprint.settings().known))
    }

    /// The routes of the enabled blueprints, by path.
    ///
    /// # Errors
    /// When the blueprints do not go together, or cannot be set so.
    pub fn routes(&self) -> Result<Vec<RouteInfo>, RegistryError> {
        let (settings, blueprints) = self.enabled()?;
        actix_web::rt::System::new().block_on(routes::registered(&settings, &blueprints)).map(|(routes, _)| routes)
    }

    /// The API document of the enabled blueprints.
    ///
    /// # Errors
    /// When the blueprints do not go together, or cannot be set so.
    pub fn api(&self) -> Result<OpenApi, RegistryError> {
        self.enabled().map(|(settings, blueprints)| api::document(&self.about(&settings), &blueprints))
    }

    /// What the document has of the program.
    pub(crate) fn about<'a>(&'a self, settings: &'a Settings) -> api::About<'a> {
        api::About {
            name: self.name,
            version: self.version,
            public_url: settings.server.public_url.as_deref(),
            complete: self.complete_document.as_ref(),
        }
    }

    /// Whether the start would refuse the blueprints.
    ///
    /// # Errors
    /// When they do not go together, or the settings name one that there is not.
    pub fn check(&self) -> Result<(), RegistryError> {
        self.routes().map(|_| ())
    }

    /// Sends one event to Sentry and waits for the answer; no other part of the service runs.
    ///
    /// # Errors
    /// In a sentence why it did not arrive.
    pub fn send_test_event(&self) -> Result<EventId, String> {
        let mut settings = self.settings.clone();
        settings.sentry.release.get_or_insert_with(|| self.release());
        sentry::send_test_event(&settings)
    }

    /// Does an operator's work on the database, with the tables brought up to date as the start does; no other part of the
    /// service runs.
    ///
    /// # Errors
    /// When the blueprints do not go together, the database is unavailable, or the work fails.
    pub fn on_database<T>(
        &self,
        work: impl AsyncFnOnce(Database) -> Result<T, DatabaseError>,
    ) -> Result<T, StartError> {
        lifecycle::on_database(self, work)
    }

    /// What events are filed under when the settings do not say.
    pub(crate) fn release(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// Serves until it is told to stop, and ends with the status that the process should end with: 0 after a stop, 78 for
    /// blueprints that do not go together, 69 when the database or a port is not to be had.
    #[must_use]
    pub fn run(self) -> ExitCode {
        lifecycle::run(self)
    }

    /// The settings in force, and the blueprints that they enable.
    pub(crate) fn enabled(&self) -> Result<(Settings, Vec<Enabled>), RegistryError> {
        let mut settings = self.settings.clone();
        let blueprints = registry::enabled(&self.blueprints, &mut settings)?;
        Ok((settings, blueprints))
    }
}

/// What every worker's app is built from.
#[derive(Clone)]
pub(crate) struct Mounted {
    pub blueprints: Vec<Enabled>,
    pub database: Database,
    /// What the blueprints provide.
    pub provided: Vec<Mount>,
    /// The API document, where it is served.
    pub pages: Option<Pages>,
    pub limits: Limits,
    /// What a handler has to answer; zero when it may take any time.
    pub handler_timeout: Duration,
    pub cors: Cors,
    pub compression: bool,
    pub gate: Gate,
    pub trailing_slash: TrailingSlash,
    /// One for all workers.
    pub rate_limit: Option<Arc<Limiters>>,
    pub pipeline: &'static Pipeline,
    pub response_log: Config,
    pub answer_headers: Defaults,
    /// Of all workers.
    pub in_flight: InFlight,
    /// Whether requests are sent to Sentry as transactions.
    #[cfg_attr(not(feature = "sentry"), expect(dead_code, reason = "without Sentry there are none"))]
    pub transactions: bool,
}

impl Mounted {
    /// What these settings ask of an app, and what its blueprints have made ready.
    pub fn new(
        settings: &Settings,
        pipeline: &'static Pipeline,
        blueprints: Vec<Enabled>,
        rules: Rules,
        running: &Running,
        about: &api::About<'_>,
    ) -> Self {
        let server = &settings.server;
        let pages = server.docs.then(|| Pages::new(&api::document(about, &blueprints)));
        Self {
            rate_limit: Limiters::new(server, &blueprints).map(Arc::new),
            blueprints,
            pages,
            database: running.database().clone(),
            provided: running.mounts(),
            limits: Limits { max_body_bytes: server.max_body_bytes, timeout: server.request_timeout() },
            handler_timeout: server.handler_timeout(),
            cors: server.cors.clone(),
            compression: server.compression,
            gate: Gate::new(server),
            trailing_slash: server.trailing_slash,
            pipeline,
            response_log: Config::new(settings, rules),
            answer_headers: Defaults::new(server),
            in_flight: InFlight::default(),
            transactions: settings.sentry.has_transactions(),
        }
    }

    /// The app, its layers innermost first, as actix has it: the last one wrapped sees a request first.
    pub fn app(
        self,
    ) -> App<
        impl ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<impl MessageBody>,
            Error = Error,
            InitError = (),
        >,
    > {
        let pipeline = self.pipeline;
        let (gate, slash) = (self.gate, self.trailing_slash);
        let clients = self.response_log.clients.clone();
        let connection = clients.clone();
        let cors = cors::layer(&self.cors);
        let limits = self.rate_limit.clone();
        let preflights =
            cors.as_ref().map(|_| from_fn(move |request, next| watch_preflights(limits.clone(), request, next)));
        let limited =
            |limits: Arc<Limiters>| from_fn(move |request, next| limit_rate(Arc::clone(&limits), request, next));
        let rate_limit = self.rate_limit.map(limited);
        let handler_timeout = Some(self.handler_timeout).filter(|limit| !limit.is_zero());
        let app = App::new()
            .app_data(self.limits)
            .app_data(self.database)
            .configure(|config| {
                self.provided.iter().for_each(|mount| mount(config));
                mount(config, &self.blueprints);
                if let Some(pages) = self.pages {
                    pages.mount(config);
                }
            })
            .default_service(web::to(no_such_route))
            // Innermost: what is late is the handler, and the failure is one like others.
            .wrap_fn(move |request, inner| end_late(handler_timeout, request, inner))
            // Outside of all that looks for a handler; what it answers is counted and recorded like any other answer.
            .wrap_fn(move |request, inner| gate.pass(request, inner))
            // Inside the rest, so that every layer outside sees an answer, never a panic.
            .wrap_fn(answer_failures)
            // Before any handler or extractor; what it refuses has a context, a record and all headers.
            .wrap(Optional { layer: rate_limit, same: |answer| answer })
            // Outside the limit and the failures, so that their answers can be read; inside the log, which has its preflights.
            .wrap(Optional { layer: cors, same: ServiceResponse::map_into_boxed_body })
            .wrap(Optional { layer: preflights, same: |answer| answer })
            // Inside compression, so that it sees plain bytes; outside the failures, so that it records their answers.
            .wrap(ResponseLogger::new(pipeline, self.response_log))
            .wrap(Compression { is_on: self.compression })
            // Opens the span that handlers' spans are inside of; asks the context for the request's ids.
            .wrap(Condition::new(
                !pipeline.policy.is_silent() && RootSpan::is_shown(),
                TracingLogger::<RootSpan>::new(),
            ))
            .wrap_fn(move |request, inner| {
                give_context(pipeline, &self.answer_headers, &clients, &self.in_flight, slash, request, inner)
            });
        // Outside the rest: it binds the hub that the context takes along. Without transactions the context brings a hub of its own,
        // at a tenth of the price.
        #[cfg(feature = "sentry")]
        let app = app.wrap(Optional {
            layer: (pipeline.policy.has_sentry() && self.transactions).then(|| {
                // Failures are reported by the failures layer, once.
                ::sentry_actix::Sentry::builder().capture_server_errors(false).start_transaction(true).finish()
            }),
            same: |answer| answer,
        });
        // Outermost: what is inside may ask for the client's address, scheme or host.
        app.wrap_fn(move |mut request, inner| {
            connection.settle_connection_info(&mut request);
            inner.call(request)
        })
    }
}

/// Puts each blueprint's routes below its prefix.
pub(crate) fn mount(config: &mut ServiceConfig, blueprints: &[Enabled]) {
    for Enabled { blueprint, .. } in blueprints {
        let name = blueprint.name();
        config.service(
            web::scope(blueprint.prefix())
                .configure(|scope| blueprint.routes(scope))
                .default_service(web::to(no_such_route))
                .wrap_fn(move |request, inner| {
                    request::with_current(|context| context.set_blueprint(name));
                    inner.call(request)
                }),
        );
    }
}

async fn no_such_route() -> crate::Result {
    Err(Problem::not_found("route"))
}
