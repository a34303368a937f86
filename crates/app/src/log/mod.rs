//! `app log`: what is recorded, and what is on now in the running service.

mod clear;
mod client;
mod explain;
mod fleet;
mod preview;
mod set;
mod show;
mod token;
mod until;
mod view;
mod watch;

use clap::Subcommand;
use cyanotype::Service;
use cyanotype::settings::Settings;

use crate::failed::Failed;

pub(crate) use set::finds_service;

#[derive(Debug, Subcommand)]
pub(crate) enum Question {
    /// Print which record goes where: with the settings in force, or in the running service with --live
    ///
    /// Ask what if with --mode, --level and --env, which --live does not look at.
    Explain(explain::Explain),
    /// Print the overrides of the running service, and the settings that differ from their configuration
    Show {
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Change what the running service records, until it expires
    ///
    /// Prints first which cells of the table change. On a terminal it then asks, unless --yes is given.
    ///
    /// The service is found by its own settings: management.socket where that is there, else management.host, management.port
    /// and management.token.
    Set(set::Set),
    /// Clear an override of the running service before it expires
    Clear(clear::Clear),
    /// Write a token that raises single requests: sent in their header x-debug-log, it has them recorded at its level
    ///
    /// It is signed with log.debug_key, and raises the level alone: it adds no sink and shows no body.
    Token(token::Token),
    /// Print a line for each change of what is on, until interrupted
    Watch {
        /// One JSON object a line: what GET /log answers, at first and after each change
        #[arg(long)]
        json: bool,
    },
}

impl Question {
    /// Whether --set is an override's, and not the settings' of this command.
    pub(crate) fn has_own_settings(&self) -> bool {
        matches!(self, Self::Set(_))
    }

    /// The same of --level and --mode.
    pub(crate) fn has_own_level(&self) -> bool {
        matches!(self, Self::Set(_) | Self::Token(_))
    }

    pub(crate) fn answer(self, settings: Settings, service: impl FnOnce(Settings) -> Service) -> Result<(), Failed> {
        match self {
            Self::Token(token) => token.answer(&service(settings)),
            Self::Explain(explain) => explain.answer(&settings),
            Self::Show { json } => show::answer(&settings, json),
            Self::Set(set) => set.answer(&settings),
            Self::Clear(clear) => clear.answer(&settings),
            Self::Watch { json } => watch::watch(&settings, json),
        }
    }
}
