//! The table written out, with what of it is compiled in: what `app log explain --json` and `GET /log/explain` answer.

use cyanotype_telemetry::explanation::Explanation;
use serde::{Deserialize, Serialize};

use crate::sentry::SENTRY_COMPILED_IN;

/// The table, and the features that it depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExplainOutput {
    /// What is compiled in.
    pub features: Features,
    /// The table.
    #[serde(flatten)]
    pub table: Explanation,
}

/// What is compiled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    /// Whether Sentry is.
    pub sentry: bool,
}

impl From<Explanation> for ExplainOutput {
    /// The table of this program.
    fn from(table: Explanation) -> Self {
        Self { features: Features { sentry: SENTRY_COMPILED_IN }, table }
    }
}
