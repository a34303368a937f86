//! Errors of loading.

use std::path::Path;

/// All problems of the settings, printed one per line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct SettingsError(Vec<SettingsProblem>);

impl SettingsError {
    /// The problems, in the order in which they are printed.
    #[must_use]
    pub fn problems(&self) -> &[SettingsProblem] {
        &self.0
    }
}

impl From<SettingsProblem> for SettingsError {
    fn from(problem: SettingsProblem) -> Self {
        Self(vec![problem])
    }
}

impl From<Vec<SettingsProblem>> for SettingsError {
    fn from(problems: Vec<SettingsProblem>) -> Self {
        Self(problems)
    }
}

/// A problem. It never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsProblem {
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

impl SettingsProblem {
    /// The affected key; `None` for an unreadable or invalid file.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            SettingsProblem::UnreadableFile { .. } | SettingsProblem::InvalidFile { .. } => None,
            SettingsProblem::Ambiguous { key, .. }
            | SettingsProblem::UnknownKey { key, .. }
            | SettingsProblem::InvalidValue { key, .. }
            | SettingsProblem::ValueAndFile { key, .. }
            | SettingsProblem::InvalidFileValue { key, .. } => Some(key),
            SettingsProblem::Unreadable { path, .. } => Some(path),
        }
    }

    /// The layer with the problem: a file, an environment variable or a flag.
    #[must_use]
    pub fn set_by(&self) -> Option<&str> {
        match self {
            SettingsProblem::UnreadableFile { path, .. } | SettingsProblem::InvalidFile { path, .. } => Some(path),
            SettingsProblem::Ambiguous { variables, .. } => Some(&variables[1]),
            SettingsProblem::UnknownKey { set_by, .. }
            | SettingsProblem::InvalidValue { set_by, .. }
            | SettingsProblem::ValueAndFile { set_by, .. }
            | SettingsProblem::InvalidFileValue { set_by, .. } => Some(set_by),
            SettingsProblem::Unreadable { .. } => None,
        }
    }

    /// The file with the problem, if it is in a file.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        match self {
            SettingsProblem::InvalidFileValue { path, .. } => Some(path),
            // The only layers with this extension are the files of the configuration directory.
            _ => self.set_by().filter(|layer| Path::new(layer).extension().is_some_and(|it| it == "toml")),
        }
    }

    /// The reason, without the key and the layer.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            SettingsProblem::UnreadableFile { reason, .. } => format!("cannot be read: {reason}"),
            SettingsProblem::InvalidFile { detail, .. } => detail.trim_start_matches([',', ':', ' ']).to_owned(),
            SettingsProblem::Ambiguous { variables: [one, other], .. } => {
                format!("is set by {one} and by {other}: remove one of them")
            }
            SettingsProblem::UnknownKey { nearest: Some(near), .. } => {
                format!("unknown setting; did you mean {near}?")
            }
            SettingsProblem::UnknownKey { nearest: None, .. } => "unknown setting".to_owned(),
            SettingsProblem::ValueAndFile { key, set_by, file_set_by } => {
                format!("is set by {set_by}, and {key}_file by {file_set_by}: remove one of them")
            }
            SettingsProblem::InvalidValue { reason, .. }
            | SettingsProblem::InvalidFileValue { reason, .. }
            | SettingsProblem::Unreadable { reason, .. } => reason.clone(),
        }
    }
}
