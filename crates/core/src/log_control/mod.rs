//! Log control: the logging policy in effect is read and changed on the management listener, over TCP with a token or over a
//! Unix socket without one.
//!
//! The data model, the precedence rules and the audit records are in the telemetry crate. This module parses requests,
//! authorizes them, and responds.

mod authorization;
pub(crate) mod duration;
mod expiry;
pub(crate) mod handlers;
mod new_override;
mod peer;
mod precondition;
mod preview;
mod refusals;
mod scope;
mod socket;
mod state;
mod token;
mod views;

use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};

use crate::blueprint::mounting::no_such_route;
use crate::handler::extract::BodyLimits;

pub(crate) use expiry::expire_overrides;
pub(crate) use peer::mark_socket;
pub(crate) use scope::check_route;
pub(crate) use socket::{SocketFile, check_path as check_socket_path};
pub(crate) use state::LogControl;

/// Maximum body size in bytes.
const MAX_BODY_BYTES: usize = 16 << 10;
/// Maximum time to receive a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

impl LogControl {
    /// Mounts the routes under `/log` on the management listener's app.
    pub(crate) fn mount(self, config: &mut ServiceConfig) {
        config.service(
            web::scope("/log")
                .app_data(Data::new(self))
                .app_data(BodyLimits { max_body_bytes: MAX_BODY_BYTES, timeout: BODY_TIMEOUT })
                .configure(handlers::register)
                .default_service(web::to(no_such_route))
                .wrap(from_fn(authorization::guard)),
        );
    }
}
