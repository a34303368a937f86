//! Which kind of database a URL names.

const ALLOWED: &str = "allowed is sqlite://PATH, such as sqlite://data/cyanotype.db, or \
                       postgres://USER:PASSWORD@HOST:PORT/DATABASE";

/// The kinds that there are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Engine {
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

/// What is wrong with a URL of none of them.
pub(super) fn not_a_url() -> String {
    format!("this is no URL of a database; {ALLOWED}")
}
