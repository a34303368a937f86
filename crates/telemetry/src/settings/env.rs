//! The environment that the service runs in.

use cyanotype_settings::{Schema, Section, Setting, one_of};
use serde::{Deserialize, Serialize};

/// The environment that the service runs in. It determines stack traces, the log format and the detail of error responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Env {
    /// A developer's machine.
    Dev,
    /// Production.
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

/// A section with one setting, so that every root section declares it in the same way.
impl Section for Env {
    fn declare(schema: &mut Schema) {
        schema.setting(Setting {
            key: String::new(),
            value_type: one_of::<Self>(),
            default: Some("prod"),
            about: "environment; determines stack traces, the log format and the detail of error responses",
            env_alias: None,
            check: None,
        });
    }
}
