//! Where a value comes from.

/// One setting in force, and the layer that set it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Origin {
    /// The setting's key.
    pub key: String,
    /// What a person may see of the value: secrets are masked.
    pub value: String,
    /// `default`, a file, an environment variable or a flag.
    pub set_by: String,
}
