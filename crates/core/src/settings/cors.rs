//! What is right for origins of other pages.

use serde_json::Value;

use super::Origin;

const ORIGINS: &str = "server.cors.origins";
const CREDENTIALS: &str = "server.cors.credentials";

/// An origin as browsers write it, or `*`.
pub(super) fn check_origin(origin: &str) -> Result<(), String> {
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

/// What is wrong with the section as a whole.
pub(super) fn together(tree: &Value, origins: &[Origin]) -> Option<String> {
    let of = |key: &str| tree.pointer(&format!("/{}", key.replace('.', "/")));
    let listed = of(ORIGINS)?.as_array()?;
    if !listed.iter().any(|origin| origin == "*") {
        return None;
    }
    let (key, why) = if of(CREDENTIALS).is_some_and(|on| on == true) {
        let why = "any page could act for whoever is logged in: with `*` in server.cors.origins there are no credentials; \
                   list the origins, or leave this out";
        (CREDENTIALS, why)
    } else if listed.len() > 1 {
        (ORIGINS, "`*` is every origin; allowed is `*` alone, or a list without it")
    } else {
        return None;
    };
    let set_by = origins.iter().find(|origin| origin.key == key).map_or("", |origin| &origin.set_by);
    Some(format!("{key} (set by {set_by}): {why}"))
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
