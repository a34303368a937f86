//! The origin of a value.

/// An effective setting and the layer that set it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Origin {
    /// The setting's key.
    pub key: String,
    /// The value, with secrets masked.
    pub value: String,
    /// `default`, a file, an environment variable or a flag.
    pub set_by: String,
}
