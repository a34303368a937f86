//! A feature-flag provider whose flags control logging.

use actix_web::http::Uri;
use cyanotype_settings::{Conflict, Values, section};
use serde::Deserialize;

section! {
    /// A feature-flag provider whose flags `log-mode`, `log-level` and `log-debug-request` control logging.
    pub struct FlagSettings {
        /// source of the flags that replace log.mode and log.level for the process or for one request (`log-mode`,
        /// `log-level`), or lower the level of one request to debug (`log-debug-request`): none, flagd for a file in flagd's
        /// format, or ofrep for a server with the OpenFeature Remote Evaluation Protocol; requires a build with the feature
        /// `flags`
        #[setting(one_of::<FlagProvider>(), default = "none")]
        pub provider: FlagProvider,
        /// path of the flag file for the provider flagd; a change applies within 3 s
        #[setting(Text)]
        pub file: Option<String>,
        /// base URL of the server for the provider ofrep; requests go to `/ofrep/v1` below it
        #[setting(Url, check = check_url)]
        pub url: Option<String>,
        /// bearer token for requests to the flag provider
        #[setting(Secret, check = check_token)]
        pub token: Option<String>,
    }
    validate_combination = check_provider_source;
}

/// The source of flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlagProvider {
    /// No flags.
    None,
    /// A file in flagd's format.
    Flagd,
    /// A server with the OpenFeature Remote Evaluation Protocol.
    Ofrep,
}

impl FlagProvider {
    /// Its name in the settings and in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Flagd => "flagd",
            Self::Ofrep => "ofrep",
        }
    }
}

fn check_url(url: &str) -> Result<(), String> {
    let is_base = url.parse().is_ok_and(|url: Uri| {
        matches!(url.scheme_str(), Some("http" | "https"))
            && url.query().is_none()
            && url.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    });
    // The message must not repeat the value, which may hold a password.
    if is_base { Ok(()) } else { Err("not a base URL; expected https://HOST or https://HOST/PATH".into()) }
}

/// The token is sent in a header, which limits its characters.
fn check_token(token: &str) -> Result<(), String> {
    let is_visible = token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_visible {
        Ok(())
    } else {
        Err("the token contains invalid characters; expected visible ASCII characters".into())
    }
}

fn check_provider_source(values: &Values<'_>) -> Option<Conflict> {
    const PROVIDER: &str = "provider";
    let provider = values.get(PROVIDER)?.as_str()?;
    let source = match provider {
        "flagd" => "file",
        "ofrep" => "url",
        _ => return None,
    };
    values
        .get(source)
        .is_none()
        .then(|| (PROVIDER, format!("`{provider}` requires {}, which is unset", values.key(source))))
}

#[cfg(test)]
mod tests {
    use crate::settings::Loader;

    fn refused(own: &[(&str, &str)]) -> Option<String> {
        let loader = Loader::new("/nonexistent").variables(own.iter().copied());
        loader.load().err().map(|error| error.to_string())
    }

    #[test]
    fn a_provider_requires_its_source() {
        assert_eq!(refused(&[]), None);
        assert_eq!(refused(&[("APP__FLAGS__PROVIDER", "flagd"), ("APP__FLAGS__FILE", "flags.json")]), None);
        assert_eq!(refused(&[("APP__FLAGS__PROVIDER", "ofrep"), ("APP__FLAGS__URL", "https://flags.example")]), None);
        for (provider, other, missing) in [("flagd", "URL", "flags.file"), ("ofrep", "FILE", "flags.url")] {
            let other = format!("APP__FLAGS__{other}");
            let refused = refused(&[("APP__FLAGS__PROVIDER", provider), (&other, "https://flags.example")]);
            let expected = format!(
                "flags.provider (set by APP__FLAGS__PROVIDER): `{provider}` requires {missing}, which is unset"
            );
            assert_eq!(refused, Some(expected));
        }
    }

    #[test]
    fn an_invalid_value_is_refused_and_not_repeated() {
        for (key, value) in [
            ("URL", "flags.example"),
            ("URL", "ftp://flags.example"),
            ("URL", "https://ada:hunter2@flags.example"),
            ("URL", "https://flags.example?hunter2"),
            ("TOKEN", "hunter2 hunter2"),
        ] {
            let refused = refused(&[(&format!("APP__FLAGS__{key}"), value)]).expect("it is refused");
            assert!(refused.contains("expected"), "{refused}");
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}
