//! Why a command fails.

/// Why the command could not do what it was asked.
pub(crate) enum Failed {
    BadConfiguration(String),
    /// The service could not be started, not even as far as the command needs it.
    #[cfg(feature = "users")]
    NotStarted(cyanotype::StartError),
    Other(String),
}
