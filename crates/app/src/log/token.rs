//! `app log token`.

use clap::Args;
use cyanotype::{DebugTokenError, Level, Service, UnknownLevel};

use crate::error::CommandError;
use crate::print::print;

#[derive(Debug, Args)]
pub(crate) struct Token {
    /// Minimum level of the log lines of the requests
    #[arg(long, value_name = "LEVEL", default_value = "debug")]
    level: String,
    /// Route of the requests, as listed by `app routes`: "GET /orders/{id}"
    #[arg(long, value_name = "ROUTE")]
    route: String,
    /// Validity of the token, such as 15m, 1h30m or 90s; at most log.override_max_s
    #[arg(long = "for", value_name = "DURATION", default_value = "10m")]
    duration: String,
}

impl Token {
    pub(super) fn run(&self, service: &Service) -> Result<(), CommandError> {
        let level: Level =
            self.level.parse().map_err(|error: UnknownLevel| CommandError::Usage(format!("--level: {error}")))?;
        match service.debug_token(level, &self.route, &self.duration) {
            Ok(token) => print(&token),
            Err(error @ (DebugTokenError::NoKey | DebugTokenError::Key(_) | DebugTokenError::Blueprints(_))) => {
                Err(CommandError::BadConfiguration(error.to_string()))
            }
            Err(error) => Err(CommandError::Other(error.to_string())),
        }
    }
}
