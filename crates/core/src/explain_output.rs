//! The output of `app log explain --json` and `GET /log/explain`: the logging policy as a table.

use cyanotype_telemetry::explanation::Explanation;
use serde::{Deserialize, Serialize};

use crate::sentry::SENTRY_COMPILED_IN;

/// The destination table, and the compiled-in features that it depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExplainOutput {
    /// The compiled-in features.
    pub features: Features,
    /// The destination table.
    #[serde(flatten)]
    pub table: Explanation,
}

/// The compiled-in features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    /// Whether the Sentry sink is compiled in.
    pub sentry: bool,
}

impl From<Explanation> for ExplainOutput {
    /// Adds the features of this build.
    fn from(table: Explanation) -> Self {
        Self { features: Features { sentry: SENTRY_COMPILED_IN }, table }
    }
}
