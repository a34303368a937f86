//! The migrations that the program contains: a directory of SQL files for each engine.

use std::fmt;

use refinery::{Migration, Runner};

/// The migrations of a blueprint's tables, for both engines.
///
/// [`embed_migrations!`](crate::embed_migrations) embeds them from the files in `migrations/sqlite` and
/// `migrations/postgres`, named `V1__description.sql`, `V2__…`.
#[derive(Debug, Clone)]
pub struct Migrations {
    sqlite: Vec<Migration>,
    postgres: Vec<Migration>,
}

impl Migrations {
    #[doc(hidden)]
    #[must_use]
    pub fn new(sqlite: &Runner, postgres: &Runner) -> Self {
        Self { sqlite: sqlite.get_migrations().clone(), postgres: postgres.get_migrations().clone() }
    }

    pub(super) fn sqlite(&self) -> &[Migration] {
        &self.sqlite
    }

    pub(super) fn postgres(&self) -> &[Migration] {
        &self.postgres
    }
}

/// Embeds the files in `migrations/sqlite` and `migrations/postgres` of the calling crate, and defines a function
/// `migrations()` that returns [`Migrations`](crate::Migrations). The crate must depend on `refinery`.
#[macro_export]
macro_rules! embed_migrations {
    () => {
        mod embedded_migrations {
            pub(super) mod sqlite {
                ::refinery::embed_migrations!("migrations/sqlite");
            }
            pub(super) mod postgres {
                ::refinery::embed_migrations!("migrations/postgres");
            }
        }

        fn migrations() -> $crate::Migrations {
            $crate::Migrations::new(
                &embedded_migrations::sqlite::migrations::runner(),
                &embedded_migrations::postgres::migrations::runner(),
            )
        }
    };
}

/// Migrations of the framework's tables.
mod core {
    mod sqlite {
        refinery::embed_migrations!("migrations/sqlite");
    }
    mod postgres {
        refinery::embed_migrations!("migrations/postgres");
    }

    pub(super) fn migrations() -> super::Migrations {
        super::Migrations::new(&sqlite::migrations::runner(), &postgres::migrations::runner())
    }
}

/// A blueprint's name and migrations; the framework's name is `cyanotype`.
pub(in crate::database) type NamedMigrations = (String, Migrations);

/// The name and version of the program that opens the database.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    pub name: &'static str,
    pub version: &'static str,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// The migrations of the framework, and those of the blueprints.
pub(in crate::database) fn with_framework(
    blueprints: impl IntoIterator<Item = (&'static str, Migrations)>,
) -> Vec<NamedMigrations> {
    let own = ("cyanotype", core::migrations());
    std::iter::once(own).chain(blueprints).map(|(name, it)| (name.to_owned(), it)).collect()
}
