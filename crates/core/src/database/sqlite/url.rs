//! SQLite URLs, in the forms that sqlx documents; each has one meaning or is rejected with the reason.
//!
//! | URL | database |
//! | --- | --- |
//! | `sqlite::memory:`, `sqlite://:memory:`, any name with `mode=memory` | in memory, for tests |
//! | `sqlite:data.db`, `sqlite://data.db`, `sqlite:file:data.db` | the file `data.db` in the working directory |
//! | `sqlite:///var/lib/data.db`, `sqlite:/var/lib/data.db`, `sqlite:file:///var/lib/data.db` | an absolute path |
//! | `…?mode=rwc` (the default), `…?mode=rw` | a missing file is created, or is an error |
//! | `…?mode=ro`, `…?immutable=1` | rejected at startup: the service must write |
//! | `…?vfs=NAME` | through another SQLite VFS |

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Location {
    File(PathBuf),
    Memory,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::database) struct SqliteUrl {
    pub(super) location: Location,
    /// Whether a missing file is created.
    pub create: bool,
    /// Rejected at startup, because the service must write.
    pub read_only: bool,
    pub vfs: Option<String>,
}

impl SqliteUrl {
    /// Whether it names a file that does not exist.
    pub(super) fn is_missing(&self) -> bool {
        matches!(&self.location, Location::File(path) if !path.exists())
    }

    /// Whether the file is named relative to the working directory.
    pub(in crate::database) fn is_relative(&self) -> bool {
        matches!(&self.location, Location::File(path) if path.is_relative())
    }

    /// Absolute path of the file; `None` in memory.
    pub(in crate::database) fn file(&self) -> Option<PathBuf> {
        match &self.location {
            Location::File(path) => Some(std::path::absolute(path).unwrap_or_else(|_| path.clone())),
            Location::Memory => None,
        }
    }

    /// Parses a URL.
    ///
    /// # Errors
    /// A message that continues "the database URL".
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("sqlite:").ok_or("does not begin with sqlite:")?;
        let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let path = path.strip_prefix("//").unwrap_or(path);
        let path = match path.strip_prefix("file:") {
            Some(uri) => uri.strip_prefix("//").map_or(uri, |rest| rest.strip_prefix("localhost").unwrap_or(rest)),
            None => path,
        };
        let path = percent_decode_str(path).decode_utf8().map_err(|_| "has a path that is not UTF-8")?;

        let mut parsed =
            Self { location: Location::File(PathBuf::from(&*path)), create: true, read_only: false, vfs: None };
        let mut in_memory = path == ":memory:";
        let mut shared_cache = false;
        for (key, value) in form_urlencoded::parse(parameters.as_bytes()) {
            match (&*key, &*value) {
                ("mode", "rwc") | ("cache", "private") | ("immutable", "0" | "false") => {}
                ("mode", "rw") => parsed.create = false,
                ("mode", "memory") => in_memory = true,
                ("cache", "shared") => shared_cache = true,
                ("vfs", name) if !name.is_empty() => parsed.vfs = Some(name.to_owned()),
                ("mode", "ro") | ("immutable", "1" | "true") => (parsed.read_only, parsed.create) = (true, false),
                ("mode" | "cache" | "immutable" | "vfs", value) => {
                    return Err(format!("has an unknown value: {key}={value}"));
                }
                (key, _) => {
                    return Err(format!("has the unknown parameter {key}; expected mode, cache, immutable, vfs"));
                }
            }
        }
        if in_memory {
            parsed.location = Location::Memory;
        } else if path.is_empty() {
            return Err("names no file: SQLite would give each connection a private, temporary database; write \
                        sqlite://PATH, or sqlite::memory: for tests"
                .into());
        } else if shared_cache {
            return Err(
                "has cache=shared, which locks entire tables: it is allowed for databases in memory only".into()
            );
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_sqlx_documents_is_parsed() {
        let file =
            |path: &str| SqliteUrl { location: Location::File(path.into()), create: true, read_only: false, vfs: None };
        let memory = SqliteUrl { location: Location::Memory, ..file("") };
        for (url, expected) in [
            ("sqlite::memory:", memory.clone()),
            ("sqlite://:memory:", memory.clone()),
            ("sqlite:any?mode=memory&cache=shared", memory),
            ("sqlite:data.db", file("data.db")),
            ("sqlite://data.db", file("data.db")),
            ("sqlite://data/app.db", file("data/app.db")),
            ("sqlite:///var/app.db", file("/var/app.db")),
            ("sqlite:/var/app.db", file("/var/app.db")),
            ("sqlite:file:x.db", file("x.db")),
            ("sqlite:file:///var/x.db", file("/var/x.db")),
            ("sqlite:file://localhost/var/x.db", file("/var/x.db")),
            ("sqlite://a%20b.db", file("a b.db")),
            ("sqlite://data.db?mode=rwc", file("data.db")),
            ("sqlite://data.db?cache=private&immutable=0", file("data.db")),
            ("sqlite://data.db?mode=rw", SqliteUrl { create: false, ..file("data.db") }),
            ("sqlite://data.db?mode=ro", SqliteUrl { create: false, read_only: true, ..file("data.db") }),
            ("sqlite://data.db?immutable=true", SqliteUrl { create: false, read_only: true, ..file("data.db") }),
            ("sqlite://data.db?vfs=unix-excl", SqliteUrl { vfs: Some("unix-excl".into()), ..file("data.db") }),
        ] {
            assert_eq!(SqliteUrl::parse(url), Ok(expected), "{url}");
        }
    }

    #[test]
    fn an_unsupported_form_is_rejected_with_the_reason() {
        for (url, reason) in [
            ("sqlite:", "names no file"),
            ("sqlite://", "names no file"),
            ("sqlite:file:", "names no file"),
            ("sqlite://data.db?cache=shared", "in memory only"),
            ("sqlite://data.db?mode=rwx", "unknown value: mode=rwx"),
            ("sqlite://data.db?key=x", "unknown parameter key"),
            ("sqlite://%FF.db", "not UTF-8"),
        ] {
            let refused = SqliteUrl::parse(url).expect_err(url);
            assert!(refused.contains(reason), "{url}: {refused}");
        }
    }
}
