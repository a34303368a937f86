//! Errors of commands.

/// Why a command failed. The variant determines the exit status.
pub(crate) enum CommandError {
    /// The command line is invalid.
    Usage(String),
    BadConfiguration(String),
    /// The parts of the service that the command requires could not be started.
    NotStarted(cyanotype::StartError),
    /// The file or standard input that the command reads cannot be read.
    UnreadableInput(String),
    /// The running service could not be reached.
    Unavailable(String),
    /// The result is negative, and has been printed.
    Negative,
    Other(String),
}
