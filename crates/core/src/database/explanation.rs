//! Why a database cannot be used: the cause and the remedy are apart, because `app doctor` shows them apart.

use std::fmt;

/// A cause, with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    cause: String,
    remedy: Option<&'static str>,
    /// The message of the driver or the server.
    detail: Option<String>,
}

impl Explanation {
    /// A predicate whose subject is the database: [`about`](Self::about) completes it.
    pub(super) fn new(cause: impl Into<String>, remedy: Option<&'static str>) -> Self {
        Self { cause: cause.into(), remedy, detail: None }
    }

    pub(super) fn with_detail(self, detail: String) -> Self {
        Self { detail: Some(detail), ..self }
    }

    /// The explanation with its subject.
    pub(super) fn about(self, subject: &str) -> Self {
        Self { cause: format!("{subject} {}", self.cause), ..self }
    }

    /// What is wrong, without the remedy.
    pub(crate) fn found(&self) -> String {
        let detail = self.detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
        format!("{}{detail}", self.cause)
    }

    /// What to do; `None` if the cause says it, or if that is not known.
    pub(crate) const fn remedy(&self) -> Option<&'static str> {
        self.remedy
    }
}

/// A cause alone.
impl From<String> for Explanation {
    fn from(cause: String) -> Self {
        Self::new(cause, None)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)?;
        if let Some(remedy) = self.remedy {
            write!(f, ": {remedy}")?;
        }
        match &self.detail {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cause_and_remedy_are_apart_and_together_in_one_sentence() {
        let login = Explanation::new("rejected the login", Some("check user and password"));
        let login = login.with_detail("no such user".into()).about("the database x");
        assert_eq!(login.to_string(), "the database x rejected the login: check user and password (no such user)");
        assert_eq!(login.found(), "the database x rejected the login (no such user)");
        assert_eq!(login.remedy(), Some("check user and password"));
        let file = Explanation::from("sslrootcert ca.pem: No such file".to_owned());
        assert_eq!((file.found().as_str(), file.remedy()), ("sslrootcert ca.pem: No such file", None));
    }
}
