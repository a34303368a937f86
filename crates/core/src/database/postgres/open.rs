//! The first connection: checks the server, and runs or checks the migrations.

use std::error::Error as _;

use cyanotype_telemetry::failure::chain;
use tokio_postgres::Client;

use super::super::error::DatabaseError;
use super::super::explanation::Explanation;
use super::super::migrations::{self, BlueprintMigrations, MigrationFailure, NamedMigrations, Program};
use super::errors;
use super::target::Target;

/// Id of the advisory lock that is held during migrations; unlikely to be used by another program.
const MIGRATION_LOCK: i64 = 0x6379_616e_6f74_7970;

const LOCK: &str = "SELECT pg_advisory_lock($1)";

/// Defines `COLLATE "binary"`, which is built into SQLite; the first migrations use it.
const COLLATION: &str = r#"CREATE COLLATION IF NOT EXISTS "binary" FROM "C""#;

/// Runs the migrations. Returns those that ran.
pub(super) async fn migrate(
    address: &str,
    target: &Target,
    migrations: Vec<NamedMigrations>,
    program: Program,
) -> Result<Vec<BlueprintMigrations>, DatabaseError> {
    let run = async |client: &mut Client| {
        client.execute(LOCK, &[&MIGRATION_LOCK]).await?;
        client.batch_execute(COLLATION).await?;
        migrations::run_on_postgres(client, migrations, program).await
    };
    with_connection(address, target, run).await
}

/// Refuses a database whose schema is not that of this program. Waits for migrations that another process runs.
pub(super) async fn require_migrated(
    address: &str,
    target: &Target,
    migrations: Vec<NamedMigrations>,
    program: Program,
) -> Result<(), DatabaseError> {
    let check = async |client: &mut Client| {
        client.execute(LOCK, &[&MIGRATION_LOCK]).await?;
        let all = migrations::on_postgres(client, migrations).await?;
        migrations::require_current(&all, program).map_err(MigrationFailure::Complete)
    };
    with_connection(address, target, check).await
}

/// The state of each migration. Waits for nothing.
pub(super) async fn migration_status(
    address: &str,
    target: &Target,
    migrations: Vec<NamedMigrations>,
) -> Result<Vec<BlueprintMigrations>, DatabaseError> {
    with_connection(address, target, async |client| Ok(migrations::on_postgres(client, migrations).await?)).await
}

/// Works on a dedicated connection that is closed afterwards: a failed migration or a crashed process leaves no lock behind.
pub(super) async fn with_connection<T>(
    address: &str,
    target: &Target,
    work: impl AsyncFnOnce(&mut Client) -> Result<T, MigrationFailure>,
) -> Result<T, DatabaseError> {
    let Target { config, connector, options, .. } = target;
    let limit = options.acquire_timeout;
    let failed = |what: Explanation| DatabaseError::OpenFailed(what.about(&format!("the database {address}")));
    let connecting = tokio::time::timeout(limit, config.connect(connector.clone())).await;
    let no_response = format!("did not respond within {} s", limit.as_secs());
    let timed_out = || failed(Explanation::new(no_response, Some("check host and port")));
    let (mut client, connection) = connecting.map_err(|_| timed_out())?.map_err(|error| failed(explain(&error)))?;
    #[expect(clippy::disallowed_methods, reason = "a connection at startup, where there is no request")]
    let connection = tokio::spawn(connection);
    let result = work(&mut client).await;
    drop(client);
    // Errors on closing are irrelevant.
    let _ = connection.await;
    result.map_err(|failure| match failure {
        MigrationFailure::Complete(error) => error,
        MigrationFailure::Server { what, error } => {
            match chain(&*error).filter_map(|it| it.downcast_ref::<tokio_postgres::Error>()).last() {
                Some(error) if is_connection_or_permission_error(error) => failed(explain(error)),
                Some(error) => failed(format!("is unusable: {what}: {}", server_message(error)).into()),
                None => failed(format!("is unusable: {what}: {error}").into()),
            }
        }
    })
}

/// Whether the cause is the connection or the rights of the user, not the migration.
fn is_connection_or_permission_error(error: &tokio_postgres::Error) -> bool {
    error.code().is_none_or(|code| matches!(code.code(), "25006" | "42501" | "57P01"))
}

/// The cause and the remedy, with the message of the server, which may name the user but not the password.
fn explain(error: &tokio_postgres::Error) -> Explanation {
    let message = server_message(error);
    if error.code().is_some_and(|code| code.code() == "42501") {
        let remedy = "the user needs the rights to connect and to create tables (GRANT CREATE ON SCHEMA)";
        return Explanation::new("denied permission", Some(remedy)).with_detail(message);
    }
    match errors::connecting_cause(error) {
        Some(cause) => cause.explanation().with_detail(message),
        None => format!("is unusable: {message}").into(),
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
