//! Why a command fails.

/// Why the command could not do what it was asked.
pub(crate) enum Failed {
    /// The command line cannot be used so: another one is needed.
    Usage(String),
    BadConfiguration(String),
    /// The service could not be started, not even as far as the command needs it.
    #[cfg(feature = "users")]
    NotStarted(cyanotype::StartError),
    /// The running service could not be reached.
    Unavailable(String),
    Other(String),
}
