//! What a setting's type alone does not tell.

use actix_web::http::Uri;

use super::{Network, Origin, cors};

/// What a value's type alone does not tell.
pub(super) fn beyond_type(key: &str, value: &serde_json::Value) -> Option<String> {
    match key {
        "server.trusted_proxies" => {
            let mut items = value.as_array()?.iter().filter_map(|item| item.as_str());
            items.find_map(|item| Network::try_from(item.to_owned()).err())
        }
        "server.cors.origins" => {
            let mut items = value.as_array()?.iter().filter_map(|item| item.as_str());
            items.find_map(|item| cors::check_origin(item).err())
        }
        "server.host" | "management.host" => {
            let host = value.as_str()?;
            host.contains(['/', ' ']).then(|| format!("`{host}` is no address; allowed is an address or a host name"))
        }
        "server.public_url" => {
            let good = value.as_str()?.parse().is_ok_and(|url: Uri| {
                matches!(url.scheme_str(), Some("http" | "https")) && url.query().is_none() && url.host().is_some()
            });
            (!good).then(|| "this is not a base URL; allowed is https://HOST or https://HOST/PATH".into())
        }
        "database.url" => crate::database::check_url(value.as_str()?).err(),
        "sentry.dsn" => check_dsn(value.as_str()?).err(),
        _ => None,
    }
}

/// What two values that are good alone do not make together.
pub(super) fn together(tree: &serde_json::Value, origins: &[Origin]) -> Option<String> {
    let (min, max) = ("database.min_connections", "database.max_connections");
    let of = |key: &str| tree.pointer(&format!("/{}", key.replace('.', "/")))?.as_u64();
    let (low, high) = (of(min)?, of(max)?);
    let origin = |key: &str| origins.iter().find(|origin| origin.key == key).map_or("", |origin| &origin.set_by);
    (low > high).then(|| {
        format!("{min} (set by {}): `{low}` is more than {max}, which is {high} (set by {})", origin(min), origin(max))
    })
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
