//! `app log token`.

use clap::Args;
use cyanotype::{DebugTokenError, Level, Service, UnknownLevel};

use crate::failed::Failed;
use crate::print::print;

#[derive(Debug, Args)]
pub(crate) struct Token {
    /// The level that requests are raised to
    #[arg(long, value_name = "LEVEL", default_value = "debug")]
    level: String,
    /// The route whose requests it raises, as `app routes` lists it: "GET /orders/{id}"
    #[arg(long, value_name = "ROUTE")]
    route: String,
    /// How long it is valid: 15m, 1h30m, 90s
    #[arg(long = "for", value_name = "DURATION", default_value = "10m")]
    lasts: String,
}

impl Token {
    pub(super) fn answer(&self, service: &Service) -> Result<(), Failed> {
        let level: Level =
            self.level.parse().map_err(|error: UnknownLevel| Failed::Usage(format!("--level {error}")))?;
        match service.debug_token(level, &self.route, &self.lasts) {
            Ok(token) => print(&token),
            Err(error @ (DebugTokenError::NoKey | DebugTokenError::Key(_) | DebugTokenError::Blueprints(_))) => {
                Err(Failed::BadConfiguration(error.to_string()))
            }
            Err(error) => Err(Failed::Other(error.to_string())),
        }
    }
}
