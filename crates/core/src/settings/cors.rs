//! Access from pages of other origins.

use cyanotype_settings::{Conflict, Values, section};

section! {
    /// Access from pages of other origins.
    pub struct CorsSettings {
        /// origins (https://shop.example) whose pages may call the API from a browser; `*` allows any origin; no CORS headers
        /// are sent when unset
        #[serde(default)]
        #[setting(List, check = check_origin)]
        pub origins: Vec<String>,
        /// time in seconds for which a browser may cache the response to a preflight request
        #[setting(Integer(0, 86400), default = 3600)]
        pub max_age_s: u64,
        /// whether pages may send credentials such as cookies; not allowed together with `*`
        #[setting(Bool, default = false)]
        pub credentials: bool,
    }
    validate_combination = check_any_origin;
}

/// An origin as browsers write it, or `*`.
fn check_origin(origin: &str) -> Result<(), String> {
    let uri = origin.parse::<actix_web::http::Uri>().ok();
    let has_parts = uri.is_some_and(|uri| uri.scheme().is_some() && uri.host().is_some_and(|host| !host.is_empty()));
    // A host and an optional port, without a trailing slash.
    let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
    let is_origin = has_parts && !authority.contains(['/', '?', '#', '@']) && origin.to_ascii_lowercase() == origin;
    if origin == "*" {
        return Ok(());
    }
    if origin.contains('*') {
        return Err(format!(
            "`{origin}` matches no origin; expected `*` alone for any origin, or a list of complete origins"
        ));
    }
    let default_port = [("https://", ":443"), ("http://", ":80")]
        .into_iter()
        .find(|(scheme, port)| origin.starts_with(scheme) && authority.ends_with(port));
    if let Some((_, port)) = default_port {
        return Err(format!("`{origin}` matches no origin, because browsers omit the default port; remove `{port}`"));
    }
    if is_origin {
        return Ok(());
    }
    Err(format!(
        "`{origin}` is not an origin; expected `*`, or SCHEME://HOST[:PORT] in lower case, such as https://shop.example"
    ))
}

fn check_any_origin(values: &Values<'_>) -> Option<Conflict> {
    let origins = values.get("origins")?.as_array()?;
    if !origins.iter().any(|origin| origin == "*") {
        None
    } else if values.get("credentials").is_some_and(|on| on == true) {
        let why = "not allowed while server.cors.origins is `*`, because any page could then act for a logged-in user; \
                   list the origins, or unset server.cors.credentials";
        Some(("credentials", why.to_owned()))
    } else if origins.len() > 1 {
        Some(("origins", "`*` already allows every origin; expected `*` alone, or a list without it".to_owned()))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Loader;

    #[test]
    fn any_origin_excludes_credentials() {
        let load = |all: &[(&str, &str)]| Loader::new("/nonexistent").variables(all.iter().copied()).load();
        let any = ("APP__SERVER__CORS__ORIGINS", "*");
        let credentials = ("APP__SERVER__CORS__CREDENTIALS", "true");
        let refusal = load(&[any, credentials]).expect_err("is refused").to_string();
        let named = "server.cors.credentials (set by APP__SERVER__CORS__CREDENTIALS): not allowed while server.cors.origins is `*`";
        assert!(refusal.starts_with(named), "{refusal}");
        assert!(load(&[any]).is_ok() && load(&[credentials]).is_ok());
    }

    #[test]
    fn origins_have_the_form_that_browsers_send() {
        for valid in ["*", "https://shop.example", "http://localhost:3000", "http://[::1]:8080", "app://x"] {
            assert_eq!(check_origin(valid), Ok(()));
        }
        for invalid in
            ["shop.example", "https://", "https://Shop.example", "https://u:p@a.example", "https://a/b", "null", "a b"]
        {
            assert!(check_origin(invalid).is_err(), "{invalid}");
        }
        for pattern in ["https://*.example.com", "https://*", "*.example.com", "https://shop.example:*", "**"] {
            assert!(check_origin(pattern).is_err_and(|message| message.contains("matches no origin")), "{pattern}");
        }
    }
}
