//! The check of the setting `database.url`.

use super::engine::{Engine, not_a_url};
use super::postgres::PostgresUrl;
use super::sqlite::SqliteUrl;

/// Whether the URL names a database that can be opened. What is wrong is said without repeating it: it may hold a password.
pub(crate) fn check_url(url: &str) -> Result<(), String> {
    match Engine::of(url) {
        Some(Engine::Sqlite) => SqliteUrl::parse(url).map(|_| ()).map_err(|why| format!("this URL {why}")),
        Some(Engine::Postgres) => PostgresUrl::parse(url, &|_| None).map(|_| ()),
        None => Err(not_a_url()),
    }
}
