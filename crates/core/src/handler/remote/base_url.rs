//! The base URL of another service.

use std::fmt;

use actix_web::http::Uri;
use serde::Deserialize;

/// The base URL of another service, such as `http://users.internal:8080`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BaseUrl(String);

impl BaseUrl {
    /// The URL without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL without this trailing path, so that a user may configure the URL with or without it.
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
        // The message does not repeat the value: it may contain a password.
        good.then(|| Self(text.trim_end_matches('/').to_owned()))
            .ok_or_else(|| "invalid base URL; expected http://HOST:PORT or https://HOST".into())
    }
}
