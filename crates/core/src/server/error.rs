//! Start-up errors and their exit statuses.

use std::any::Any;
use std::io;
use std::process::ExitCode;

use cyanotype_telemetry::panic;

use crate::blueprint::error::RegistryError;
use crate::blueprint::started::BlueprintStartError;
use crate::checks::{TooFewDescriptors, address_remedy};
use crate::database::DatabaseError;

/// Exit status of configuration errors; a restart cannot help, so process managers must not attempt one.
const EX_CONFIG: u8 = 78;
/// Exit status of an unavailable dependency; a restart may help.
const EX_UNAVAILABLE: u8 = 69;
/// Exit status of a panic outside requests, and of other faults of the program itself.
pub(super) const EX_SOFTWARE: u8 = 70;

/// Why the service did not start, or why a command failed on the database. The message is one sentence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The blueprints conflict, or their settings are invalid.
    #[error("{0}")]
    Registry(#[from] RegistryError),
    /// The limit on open files leaves too few descriptors.
    #[error("{error}; {remedy}", error = .0, remedy = TooFewDescriptors::REMEDY)]
    TooFewDescriptors(#[from] TooFewDescriptors),
    /// The database is unavailable or unusable, or a command's work on it failed.
    #[error("{0}")]
    Database(DatabaseError),
    /// The start of a blueprint failed.
    #[error("blueprint {blueprint} failed to start: {reason}")]
    Blueprint {
        /// Name of the blueprint.
        blueprint: &'static str,
        /// Its error, with all sources.
        reason: String,
    },
    /// The signal handlers cannot be installed.
    #[error("cannot install signal handlers: {0}")]
    Signals(#[source] io::Error),
    /// A listen address cannot be bound.
    #[error("cannot listen on {address}: {source}; {}", address_remedy(section))]
    Listen {
        /// The settings section with the address: `server` or `management`.
        section: &'static str,
        /// The configured host and port.
        address: String,
        /// The operating system's error.
        source: io::Error,
    },
    /// The Unix socket of the management listener cannot be bound.
    #[error("cannot listen on {path} (management.socket): {source}")]
    Socket {
        /// The configured path.
        path: String,
        /// The operating system's error, or what occupies the path.
        source: io::Error,
    },
    /// A socket that systemd has opened for the service cannot be used.
    #[error(
        "cannot use the socket `{name}` that systemd has opened: {source}; ListenStream= of the socket unit must be a TCP port, \
         with or without an address"
    )]
    InheritedSocket {
        /// The socket's `FileDescriptorName=`.
        name: String,
        /// The operating system's error, or what the socket is.
        source: io::Error,
    },
    /// A part of the program panicked outside requests, or ended by itself.
    #[error("the process ends: {0}")]
    Fault(String),
}

impl From<BlueprintStartError> for StartError {
    fn from(error: BlueprintStartError) -> Self {
        match error {
            BlueprintStartError::Failed { blueprint, reason } => Self::Blueprint { blueprint, reason },
            BlueprintStartError::Conflict(conflict) => Self::Registry(conflict),
            BlueprintStartError::Panicked(panic) => Self::Fault(panic),
        }
    }
}

impl StartError {
    /// The error for a panic that was caught.
    pub(super) fn panicked(payload: &(dyn Any + Send)) -> Self {
        Self::Fault(panic::description(payload))
    }

    /// The exit status of the process: 78 for configuration errors, 69 when a dependency is unavailable, 70 after a panic.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.status())
    }

    /// Whether a restart may succeed.
    pub(super) fn is_temporary(&self) -> bool {
        self.status() != EX_CONFIG
    }

    fn status(&self) -> u8 {
        match self {
            Self::Registry(_) | Self::TooFewDescriptors(_) | Self::InheritedSocket { .. } => EX_CONFIG,
            // The schema is that of another version; a restart of this one cannot help.
            Self::Database(DatabaseError::SchemaTooNew(_) | DatabaseError::MigrationChanged(_)) => EX_CONFIG,
            Self::Database(_)
            | Self::Blueprint { .. }
            | Self::Signals(_)
            | Self::Listen { .. }
            | Self::Socket { .. } => EX_UNAVAILABLE,
            Self::Fault(_) => EX_SOFTWARE,
        }
    }
}
