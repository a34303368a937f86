//! PostgreSQL: for any number of processes, which migrate one after the other.

use std::fmt::Display;
use std::io::ErrorKind;
use std::str::FromStr;

use sqlx::any::AnyConnectOptions;
use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AnyPool, ConnectOptions, Connection, PgConnection};

use super::{DatabaseError, not_a_url, pool_options};
use crate::settings;

/// What sqlx reads of a URL. It passes over the others, and logs them with their values.
const PARAMETERS: &str = "sslmode, sslrootcert, sslcert, sslkey, host, hostaddr, port, dbname, user, password, \
                          application_name, options, statement-cache-capacity";

/// What `COLLATE "binary"` means, which SQLite knows by itself.
const COLLATION: &str = r#"CREATE COLLATION IF NOT EXISTS "binary" FROM "C""#;

pub(super) async fn open(
    settings: &settings::Database,
    migrations: Vec<(&'static str, Migrator)>,
) -> Result<AnyPool, DatabaseError> {
    let url = &settings.url;
    let options = PgConnectOptions::from_str(url).map_err(|_| DatabaseError(not_a_url()))?;
    let place = place(&options);
    let said = |what: &dyn Display| DatabaseError(format!("the database {place} {what}"));
    let explained = |error: sqlx::Error| said(&explained(&error));
    let silent = || said(&format!("does not answer within {} s", settings.acquire_timeout().as_secs()));

    let options = options.disable_statement_logging();
    let first = PgConnection::connect_with(&options);
    let first = tokio::time::timeout(settings.acquire_timeout(), first).await.map_err(|_| silent())?;
    migrate(first.map_err(explained)?, migrations).await.map_err(|(what, error)| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) if is_known(&error) => explained(error),
        error => said(&format!("cannot be used: {what}: {error}")),
    })?;
    let options = AnyConnectOptions::from_str(url).map_err(explained)?;
    match pool_options(settings).connect_with(options).await {
        Err(sqlx::Error::PoolTimedOut) => Err(silent()),
        opened => opened.map_err(explained),
    }
}

/// On a connection of its own, which ends with it: a migration that fails, or a process that dies, leaves no lock behind.
async fn migrate(
    mut connection: PgConnection,
    migrations: Vec<(&'static str, Migrator)>,
) -> Result<(), (String, MigrateError)> {
    // Not `IF NOT EXISTS` alone: of two that make the same thing at once, one is refused. Each migrator takes the lock too.
    let first = "the lock for the migrations".to_owned();
    connection.lock().await.map_err(|error| (first, error))?;
    let collation = sqlx::raw_sql(COLLATION).execute(&mut connection).await;
    collation.map_err(|error| ("the collation \"binary\"".to_owned(), error.into()))?;
    for (blueprint, migrator) in migrations {
        let done = migrator.run(&mut connection).await;
        done.map_err(|error| (format!("the migrations of {blueprint}"), error))?;
    }
    // All is done; how the connection ends is of no interest any more.
    let _ = connection.close().await;
    Ok(())
}

/// The database without user, password and parameters.
fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    let socket = options.get_socket().map(|path| path.display().to_string());
    match socket.as_deref().unwrap_or_else(|| options.get_host()) {
        directory if directory.starts_with('/') => {
            format!("postgres:///{database}?host={directory}&port={}", options.get_port())
        }
        host => format!("postgres://{host}:{}/{database}", options.get_port()),
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// Whether there is more to say of it than which migration it came up in.
fn is_known(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_)) || matches!(code(error).as_deref(), Some("25006" | "42501" | "57P01"))
}

/// What is wrong, in words an operator can act on. The server's own words name the user, and never the password.
fn explained(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => {
            return "refuses connections: does the server run, and are host and port right?".into();
        }
        sqlx::Error::Io(error) => return format!("cannot be reached: is its host right? ({error})"),
        sqlx::Error::Tls(error) => {
            return format!("cannot be reached over TLS: see sslmode and sslrootcert in its URL ({error})");
        }
        _ => {}
    }
    let message = error.as_database_error().map(|error| error.message()).unwrap_or_default();
    match code(error).as_deref() {
        Some("28P01" | "28000") => format!("does not let this user in: are user and password right? ({message})"),
        Some("3D000") => format!("does not exist: make it with CREATE DATABASE ({message})"),
        Some("53300") => format!(
            "has no connection left: lower database.max_connections, or raise the server's max_connections ({message})"
        ),
        Some("57P01" | "57P03") => format!("is starting up or shutting down: wait until it is ready ({message})"),
        Some("42501") => format!(
            "denies this user a right: it must be able to connect, and to make tables (GRANT CREATE ON SCHEMA) ({message})"
        ),
        Some("25006") => format!("is read-only: is it a standby, and not the primary? ({message})"),
        _ => format!("cannot be used: {error}"),
    }
}

pub(super) fn check_url(url: &str) -> Result<(), String> {
    let rest = url.split_once("://").ok_or_else(not_a_url)?.1;
    // The rest of a password, which would be taken for something that may be shown.
    if rest.split_once(['/', '?', '#']).is_some_and(|(_, rest)| rest.contains('@')) {
        return Err(
            "this URL has an `@` behind its host; in user and password `/`, `?`, `#` and `@` are written %2F, \
                    %3F, %23 and %40"
                .into(),
        );
    }
    let parameters = rest.split_once('?').map_or("", |(_, parameters)| parameters);
    let known = |key: &str| PARAMETERS.split(", ").any(|known| known == key) || key.starts_with("options[");
    if !form_urlencoded::parse(parameters.as_bytes()).all(|(key, _)| known(&key)) {
        return Err(format!("this URL has a parameter that is not known; allowed is {PARAMETERS}"));
    }
    // The `Any` driver has a reader of its own.
    match (PgConnectOptions::from_str(url), AnyConnectOptions::from_str(url)) {
        (Ok(_), Ok(_)) => Ok(()),
        _ => Err(not_a_url()),
    }
}
