//! Where the service runs.

use cyanotype_settings::{Schema, Section, Setting, one_of};
use serde::{Deserialize, Serialize};

/// Where the service runs: it changes stack traces, the log's format and what an error answer reveals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Env {
    /// On a developer's machine.
    Dev,
    /// In production.
    Prod,
}

impl Env {
    /// Its name in the settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Env::Dev => "dev",
            Env::Prod => "prod",
        }
    }
}

/// A section that is one setting, so that each root declares it alike.
impl Section for Env {
    fn declare(schema: &mut Schema) {
        schema.setting(Setting {
            key: String::new(),
            value_type: one_of::<Self>(),
            default: Some("prod"),
            about: "stack traces, the log's format and what an error answer reveals",
            env_alias: None,
            check: None,
        });
    }
}
