//! `app log`: explains what is logged, and changes it in the running service.

mod clear;
mod expiry;
mod explain;
mod fleet;
mod preview;
mod set;
mod show;
mod token;
mod view;
mod watch;

use clap::Subcommand;
use cyanotype::Service;
use cyanotype::settings::Settings;

use crate::error::CommandError;

pub(crate) use set::is_connection_setting;

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Print the destination of each kind of record, for the configured settings or, with --live, for the running service
    ///
    /// Try other settings with --mode, --level and --env; --live ignores them.
    Explain(explain::Explain),
    /// Print the overrides of the running service, and the settings that differ from the configuration
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Change what the running service logs, until the override expires
    ///
    /// First prints the changes to the table of `app log explain`. On a terminal it then asks for confirmation, unless --yes is
    /// given.
    ///
    /// Connects to the service with its own settings: management.socket if it exists, otherwise management.host,
    /// management.port and management.token.
    Set(set::Set),
    /// Clear an override of the running service before it expires
    Clear(clear::Clear),
    /// Print a debug token: requests that send it in the header x-debug-log are logged at its level
    ///
    /// The token is signed with log.debug_key. It changes only the level: it adds no sink and no bodies.
    Token(token::Token),
    /// Print each change of overrides and settings, until interrupted
    Watch {
        /// Print the response of GET /log as one line of JSON, at the start and after each change
        #[arg(long)]
        json: bool,
    },
}

impl LogCommand {
    /// Whether --set belongs to the override instead of the settings of this command.
    pub(crate) fn has_own_settings(&self) -> bool {
        matches!(self, Self::Set(_))
    }

    /// The same for --level and --mode.
    pub(crate) fn has_own_level(&self) -> bool {
        matches!(self, Self::Set(_) | Self::Token(_))
    }

    pub(crate) fn run(self, settings: Settings, service: impl FnOnce(Settings) -> Service) -> Result<(), CommandError> {
        match self {
            Self::Token(token) => token.run(&service(settings)),
            Self::Explain(explain) => explain.run(&settings),
            Self::Show { json } => show::show(&settings, json),
            Self::Set(set) => set.run(&settings),
            Self::Clear(clear) => clear.run(&settings),
            Self::Watch { json } => watch::watch(&settings, json),
        }
    }
}
