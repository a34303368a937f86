//! The result of a check.

use std::fmt;

use serde::Serialize;

/// How serious a result is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Nothing to do.
    Ok,
    /// The service works; something may be lost, or may fail later.
    Warn,
    /// The service does not start, does not work, or loses what it records.
    Fail,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "OK",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        })
    }
}

/// What a check found. It contains no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    /// Name of the check.
    pub check: &'static str,
    /// How serious it is.
    pub status: Status,
    /// What was found, without a full stop.
    pub found: String,
    /// What to do; `None` if nothing.
    pub remedy: Option<String>,
}

impl CheckResult {
    pub(crate) fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, found: found.into(), remedy: None }
    }

    pub(crate) fn warn(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, status: Status::Warn, found: found.into(), remedy: Some(remedy.into()) }
    }

    pub(crate) fn fail(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, status: Status::Fail, found: found.into(), remedy: Some(remedy.into()) }
    }

    /// The result as one line, for a record.
    pub(crate) fn line(&self) -> String {
        match &self.remedy {
            Some(remedy) => format!("{}; {remedy}", self.found),
            None => self.found.clone(),
        }
    }
}
