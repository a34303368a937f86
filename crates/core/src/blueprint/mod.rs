//! Blueprints: crates that register their routes on one app.

pub(crate) mod error;
pub(crate) mod mounting;
pub(crate) mod registry;
pub(crate) mod resources;
pub(crate) mod routes;
pub(crate) mod started;

use std::error::Error;

use actix_web::web::ServiceConfig;
use cyanotype_actix::response_log::ResponseLogRules;
use cyanotype_telemetry::Level;
use futures_util::future::LocalBoxFuture;
use utoipa::openapi::OpenApi;

use crate::database::Migrations;
use crate::limits::RateLimits;
use crate::settings::BlueprintSettings;
use resources::Resources;

/// The future that [`Blueprint::start`], [`stop`](Blueprint::stop) and [`ready`](Blueprint::ready) return; the error states
/// the reason for a failure.
pub type LifecycleFuture<'a> = LocalBoxFuture<'a, Result<(), Box<dyn Error + Send + Sync>>>;

/// A part of the API, with its routes under its own prefix. All other methods have defaults.
///
/// ```
/// use actix_web::web::{self, ServiceConfig};
/// use cyanotype::Blueprint;
///
/// struct Greetings;
///
/// impl Blueprint for Greetings {
///     fn name(&self) -> &'static str {
///         "greetings"
///     }
///     fn prefix(&self) -> &str {
///         "/greetings"
///     }
///     fn routes(&self, scope: &mut ServiceConfig) {
///         scope.service(web::resource("/{name}").get(async |name: web::Path<String>| format!("Hello {name}")));
///     }
/// }
/// ```
pub trait Blueprint: Send + Sync + 'static {
    /// Name in records, settings and `app routes`: lower-case words with hyphens.
    fn name(&self) -> &'static str;

    /// Path prefix of all its routes, such as `/users`.
    fn prefix(&self) -> &str;

    /// Registers the routes, with paths relative to the prefix.
    fn routes(&self, scope: &mut ServiceConfig);

    /// Its part of the OpenAPI document, with complete paths, as `utoipa`'s `#[derive(OpenApi)]` generates it.
    ///
    /// The service adds the problem responses that every operation can return, `security: []` for public operations, and
    /// response headers. A schema or operation whose name another blueprint also uses is prefixed with the blueprint's name.
    fn api(&self) -> OpenApi {
        OpenApi::default()
    }

    /// Migrations of its tables, see [`embed_migrations!`](crate::embed_migrations); pending ones run at startup.
    fn migrations(&self) -> Option<Migrations> {
        None
    }

    /// Settings below `blueprints.<name>`; read with [`Resources::settings`].
    fn settings(&self) -> BlueprintSettings {
        BlueprintSettings::NONE
    }

    /// How much of its responses is logged; by default all of them, with their bodies.
    fn response_log(&self) -> ResponseLogRules {
        ResponseLogRules::default()
    }

    /// Rate limits for each client on the blueprint and on its routes, in addition to `server.rate_limit`.
    fn rate_limits(&self) -> RateLimits {
        RateLimits::none()
    }

    /// Minimum level of the log lines of its crate, instead of `log.level`. Settings take precedence.
    fn log_level(&self) -> Option<Level> {
        None
    }

    /// Other blueprints that it depends on, through the values that they [provide](Resources::provide).
    fn dependencies(&self) -> Vec<Dependency> {
        Vec::new()
    }

    /// Builds its state and [provides](Resources::provide) values to other blueprints. Runs after the `start` of its
    /// dependencies; an error makes the startup of the service fail.
    fn start<'a>(&'a self, _: &'a Resources) -> LifecycleFuture<'a> {
        Box::pin(async { Ok(()) })
    }

    /// Releases what `start` acquired. Runs after the last request, before the `stop` of its dependencies.
    fn stop<'a>(&'a self, _: &'a Resources) -> LifecycleFuture<'a> {
        Box::pin(async { Ok(()) })
    }

    /// Whether it can serve requests; called for `/health/ready`. The service checks the database itself. A call that lasts
    /// longer than two seconds counts as not ready.
    fn ready<'a>(&'a self, _: &'a Resources) -> LifecycleFuture<'a> {
        Box::pin(async { Ok(()) })
    }
}

/// A dependency on another blueprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependency {
    pub(crate) blueprint: &'static str,
    pub(crate) setting: Option<&'static str>,
}

impl Dependency {
    /// The blueprint with this name must run in the same process.
    #[must_use]
    pub const fn on(blueprint: &'static str) -> Self {
        Self { blueprint, setting: None }
    }

    /// Alternatively, this setting below the dependent's `blueprints.<name>` is the URL of the process that runs it.
    #[must_use]
    pub const fn or_setting(self, setting: &'static str) -> Self {
        Self { setting: Some(setting), ..self }
    }
}
