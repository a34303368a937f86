//! Looks at a PostgreSQL database without changing it.

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::{Client, Row};

use super::{Postgres, Target, open};
use crate::database::error::Result;
use crate::database::inspect::{EngineState, Inspection};
use crate::database::migrations::{self, BlueprintMigrations, NamedMigrations};
use crate::database::options::Options;

const STATE: &str = "SELECT current_setting('server_version'),
    current_setting('server_version_num')::int / 10000,
    pg_database_size(current_database()),
    pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool,
    current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint";

impl Postgres {
    pub(in crate::database) async fn inspect(
        options: &Options,
        migrations: Vec<NamedMigrations>,
    ) -> Result<Inspection> {
        let (address, target) = Target::new(options)?;
        let read = async |client: &mut Client| {
            let row = client.query_one(STATE, &[]).await?;
            let began = Timestamp::now();
            let clock: Timestamp = client.query_one("SELECT clock_timestamp()", &[]).await?.get(0);
            let answered = Timestamp::now();
            let here = began + (answered.duration_since(began) / 2);
            let migrations = migrations::on_postgres(client, migrations).await?;
            Ok((row, clock.duration_since(here), migrations))
        };
        let (row, ahead, migrations): (Row, SignedDuration, Vec<BlueprintMigrations>) =
            open::with_connection(&address, &target, read).await?;
        let engine = EngineState::Postgres {
            major_version: u32::try_from(row.get::<_, i32>(1)).unwrap_or_default(),
            ahead,
            is_read_only: row.get(3),
            unverified_host: target.unverified_host.clone(),
            max_connections: u64::try_from(row.get::<_, i64>(4)).unwrap_or_default(),
        };
        let version = format!("PostgreSQL {}", row.get::<_, String>(0));
        let size = u64::try_from(row.get::<_, i64>(2)).unwrap_or_default();
        Ok(Inspection { address: address.to_string(), version, size, migrations, engine })
    }
}
