//! Validates the setting `database.url`.

use super::engine::{Engine, not_a_url};
use super::postgres::PostgresUrl;
use super::sqlite::SqliteUrl;

/// Checks that the URL is well-formed. The error does not repeat the URL: it may contain a password.
pub(crate) fn check_url(url: &str) -> Result<(), String> {
    match Engine::of(url) {
        Some(Engine::Sqlite) => SqliteUrl::parse(url).map(|_| ()).map_err(|why| format!("this URL {why}")),
        Some(Engine::Postgres) => PostgresUrl::parse(url, &|_| None).map(|_| ()),
        None => Err(not_a_url()),
    }
}
