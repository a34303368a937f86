//! Why the service does not start, and the status that its process ends with.

use std::io;
use std::process::ExitCode;

use crate::blueprint::error::RegistryError;
use crate::blueprint::started::NotStarted;
use crate::database::DatabaseError;

/// `EX_CONFIG`: another start will fare no better, so nothing should try one.
const EX_CONFIG: u8 = 78;
/// `EX_UNAVAILABLE`: something that is needed was not to be had.
const EX_UNAVAILABLE: u8 = 69;

/// Why the service does not serve, or a command did not reach the database. The message is one sentence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The blueprints do not go together, or not as they are set.
    #[error("{0}")]
    Registry(#[from] RegistryError),
    /// The limit of open files leaves too few descriptors.
    #[error(
        "the limit of open files is {limit}, and the service needs at least {minimum} ({workers} workers, {pooled} \
         connections to the database); recommended are {recommended} or more: raise it (ulimit -n, LimitNOFILE= in systemd, minfds= \
         in supervisord)"
    )]
    TooFewDescriptors {
        /// The limit in force.
        limit: u64,
        /// The lowest limit that the service starts with.
        minimum: u64,
        /// The limit from which on there is no warning.
        recommended: u64,
        /// How many workers serve requests.
        workers: u64,
        /// How many descriptors the connections to the database take.
        pooled: u64,
    },
    /// The database cannot be used, or a command's work on it failed.
    #[error("{0}")]
    Database(DatabaseError),
    /// A blueprint's own start failed.
    #[error("the blueprint {blueprint} did not start: {reason}")]
    Blueprint {
        /// Its name.
        blueprint: &'static str,
        /// Its error, with the sources.
        reason: String,
    },
    /// The process cannot be notified of signals.
    #[error("{0}")]
    Signals(#[source] io::Error),
    /// An address cannot be listened on.
    #[error("cannot listen on {host}:{port} ({section}.host, {section}.port): {source}")]
    Listen {
        /// The section of the settings that has the address: `server` or `management`.
        section: &'static str,
        /// The host, as it is set.
        host: String,
        /// The port, as it is set.
        port: u16,
        /// What the operating system says.
        source: io::Error,
    },
    /// The Unix socket of the management listener cannot be listened on.
    #[error("cannot listen on {path} (management.socket): {source}")]
    Socket {
        /// Its path.
        path: String,
        /// What the operating system says, or what is there.
        source: io::Error,
    },
}

impl From<NotStarted> for StartError {
    fn from(not: NotStarted) -> Self {
        match not {
            NotStarted::Failed { blueprint, reason } => Self::Blueprint { blueprint, reason },
            NotStarted::Conflict(conflict) => Self::Registry(conflict),
        }
    }
}

impl StartError {
    /// The status that the process should end with: 78 for what is configured wrongly, 69 for what is unavailable.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.status())
    }

    /// Whether another start may fare better.
    pub(super) fn is_temporary(&self) -> bool {
        self.status() == EX_UNAVAILABLE
    }

    fn status(&self) -> u8 {
        match self {
            Self::Registry(_) | Self::TooFewDescriptors { .. } => EX_CONFIG,
            // Another start will fare no better on a schema that a newer version has written.
            Self::Database(DatabaseError::SchemaTooNew(_)) => EX_CONFIG,
            Self::Database(_)
            | Self::Blueprint { .. }
            | Self::Signals(_)
            | Self::Listen { .. }
            | Self::Socket { .. } => EX_UNAVAILABLE,
        }
    }
}
