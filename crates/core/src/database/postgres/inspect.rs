//! Looks at a PostgreSQL database without changing it.

use jiff::{SignedDuration, Timestamp};

use super::{Postgres, PostgresUrl, open, url};
use crate::database::error::{DatabaseError, Result};
use crate::database::inspect::{EngineState, Inspection};
use crate::database::migrations::{NamedMigrations, states_on_postgres};
use crate::database::options::Options;

const STATE: &str = "SELECT current_setting('server_version'),
    current_setting('server_version_num')::int / 10000,
    pg_database_size(current_database()),
    pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool,
    current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint";

impl Postgres {
    pub(in crate::database) async fn inspect(options: &Options, migrations: &[NamedMigrations]) -> Result<Inspection> {
        let url = PostgresUrl::parse(&options.url, &url::from_environment).map_err(DatabaseError::OpenFailed)?;
        let address = url::address(&url.config);
        let connector =
            url.tls.connector().map_err(|why| DatabaseError::OpenFailed(format!("the database {address}: {why}")))?;
        let mut config = url.config;
        config.connect_timeout(options.acquire_timeout);
        let (client, connection) = open::connect(&address, &config, &connector, options.acquire_timeout).await?;
        let read = async {
            let row = client.query_one(STATE, &[]).await?;
            let began = Timestamp::now();
            let clock: Timestamp = client.query_one("SELECT clock_timestamp()", &[]).await?.get(0);
            let answered = Timestamp::now();
            let here = began + (answered.duration_since(began) / 2);
            let schemas = states_on_postgres(&client, migrations).await?;
            Ok((row, clock.duration_since(here), schemas))
        };
        let read: std::result::Result<_, tokio_postgres::Error> = read.await;
        drop(client);
        // Errors on closing are irrelevant.
        let _ = connection.await;
        let (row, ahead, schemas): (tokio_postgres::Row, SignedDuration, _) =
            read.map_err(|error| open::failed(&address, &open::explain(&error)))?;
        let engine = EngineState::Postgres {
            major_version: u32::try_from(row.get::<_, i32>(1)).unwrap_or_default(),
            ahead,
            is_read_only: row.get(3),
            max_connections: u64::try_from(row.get::<_, i64>(4)).unwrap_or_default(),
        };
        let version = format!("PostgreSQL {}", row.get::<_, String>(0));
        let size = u64::try_from(row.get::<_, i64>(2)).unwrap_or_default();
        Ok(Inspection { address, version, size, schemas, engine })
    }
}
