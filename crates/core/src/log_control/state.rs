//! The shared state of log control.

use std::sync::Arc;
use std::time::Duration;

use cyanotype_telemetry::Pipeline;

use super::refusals::Refusals;
use super::token::Token;
use crate::blueprint::routes::RouteInfo;
use crate::fleet::Fleet;
use crate::settings::Settings;

/// A handle to the state behind the requests under `/log`.
#[derive(Clone)]
pub(crate) struct LogControl(pub(super) Arc<LogControlState>);

pub(super) struct LogControlState {
    pub pipeline: &'static Pipeline,
    pub fleet: Fleet,
    /// `management.token`; without it changes over TCP are refused.
    pub token: Option<Token>,
    /// `log.override_max_s`.
    pub override_max: Duration,
    /// The compiled-in blueprints.
    pub blueprints: Vec<&'static str>,
    /// The routes of the enabled blueprints.
    pub routes: Vec<RouteInfo>,
    pub refusals: Refusals,
}

impl LogControl {
    pub(crate) fn new(
        settings: &Settings,
        pipeline: &'static Pipeline,
        fleet: Fleet,
        blueprints: Vec<&'static str>,
        routes: Vec<RouteInfo>,
    ) -> Self {
        Self(Arc::new(LogControlState {
            pipeline,
            fleet,
            token: settings.management.token.as_deref().map(Token::new),
            override_max: settings.log.override_max(),
            blueprints,
            routes,
            refusals: Refusals::default(),
        }))
    }
}
