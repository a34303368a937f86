//! Errors of loading.

use std::path::Path;

/// All problems of the settings, printed one per line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct SettingsError(Vec<Problem>);

impl SettingsError {
    /// The problems, in the order in which they are printed.
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

/// A problem. It never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A file exists but cannot be read.
    #[error("{path} cannot be read: {reason}")]
    UnreadableFile {
        /// The file.
        path: String,
        /// The error of the operating system.
        reason: String,
    },
    /// A file is not TOML.
    #[error("{path}{detail}")]
    InvalidFile {
        /// The file.
        path: String,
        /// The position and the parser's message.
        detail: String,
    },
    /// Two environment variables that differ only in case set the same key.
    #[error("{key} is set by {} and by {}: remove one of them", variables[0], variables[1])]
    Ambiguous {
        /// The key.
        key: String,
        /// Both variables, sorted.
        variables: [String; 2],
    },
    /// A key that no section declares.
    #[error(
        "{key} (set by {set_by}): unknown setting{}",
        nearest.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default()
    )]
    UnknownKey {
        /// The key.
        key: String,
        /// The layer that sets it.
        set_by: String,
        /// The declared key with the most similar spelling.
        nearest: Option<String>,
    },
    /// A value that is not allowed for its setting.
    #[error("{key} (set by {set_by}): {reason}")]
    InvalidValue {
        /// The setting's key.
        key: String,
        /// The layer that sets it.
        set_by: String,
        /// The reason, with the allowed values.
        reason: String,
    },
    /// A layer sets both a setting and its file.
    #[error("{key} (set by {set_by}) and {key}_file (set by {file_set_by}) are both set: remove one of them")]
    ValueAndFile {
        /// The setting's key.
        key: String,
        /// The origin of the value.
        set_by: String,
        /// The origin of the file.
        file_set_by: String,
    },
    /// The file with a setting's value is unusable, or contains an invalid value.
    #[error("{key} (set by {set_by}): {reason}")]
    InvalidFileValue {
        /// The setting's key.
        key: String,
        /// The layer that names the file, and the path.
        set_by: String,
        /// The file.
        path: String,
        /// The reason, with the allowed values.
        reason: String,
    },
    /// A section's Rust type cannot be deserialized, although each value is valid.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The path in the settings.
        path: String,
        /// The error of the deserialization.
        reason: String,
    },
}

impl Problem {
    /// The affected key; `None` for an unreadable or invalid file.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            Problem::UnreadableFile { .. } | Problem::InvalidFile { .. } => None,
            Problem::Ambiguous { key, .. }
            | Problem::UnknownKey { key, .. }
            | Problem::InvalidValue { key, .. }
            | Problem::ValueAndFile { key, .. }
            | Problem::InvalidFileValue { key, .. } => Some(key),
            Problem::Unreadable { path, .. } => Some(path),
        }
    }

    /// The layer with the problem: a file, an environment variable or a flag.
    #[must_use]
    pub fn set_by(&self) -> Option<&str> {
        match self {
            Problem::UnreadableFile { path, .. } | Problem::InvalidFile { path, .. } => Some(path),
            Problem::Ambiguous { variables, .. } => Some(&variables[1]),
            Problem::UnknownKey { set_by, .. }
            | Problem::InvalidValue { set_by, .. }
            | Problem::ValueAndFile { set_by, .. }
            | Problem::InvalidFileValue { set_by, .. } => Some(set_by),
            Problem::Unreadable { .. } => None,
        }
    }

    /// The file with the problem, if it is in a file.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        match self {
            Problem::InvalidFileValue { path, .. } => Some(path),
            // The only layers with this extension are the files of the configuration directory.
            _ => self.set_by().filter(|layer| Path::new(layer).extension().is_some_and(|it| it == "toml")),
        }
    }

    /// The reason, without the key and the layer.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Problem::UnreadableFile { reason, .. } => format!("cannot be read: {reason}"),
            Problem::InvalidFile { detail, .. } => detail.trim_start_matches([',', ':', ' ']).to_owned(),
            Problem::Ambiguous { variables: [one, other], .. } => {
                format!("is set by {one} and by {other}: remove one of them")
            }
            Problem::UnknownKey { nearest: Some(near), .. } => {
                format!("unknown setting; did you mean {near}?")
            }
            Problem::UnknownKey { nearest: None, .. } => "unknown setting".to_owned(),
            Problem::ValueAndFile { key, set_by, file_set_by } => {
                format!("is set by {set_by}, and {key}_file by {file_set_by}: remove one of them")
            }
            Problem::InvalidValue { reason, .. }
            | Problem::InvalidFileValue { reason, .. }
            | Problem::Unreadable { reason, .. } => reason.clone(),
        }
    }
}
