//! The address of another process.

use std::fmt;

use actix_web::http::Uri;
use serde::Deserialize;

/// Where another process answers: `http://users.internal:8080`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same without this path at its end, for those who write the whole of an address that is known in part.
    #[must_use]
    pub fn without(&self, path: &str) -> Self {
        Self(self.0.strip_suffix(path).unwrap_or(&self.0).to_owned())
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for BaseUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let url: Option<Uri> = text.parse().ok();
        let good = url.is_some_and(|url| {
            matches!(url.scheme_str(), Some("http" | "https"))
                && url.query().is_none()
                && url.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        });
        // It may hold what is not to be repeated.
        good.then(|| Self(text.trim_end_matches('/').to_owned()))
            .ok_or_else(|| "this is no address of a process; allowed is http://HOST:PORT or https://HOST".into())
    }
}
