//! A flag system whose flags say what is recorded.

use actix_web::http::Uri;
use cyanotype_settings::{Conflict, Values, section};
use serde::Deserialize;

section! {
    /// A flag system whose flags `log-mode`, `log-level` and `log-debug-request` say what is recorded.
    pub struct FlagSettings {
        /// where flags come from that replace log.mode and log.level for the process or for one request (`log-mode`,
        /// `log-level`), or raise one request to debug (`log-debug-request`): none, flagd for a file in its format, or ofrep
        /// for a flag system that speaks that protocol; a build without the feature `flags` has none
        #[setting(one_of::<FlagProvider>(), default = "none")]
        pub provider: FlagProvider,
        /// the file with the flags, for the provider flagd; a change is followed within 3 s
        #[setting(Text)]
        pub file: Option<String>,
        /// the address of the flag system, for the provider ofrep; `/ofrep/v1` is below it
        #[setting(Url, check = check_url)]
        pub url: Option<String>,
        /// the bearer token that the flag system asks for
        #[setting(Secret, check = check_token)]
        pub token: Option<String>,
    }
    validate_combination = a_provider_has_its_place;
}

/// Where flags come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlagProvider {
    /// From nowhere: there are no flags.
    None,
    /// From a file in flagd's format.
    Flagd,
    /// From a flag system that speaks the OpenFeature Remote Evaluation Protocol.
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
    // It may hold what is not to be repeated.
    if is_base { Ok(()) } else { Err("this is no base URL; allowed is https://HOST or https://HOST/PATH".into()) }
}

/// A token is sent in a header.
fn check_token(token: &str) -> Result<(), String> {
    let is_visible = token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_visible { Ok(()) } else { Err("this token is not allowed; allowed are visible ASCII characters".into()) }
}

fn a_provider_has_its_place(values: &Values<'_>) -> Option<Conflict> {
    const PROVIDER: &str = "provider";
    let provider = values.get(PROVIDER)?.as_str()?;
    let place = match provider {
        "flagd" => "file",
        "ofrep" => "url",
        _ => return None,
    };
    values
        .get(place)
        .is_none()
        .then(|| (PROVIDER, format!("`{provider}` needs {}, which is not set", values.key(place))))
}

#[cfg(test)]
mod tests {
    use crate::settings::Loader;

    fn refused(own: &[(&str, &str)]) -> Option<String> {
        let loader = Loader::new("/nonexistent").variables(own.iter().copied());
        loader.load().err().map(|error| error.to_string())
    }

    #[test]
    fn a_provider_needs_its_place() {
        assert_eq!(refused(&[]), None);
        assert_eq!(refused(&[("APP__FLAGS__PROVIDER", "flagd"), ("APP__FLAGS__FILE", "flags.json")]), None);
        assert_eq!(refused(&[("APP__FLAGS__PROVIDER", "ofrep"), ("APP__FLAGS__URL", "https://flags.example")]), None);
        for (provider, other, missing) in [("flagd", "URL", "flags.file"), ("ofrep", "FILE", "flags.url")] {
            let other = format!("APP__FLAGS__{other}");
            let refused = refused(&[("APP__FLAGS__PROVIDER", provider), (&other, "https://flags.example")]);
            let expected =
                format!("flags.provider (set by APP__FLAGS__PROVIDER): `{provider}` needs {missing}, which is not set");
            assert_eq!(refused, Some(expected));
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_and_not_repeated() {
        for (key, value) in [
            ("URL", "flags.example"),
            ("URL", "ftp://flags.example"),
            ("URL", "https://ada:hunter2@flags.example"),
            ("URL", "https://flags.example?hunter2"),
            ("TOKEN", "hunter2 hunter2"),
        ] {
            let refused = refused(&[(&format!("APP__FLAGS__{key}"), value)]).expect("it is refused");
            assert!(refused.contains("allowed"), "{refused}");
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}
