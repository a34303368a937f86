//! What a blueprint is: a crate that registers its routes on the one app.

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

/// What a blueprint does at the start, at the stop, or when it is asked whether it is ready; the error says why not.
pub type Task<'a> = LocalBoxFuture<'a, Result<(), Box<dyn Error + Send + Sync>>>;

/// A part of the API with routes under a prefix of its own. What is not said here has a default, so a small blueprint is
/// small.
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
    /// Its name in records, settings and `app routes`: lower case, in words with hyphens.
    fn name(&self) -> &'static str;

    /// The path that all its routes begin with: `/users`.
    fn prefix(&self) -> &str;

    /// Registers its routes, as paths below the prefix.
    fn routes(&self, scope: &mut ServiceConfig);

    /// Its part of the API document, with whole paths: what `utoipa`'s `#[derive(OpenApi)]` makes. Problems that any
    /// operation can answer, `security: []` of public operations and the headers of responses are added to it. A schema or
    /// an operation that has the name of another blueprint's gets this blueprint's name before its own.
    fn api(&self) -> OpenApi {
        OpenApi::default()
    }

    /// What makes its tables and brings them up to date, see [`embed_migrations!`](crate::embed_migrations); run at every
    /// start.
    fn migrations(&self) -> Option<Migrations> {
        None
    }

    /// What can be set below `blueprints.<its name>`; read with [`Resources::settings`].
    fn settings(&self) -> BlueprintSettings {
        BlueprintSettings::NONE
    }

    /// How much is recorded of its responses, where that is not all of them with their bodies.
    fn response_log(&self) -> ResponseLogRules {
        ResponseLogRules::default()
    }

    /// How many requests one client may make to it and to its routes; each limit counts beside `server.rate_limit`.
    fn limits(&self) -> RateLimits {
        RateLimits::none()
    }

    /// The level of its crate's logger lines, where that is not `log.level`. The settings have the last word.
    fn log_level(&self) -> Option<Level> {
        None
    }

    /// The other blueprints that it reaches, by what they [provide](Resources::provide).
    fn dependencies(&self) -> Vec<Dependency> {
        Vec::new()
    }

    /// Builds its state and provides what others need of it, after those that it needs itself; an error stops the start.
    fn start<'a>(&'a self, _: &'a Resources) -> Task<'a> {
        Box::pin(async { Ok(()) })
    }

    /// Ends what it has begun, once no request is left and before those that it needs.
    fn stop<'a>(&'a self, _: &'a Resources) -> Task<'a> {
        Box::pin(async { Ok(()) })
    }

    /// Whether it can answer requests, beside the database, which is asked anyway. Asked for `/health/ready`; two seconds
    /// without an answer are a no.
    fn ready<'a>(&'a self, _: &'a Resources) -> Task<'a> {
        Box::pin(async { Ok(()) })
    }
}

/// Another blueprint that one cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependency {
    pub(crate) blueprint: &'static str,
    pub(crate) unless: Option<&'static str>,
}

impl Dependency {
    /// The blueprint of that name, in the same process.
    #[must_use]
    pub const fn on(blueprint: &'static str) -> Self {
        Self { blueprint, unless: None }
    }

    /// Unless this setting of one's own says where the other process is that has it.
    #[must_use]
    pub const fn or_setting(self, setting: &'static str) -> Self {
        Self { unless: Some(setting), ..self }
    }
}
