//! The database engine, from the scheme of the URL.

const ALLOWED: &str = "expected sqlite://PATH, such as sqlite://data/cyanotype.db, or \
                       postgres://USER:PASSWORD@HOST:PORT/DATABASE";

/// The supported engines.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub(super) fn of(url: &str) -> Option<Self> {
        match url.split_once(':')?.0 {
            "sqlite" => Some(Self::Sqlite),
            "postgres" | "postgresql" => Some(Self::Postgres),
            _ => None,
        }
    }
}

/// The message for a URL of any other kind.
pub(super) fn not_a_url() -> String {
    format!("not a database URL; {ALLOWED}")
}
