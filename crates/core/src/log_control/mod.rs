//! What is on now: read and changed on the management listener, over TCP with a token or over a Unix socket without one.
//!
//! The data model, the rules of precedence and the audit records are telemetry's; what is here reads requests, decides who
//! may change what, and answers.

mod authorization;
mod document;
mod duration;
mod expiry;
mod handlers;
mod new_override;
mod peer;
mod precondition;
mod preview;
mod refusals;
mod scope;
mod socket;
mod token;

use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use cyanotype_telemetry::Pipeline;

use crate::blueprint::mounting::no_such_route;
use crate::blueprint::routes::RouteInfo;
use crate::fleet::Fleet;
use crate::handler::extract::Limits;
use crate::settings::Settings;

use authorization::Token;
use refusals::Refusals;

pub(crate) use document::document;
pub(crate) use expiry::expire_overrides;
pub(crate) use peer::mark_socket;
pub(crate) use socket::SocketFile;
pub use token::DebugTokenError;

/// The longest body, in bytes.
const MAX_BODY_BYTES: usize = 16 << 10;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What the requests under `/log` are answered with.
#[derive(Clone)]
pub(crate) struct LogControl(Arc<Shared>);

struct Shared {
    pipeline: &'static Pipeline,
    fleet: Fleet,
    /// `management.token`; without it nothing is changed over TCP.
    token: Option<Token>,
    /// `log.override_max_s`.
    override_max: Duration,
    /// Those that are compiled in.
    blueprints: Vec<&'static str>,
    /// Those of the enabled blueprints.
    routes: Vec<RouteInfo>,
    refusals: Refusals,
}

impl LogControl {
    pub(crate) fn new(
        settings: &Settings,
        pipeline: &'static Pipeline,
        fleet: Fleet,
        blueprints: Vec<&'static str>,
        routes: Vec<RouteInfo>,
    ) -> Self {
        Self(Arc::new(Shared {
            pipeline,
            fleet,
            token: settings.management.token.as_deref().map(Token::new),
            override_max: settings.log.override_max(),
            blueprints,
            routes,
            refusals: Refusals::default(),
        }))
    }

    /// Puts the routes under `/log` on the management listener's app.
    pub(crate) fn mount(self, config: &mut ServiceConfig) {
        config.service(
            web::scope("/log")
                .app_data(Data::new(self))
                .app_data(Limits { max_body_bytes: MAX_BODY_BYTES, timeout: BODY_TIMEOUT })
                .configure(handlers::register)
                .default_service(web::to(no_such_route))
                .wrap(from_fn(authorization::guard)),
        );
    }
}
