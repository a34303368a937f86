//! Why settings cannot be used.

use std::path::Path;

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
    /// One layer sets a setting and names a file for it.
    #[error("{key} (set by {set_by}) and {key}_file (set by {file_set_by}) are both set: one of them must go")]
    ValueAndFile {
        /// The setting's key.
        key: String,
        /// What sets the value.
        set_by: String,
        /// What sets the file.
        file_set_by: String,
    },
    /// The file that a setting's value is to be read from cannot be used, or the value is not allowed for the setting.
    #[error("{key} (set by {set_by}): {reason}")]
    InvalidFileValue {
        /// The setting's key.
        key: String,
        /// The layer that names the file, and the file.
        set_by: String,
        /// The file.
        path: String,
        /// What is wrong with the file or its content, and what is allowed.
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

impl Problem {
    /// The key that is concerned; of a file that cannot be read as a whole there is none.
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

    /// The layer that set it: a file, an environment variable or a flag.
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

    /// The file in which it is wrong, if that is in a file.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        match self {
            Problem::InvalidFileValue { path, .. } => Some(path),
            // The files among the layers are those of the configuration directory.
            _ => self.set_by().filter(|layer| Path::new(layer).extension().is_some_and(|it| it == "toml")),
        }
    }

    /// What is wrong, without the key and the layer.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Problem::UnreadableFile { reason, .. } => format!("cannot be read: {reason}"),
            Problem::InvalidFile { detail, .. } => detail.trim_start_matches([',', ':', ' ']).to_owned(),
            Problem::Ambiguous { variables: [one, other], .. } => {
                format!("is set by {one} and by {other}: one of them must go")
            }
            Problem::UnknownKey { nearest: Some(near), .. } => {
                format!("there is no such setting; did you mean {near}?")
            }
            Problem::UnknownKey { nearest: None, .. } => "there is no such setting".to_owned(),
            Problem::ValueAndFile { key, set_by, file_set_by } => {
                format!("is set by {set_by}, and {key}_file by {file_set_by}: one of them must go")
            }
            Problem::InvalidValue { reason, .. }
            | Problem::InvalidFileValue { reason, .. }
            | Problem::Unreadable { reason, .. } => reason.clone(),
        }
    }
}
