//! The first connection: checks the server and runs the migrations.

use std::error::Error as _;
use std::fmt::Display;
use std::time::Duration;

use cyanotype_telemetry::failure::chain;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::error::DatabaseError;
use super::super::migrations::{self, MigrationFailure, NamedMigrations, Program};
use super::errors;

/// Id of the advisory lock that is held during migrations; unlikely to be used by another program.
const MIGRATION_LOCK: i64 = 0x6379_616e_6f74_7970;

/// Defines `COLLATE "binary"`, which is built into SQLite; the first migrations use it.
const COLLATION: &str = r#"CREATE COLLATION IF NOT EXISTS "binary" FROM "C""#;

/// Runs the migrations on a dedicated connection that is closed afterwards: a failed migration or a crashed process leaves no
/// lock behind.
pub(super) async fn migrate(
    address: &str,
    config: &Config,
    connector: &MakeRustlsConnect,
    limit: Duration,
    migrations: Vec<NamedMigrations>,
    program: Program,
) -> Result<(), DatabaseError> {
    let failed = |what: &dyn Display| failed(address, what);
    let (mut client, connection) = connect(address, config, connector, limit).await?;
    let migrated = async {
        client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await?;
        client.batch_execute(COLLATION).await?;
        migrations::run_on_postgres(&mut client, migrations, program).await
    };
    let migrated = migrated.await;
    drop(client);
    // Errors on closing are irrelevant.
    let _ = connection.await;
    migrated.map_err(|failure| match failure {
        MigrationFailure::Complete(error) => error,
        MigrationFailure::Server { what, error } => {
            match chain(&*error).filter_map(|it| it.downcast_ref::<tokio_postgres::Error>()).last() {
                Some(error) if is_connection_or_permission_error(error) => failed(&explain(error)),
                Some(error) => failed(&format!("is unusable: {what}: {}", server_message(error))),
                None => failed(&format!("is unusable: {what}: {error}")),
            }
        }
    })
}

/// Opens a connection outside the pool. Its task ends when the client is dropped.
pub(super) async fn connect(
    address: &str,
    config: &Config,
    connector: &MakeRustlsConnect,
    limit: Duration,
) -> Result<(Client, JoinHandle<Result<(), tokio_postgres::Error>>), DatabaseError> {
    let connecting = tokio::time::timeout(limit, config.connect(connector.clone())).await;
    let timed_out = || failed(address, &format!("did not respond within {} s: check host and port", limit.as_secs()));
    let (client, connection) =
        connecting.map_err(|_| timed_out())?.map_err(|error| failed(address, &explain(&error)))?;
    #[expect(clippy::disallowed_methods, reason = "a connection at startup or of a command, where there is no request")]
    let connection = tokio::spawn(connection);
    Ok((client, connection))
}

pub(super) fn failed(address: &str, what: &dyn Display) -> DatabaseError {
    DatabaseError::OpenFailed(format!("the database {address} {what}"))
}

/// Whether the cause is the connection or the rights of the user, not the migration.
fn is_connection_or_permission_error(error: &tokio_postgres::Error) -> bool {
    error.code().is_none_or(|code| matches!(code.code(), "25006" | "42501" | "57P01"))
}

/// The cause and the remedy, with the message of the server, which may name the user but not the password.
pub(super) fn explain(error: &tokio_postgres::Error) -> String {
    if error.code().is_some_and(|code| code.code() == "42501") {
        return format!(
            "denied permission: the user needs the rights to connect and to create tables (GRANT CREATE ON SCHEMA) ({})",
            server_message(error)
        );
    }
    match errors::connecting_cause(error) {
        Some(cause) => format!("{} ({})", cause.explanation(), server_message(error)),
        None => format!("is unusable: {}", server_message(error)),
    }
}

/// The message of the server, or else that of the source.
fn server_message(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(server), _) => server.message().to_owned(),
        (None, Some(source)) => source.to_string(),
        (None, None) => error.to_string(),
    }
}
