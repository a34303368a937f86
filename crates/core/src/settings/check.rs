//! What a setting's type alone does not tell.

use super::{Network, Settings};

/// What a value's type alone does not tell.
pub(super) fn beyond_type(key: &str, value: &serde_json::Value) -> Option<String> {
    match key {
        "server.trusted_proxies" => {
            let mut items = value.as_array()?.iter().filter_map(|item| item.as_str());
            items.find_map(|item| Network::try_from(item.to_owned()).err())
        }
        "server.cors.origins" => {
            let mut items = value.as_array()?.iter().filter_map(|item| item.as_str());
            items.find_map(|item| check_origin(item).err())
        }
        "server.host" | "management.host" => {
            let host = value.as_str()?;
            host.contains(['/', ' ']).then(|| format!("`{host}` is no address; allowed is an address or a host name"))
        }
        "database.url" => crate::database::check_url(value.as_str()?).err(),
        "sentry.dsn" => check_dsn(value.as_str()?).err(),
        _ => None,
    }
}

/// What values that are good alone do not make together.
pub(super) fn together(settings: &Settings) -> Option<String> {
    let set_by = |key: &str| settings.origins.iter().find(|origin| origin.key == key).map_or("", |it| &it.set_by);
    let (cors, database) = (&settings.server.cors, &settings.database);
    let any = cors.origins.iter().any(|origin| origin == "*");
    let (key, why) = if any && cors.credentials {
        let why = "any page could act for whoever is logged in: with `*` in server.cors.origins there are no credentials; \
                   list the origins, or leave this out";
        ("server.cors.credentials", why.to_owned())
    } else if any && cors.origins.len() > 1 {
        ("server.cors.origins", "`*` is every origin; allowed is `*` alone, or a list without it".to_owned())
    } else if database.min_connections > database.max_connections {
        let max = "database.max_connections";
        let (low, high) = (database.min_connections, database.max_connections);
        ("database.min_connections", format!("`{low}` is more than {max}, which is {high} (set by {})", set_by(max)))
    } else {
        return None;
    };
    Some(format!("{key} (set by {}): {why}", set_by(key)))
}

/// An origin as browsers write it, or `*`.
fn check_origin(origin: &str) -> Result<(), String> {
    let uri = origin.parse::<actix_web::http::Uri>().ok();
    let has_parts = uri.is_some_and(|uri| uri.scheme().is_some() && uri.host().is_some_and(|host| !host.is_empty()));
    // What comes after the scheme is a host and a port, and no slash ends them.
    let place = origin.split_once("://").map_or("", |(_, place)| place);
    let is_origin = has_parts && !place.contains(['/', '?', '#', '@']) && origin.to_ascii_lowercase() == origin;
    if origin == "*" || is_origin {
        return Ok(());
    }
    Err(format!(
        "`{origin}` is no origin; allowed is `*`, or SCHEME://HOST[:PORT] in lower case, such as https://shop.example"
    ))
}

/// A DSN is `https://KEY@HOST/PROJECT`. What is plainly wrong is refused in a build without Sentry, too; the SDK is asked
/// for the rest.
fn check_dsn(dsn: &str) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("this DSN {what}; allowed is https://KEY@HOST/PROJECT"));
    let Some((scheme, rest)) = dsn.split_once("://") else { return wrong("is no URL") };
    if !matches!(scheme, "http" | "https") {
        return wrong("is neither http nor https");
    }
    let Some((key, place)) = rest.rsplit_once('@') else { return wrong("has no key") };
    let Some((host, project)) = place.rsplit_once('/') else { return wrong("has no project") };
    let port_is_bad =
        host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']') && port.parse::<u16>().is_err());
    if key.trim_matches(':').is_empty() {
        wrong("has no key")
    } else if host.is_empty() || port_is_bad || dsn.contains(char::is_whitespace) {
        wrong("has no usable host")
    } else if project.is_empty() || project.contains(['?', '#']) {
        wrong("has no project")
    } else if !the_sdk_reads(dsn) {
        wrong("cannot be read")
    } else {
        Ok(())
    }
}

#[cfg(feature = "sentry")]
fn the_sdk_reads(dsn: &str) -> bool {
    dsn.parse::<::sentry::types::Dsn>().is_ok()
}

#[cfg(not(feature = "sentry"))]
fn the_sdk_reads(_: &str) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_as_browsers_write_them() {
        for good in ["*", "https://shop.example", "http://localhost:3000", "http://[::1]:80", "app://x"] {
            assert_eq!(check_origin(good), Ok(()));
        }
        for bad in [
            "shop.example",
            "https://",
            "https://Shop.example",
            "https://u:p@shop.example",
            "https://a/b",
            "null",
            "a b",
        ] {
            assert!(check_origin(bad).is_err(), "{bad}");
        }
    }
}
