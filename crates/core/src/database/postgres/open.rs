//! The first connection: whether the server can be used, and the migrations.

use std::error::Error as _;
use std::fmt::Display;
use std::time::Duration;

use cyanotype_telemetry::failure::chain;
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::error::DatabaseError;
use super::super::migrations::{self, MigrationFailure, NamedMigrations, Program};
use super::errors;

/// Held while the migrations run; a number that no other program is likely to use.
const MIGRATION_LOCK: i64 = 0x6379_616e_6f74_7970;

/// What `COLLATE "binary"` means, which SQLite knows by itself; the first migrations need it.
const COLLATION: &str = r#"CREATE COLLATION IF NOT EXISTS "binary" FROM "C""#;

/// On a connection of its own, which ends with it: a migration that fails, or a process that dies, leaves no lock behind.
pub(super) async fn migrate(
    place: &str,
    config: &Config,
    connector: &MakeRustlsConnect,
    limit: Duration,
    migrations: Vec<NamedMigrations>,
    program: Program,
) -> Result<(), DatabaseError> {
    let start = |what: &dyn Display| DatabaseError::Start(format!("the database {place} {what}"));
    let connecting = tokio::time::timeout(limit, config.connect(connector.clone())).await;
    let silent = || start(&format!("does not answer within {} s", limit.as_secs()));
    let (mut client, connection) = connecting.map_err(|_| silent())?.map_err(|error| start(&explained(&error)))?;
    #[expect(clippy::disallowed_methods, reason = "a connection of the start, which has no request")]
    let connection = tokio::spawn(connection);
    let migrated = async {
        client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await?;
        client.batch_execute(COLLATION).await?;
        migrations::run_on_postgres(&mut client, migrations, program).await
    };
    let migrated = migrated.await;
    drop(client);
    // How the connection ends is of no interest any more.
    let _ = connection.await;
    migrated.map_err(|failure| match failure {
        MigrationFailure::Said(error) => error,
        MigrationFailure::Server { what, error } => {
            match chain(&*error).filter_map(|it| it.downcast_ref::<tokio_postgres::Error>()).last() {
                Some(error) if is_explained(error) => start(&explained(error)),
                Some(error) => start(&format!("cannot be used: {what}: {}", words(error))),
                None => start(&format!("cannot be used: {what}: {error}")),
            }
        }
    })
}

/// Whether there is more to say of it than which migration it came up in.
fn is_explained(error: &tokio_postgres::Error) -> bool {
    error.code().is_none_or(|code| matches!(code.code(), "25006" | "42501" | "57P01"))
}

/// What is wrong, in words that an operator can act on. The server's own words name the user, and never the password.
fn explained(error: &tokio_postgres::Error) -> String {
    if error.code().is_some_and(|code| code.code() == "42501") {
        return format!(
            "denies this user a right: it must be able to connect, and to make tables (GRANT CREATE ON SCHEMA) ({})",
            words(error)
        );
    }
    match errors::connecting_cause(error) {
        Some(cause) => format!("{} ({})", cause.explanation(), words(error)),
        None => format!("cannot be used: {}", words(error)),
    }
}

/// The server's words, or else those of the innermost error.
fn words(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(said), _) => said.message().to_owned(),
        (None, Some(source)) => source.to_string(),
        (None, None) => error.to_string(),
    }
}
