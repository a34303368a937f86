//! The builder of a service.

use actix_web::ResponseError;
use cyanotype_actix::response_log::register_error_type;
use cyanotype_telemetry::record::Event;
use cyanotype_telemetry::{Breadcrumb, Hooks};
use utoipa::openapi::OpenApi;

use crate::api;
use crate::blueprint::Blueprint;
use crate::blueprint::error::RegistryError;
use crate::blueprint::registry::{self, EnabledBlueprint, RegisteredBlueprint};
use crate::blueprint::routes::{self, RouteInfo};
use crate::sentry;
use crate::settings::{self, Setting, Settings};

/// A service: settings, blueprints and hooks.
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
    pub(crate) blueprints: Vec<RegisteredBlueprint>,
    pub(crate) hooks: Hooks,
    pub(crate) customize_document: Option<api::CustomizeDocument>,
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

impl Service {
    /// A service without blueprints, with the name and version of this crate until [`program`](Self::program) sets others.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            blueprints: Vec::new(),
            hooks: Hooks::default(),
            customize_document: None,
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// Sets the program's name and version. They appear in the start record, and form the default release in Sentry.
    #[must_use]
    pub fn program(mut self, name: &'static str, version: &'static str) -> Self {
        (self.name, self.version) = (name, version);
        self
    }

    /// Adds a blueprint.
    #[must_use]
    pub fn blueprint(mut self, blueprint: impl Blueprint) -> Self {
        self.blueprints.push(RegisteredBlueprint::new(blueprint));
        self
    }

    /// Sets a hook that receives each breadcrumb of [`add_breadcrumb`](crate::add_breadcrumb) before it is stored for Sentry.
    /// The hook may change the breadcrumb, or discard it by returning `None`.
    #[must_use]
    pub fn before_breadcrumb(
        mut self,
        hook: impl Fn(Breadcrumb) -> Option<Breadcrumb> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.before_breadcrumb = Some(Box::new(hook));
        self
    }

    /// Sets a hook that receives each event before its id is returned. It may change the event, or hold it back by returning
    /// `None`; then nothing promises an id, and the record on stderr has the stack trace.
    ///
    /// It is called on the reporting thread, so it must neither block nor panic; what it reports itself is not sent. The breadcrumbs of
    /// an uncaught failure are added later, and events captured with the Sentry SDK directly do not pass it.
    ///
    /// ```
    /// # fn quiet(service: cyanotype::Service) -> cyanotype::Service {
    /// service.before_send(|mut event| {
    ///     event.scope_mut().tag("region", "eu");
    ///     event.failure.as_ref().is_none_or(|failure| failure.first().type_name != "SoldOut").then_some(event)
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn before_send(mut self, hook: impl Fn(Event) -> Option<Event> + Send + Sync + 'static) -> Self {
        self.hooks.before_send = Some(Box::new(hook));
        self
    }

    /// Registers a type of errors that handlers or extractors return as `actix_web::Error`. Failures with such an error are reported
    /// with its type and its sources, which `actix_web::Error` hides. actix-web's own types are known.
    ///
    /// ```
    /// #[derive(Debug)]
    /// struct NoStock(std::num::ParseIntError);
    ///
    /// impl std::fmt::Display for NoStock {
    ///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    ///         f.write_str("no stock")
    ///     }
    /// }
    ///
    /// impl std::error::Error for NoStock {
    ///     fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
    ///         Some(&self.0)
    ///     }
    /// }
    ///
    /// impl actix_web::ResponseError for NoStock {}
    ///
    /// # fn complete(service: cyanotype::Service) -> cyanotype::Service {
    /// service.error_type::<NoStock>()
    /// # }
    /// ```
    #[must_use]
    pub fn error_type<T: ResponseError + std::error::Error + 'static>(self) -> Self {
        register_error_type::<T>();
        self
    }

    /// Completes the OpenAPI document with what the blueprints cannot state, such as a title, a contact and a license. The
    /// default title is the program's name.
    ///
    /// ```
    /// # fn complete(service: cyanotype::Service) -> cyanotype::Service {
    /// use utoipa::openapi::{ContactBuilder, LicenseBuilder};
    ///
    /// service.customize_openapi(|document| {
    ///     document.info.title = "Shop".into();
    ///     document.info.contact = Some(ContactBuilder::new().name(Some("Shop API team")).build());
    ///     document.info.license = Some(LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build());
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn customize_openapi(mut self, customize: impl Fn(&mut OpenApi) + Send + Sync + 'static) -> Self {
        self.customize_document = Some(Box::new(customize));
        self
    }

    /// The effective settings, including those of the blueprints.
    ///
    /// # Errors
    /// When the blueprints conflict, or their settings are invalid.
    pub fn settings(&self) -> Result<Settings, RegistryError> {
        self.select_enabled().map(|(settings, _)| settings)
    }

    /// All settings, including those of each compiled-in blueprint, in the order of the settings reference.
    #[must_use]
    pub fn declared_settings(&self) -> Vec<Setting> {
        let of_blueprint =
            |it: &RegisteredBlueprint| settings::own_blueprint_settings(it.blueprint.name(), it.blueprint.settings());
        let own = self.blueprints.iter().flat_map(of_blueprint);
        settings::declared().into_iter().chain(settings::common_blueprint_settings()).chain(own).collect()
    }

    /// The routes of the enabled blueprints, by path.
    ///
    /// # Errors
    /// When the blueprints conflict, or their settings are invalid.
    pub fn routes(&self) -> Result<Vec<RouteInfo>, RegistryError> {
        let (settings, blueprints) = self.select_enabled()?;
        actix_web::rt::System::new()
            .block_on(routes::collect_and_check(&settings, &blueprints))
            .map(|(routes, _)| routes)
    }

    /// The OpenAPI document of the enabled blueprints.
    ///
    /// # Errors
    /// When the blueprints conflict, or their settings are invalid.
    pub fn openapi(&self) -> Result<OpenApi, RegistryError> {
        self.select_enabled()
            .map(|(settings, blueprints)| api::document(&self.api_info(&settings), registry::apis(&blueprints)))
    }

    /// The program's part of the OpenAPI document.
    pub(crate) fn api_info<'a>(&'a self, settings: &'a Settings) -> api::ApiInfo<'a> {
        api::ApiInfo {
            name: self.name,
            version: self.version,
            public_url: settings.server.public_url.as_deref(),
            customize: self.customize_document.as_ref(),
        }
    }

    /// Checks the blueprints and their settings as at startup.
    ///
    /// # Errors
    /// When the blueprints conflict, or their settings are invalid.
    pub fn check(&self) -> Result<(), RegistryError> {
        self.routes().map(|_| ())
    }

    /// Sends one event to Sentry and waits for the response; no other part of the service runs. Returns the event as it was
    /// sent, in the JSON of Sentry's protocol.
    ///
    /// # Errors
    /// The reason for the failure, in one sentence.
    pub fn send_test_event(&self) -> Result<serde_json::Value, String> {
        let mut settings = self.settings.clone();
        settings.sentry.release.get_or_insert_with(|| self.release());
        sentry::send_test_event(&settings)
    }

    /// The release of events, unless `sentry.release` is set.
    pub(crate) fn release(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// Selects and checks the enabled blueprints; returns them and the effective settings.
    pub(crate) fn select_enabled(&self) -> Result<(Settings, Vec<EnabledBlueprint>), RegistryError> {
        let mut settings = self.settings.clone();
        let blueprints = registry::select_enabled(&self.blueprints, &mut settings)?;
        Ok((settings, blueprints))
    }
}
