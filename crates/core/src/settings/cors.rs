//! Which pages of other origins may call the API.

use cyanotype_settings::{Conflict, Values, section};

section! {
    /// Which pages of other origins may call the API.
    pub struct CorsSettings {
        /// the origins (https://shop.example) whose pages may call the API from a browser; `*` is any; without one there
        /// are no CORS headers
        #[serde(default)]
        #[setting(List, check = check_origin)]
        pub origins: Vec<String>,
        /// seconds that a browser may keep the answer to a preflight
        #[setting(Whole(0, 86400), default = 3600)]
        pub max_age_s: u64,
        /// whether pages may send cookies and the like with their calls; not with `*`
        #[setting(Switch, default = false)]
        pub credentials: bool,
    }
    validate_combination = any_origin_is_alone_and_has_no_credentials;
}

/// An origin as browsers write it, or `*`.
fn check_origin(origin: &str) -> Result<(), String> {
    let uri = origin.parse::<actix_web::http::Uri>().ok();
    let has_parts = uri.is_some_and(|uri| uri.scheme().is_some() && uri.host().is_some_and(|host| !host.is_empty()));
    // What comes after the scheme is a host and a port, and no slash ends them.
    let place = origin.split_once("://").map_or("", |(_, place)| place);
    let is_origin = has_parts && !place.contains(['/', '?', '#', '@']) && origin.to_ascii_lowercase() == origin;
    if origin == "*" {
        return Ok(());
    }
    if origin.contains('*') {
        return Err(format!("`{origin}` matches no origin; allowed is `*` alone, for any, or each origin in full"));
    }
    let default_port = [("https://", ":443"), ("http://", ":80")]
        .into_iter()
        .find(|(scheme, port)| origin.starts_with(scheme) && place.ends_with(port));
    if let Some((_, port)) = default_port {
        return Err(format!("`{origin}` matches no origin: browsers leave out `{port}`; leave it out, too"));
    }
    if is_origin {
        return Ok(());
    }
    Err(format!(
        "`{origin}` is no origin; allowed is `*`, or SCHEME://HOST[:PORT] in lower case, such as https://shop.example"
    ))
}

fn any_origin_is_alone_and_has_no_credentials(values: &Values<'_>) -> Option<Conflict> {
    let origins = values.get("origins")?.as_array()?;
    if !origins.iter().any(|origin| origin == "*") {
        None
    } else if values.get("credentials").is_some_and(|on| on == true) {
        let why = "any page could act for whoever is logged in: with `*` in server.cors.origins there are no credentials; \
                   list the origins, or leave this out";
        Some(("credentials", why.to_owned()))
    } else if origins.len() > 1 {
        Some(("origins", "`*` is every origin; allowed is `*` alone, or a list without it".to_owned()))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Loader;

    #[test]
    fn any_origin_has_no_credentials() {
        let load = |all: &[(&str, &str)]| Loader::new("/nonexistent").variables(all.iter().copied()).load();
        let any = ("APP__SERVER__CORS__ORIGINS", "*");
        let credentials = ("APP__SERVER__CORS__CREDENTIALS", "true");
        let refusal = load(&[any, credentials]).expect_err("is refused").to_string();
        let named = "server.cors.credentials (set by APP__SERVER__CORS__CREDENTIALS): any page could act for whoever";
        assert!(refusal.starts_with(named), "{refusal}");
        assert!(load(&[any]).is_ok() && load(&[credentials]).is_ok());
    }

    #[test]
    fn origins_are_as_browsers_write_them() {
        for good in ["*", "https://shop.example", "http://localhost:3000", "http://[::1]:8080", "app://x"] {
            assert_eq!(check_origin(good), Ok(()));
        }
        for bad in
            ["shop.example", "https://", "https://Shop.example", "https://u:p@a.example", "https://a/b", "null", "a b"]
        {
            assert!(check_origin(bad).is_err(), "{bad}");
        }
        for pattern in ["https://*.example.com", "https://*", "*.example.com", "https://shop.example:*", "**"] {
            assert!(check_origin(pattern).is_err_and(|said| said.contains("matches no origin")), "{pattern}");
        }
    }
}
