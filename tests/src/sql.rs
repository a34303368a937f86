//! A connection of the test's own to the service's database, whichever that is.

use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use tokio::runtime::{Builder, Runtime};

/// A connection. Dropping it ends it, and undoes what it has not committed.
pub struct Direct {
    runtime: Runtime,
    connection: AnyConnection,
}

impl Direct {
    /// Connects to the database of this URL, which must be there.
    #[track_caller]
    pub fn open(url: &str) -> Self {
        sqlx::any::install_default_drivers();
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
        let connection = runtime.block_on(AnyConnection::connect(url));
        Self { runtime, connection: connection.unwrap_or_else(|e| panic!("the database cannot be opened: {e}")) }
    }

    /// Runs statements.
    #[track_caller]
    pub fn run(&mut self, sql: &str) {
        self.try_run(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// Runs statements that may fail.
    pub fn try_run(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        let run = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection);
        self.runtime.block_on(run).map(|_| ())
    }

    /// The rows of a query that has one column, which is a text.
    #[track_caller]
    pub fn texts(&mut self, sql: &str) -> Vec<String> {
        let query = sqlx::query_scalar(AssertSqlSafe(sql));
        let rows = self.runtime.block_on(query.fetch_all(&mut self.connection));
        rows.unwrap_or_else(|e| panic!("{sql}: {e}"))
    }
}
