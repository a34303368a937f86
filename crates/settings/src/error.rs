//! Why settings cannot be used.

/// Settings that cannot be used: every problem of theirs, one a line when printed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct SettingsError(Vec<Problem>);

impl SettingsError {
    /// Each problem, in the order in which they are printed.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl From<Problem> for SettingsError {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl From<Vec<Problem>> for SettingsError {
    fn from(problems: Vec<Problem>) -> Self {
        Self(problems)
    }
}

/// One thing that is wrong. A secret is never part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A file exists and cannot be read.
    #[error("{path} cannot be read: {reason}")]
    UnreadableFile {
        /// The file.
        path: String,
        /// What the operating system answers.
        reason: String,
    },
    /// A file is not TOML.
    #[error("{path}{detail}")]
    InvalidFile {
        /// The file.
        path: String,
        /// The place in it and the parser's message.
        detail: String,
    },
    /// Two environment variables that differ in case alone set the same key.
    #[error("{key} is set by {} and by {}: one of them must go", variables[0], variables[1])]
    Ambiguous {
        /// The key.
        key: String,
        /// Both variables, sorted.
        variables: [String; 2],
    },
    /// A key that no section declares.
    #[error(
        "{key} (set by {set_by}): there is no such setting{}",
        nearest.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default()
    )]
    UnknownKey {
        /// The key.
        key: String,
        /// The layer that sets it.
        set_by: String,
        /// The declared key that is spelled nearly like it.
        nearest: Option<String>,
    },
    /// A value that is not allowed for its setting.
    #[error("{key} (set by {set_by}): {reason}")]
    InvalidValue {
        /// The setting's key.
        key: String,
        /// The layer that sets it.
        set_by: String,
        /// What is wrong with the value, and what is allowed.
        reason: String,
    },
    /// Values that their section's Rust type cannot be read from, although each of them is valid.
    #[error("{path}: {reason}")]
    Unreadable {
        /// Where in the settings.
        path: String,
        /// What the type answers.
        reason: String,
    },
}
