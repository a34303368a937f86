//! A direct connection from a test to the service's database.

use tokio::runtime::{Builder, Runtime};

/// A connection to SQLite or PostgreSQL. Dropping it closes it and rolls back an open transaction.
pub struct DirectConnection(Inner);

enum Inner {
    Sqlite(rusqlite::Connection),
    Postgres(Runtime, tokio_postgres::Client),
}

impl DirectConnection {
    /// Connects to the database at this URL, which must exist.
    #[track_caller]
    pub fn open(url: &str) -> Self {
        if let Some(path) = url.strip_prefix("sqlite://") {
            let opened = rusqlite::Connection::open(path);
            return Self(Inner::Sqlite(opened.unwrap_or_else(|e| panic!("the database cannot be opened: {e}"))));
        }
        let runtime =
            Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime can be built");
        let connected = runtime.block_on(tokio_postgres::connect(url, tokio_postgres::NoTls));
        let (client, connection) = connected.unwrap_or_else(|e| panic!("the database cannot be opened: {e}"));
        runtime.spawn(connection);
        Self(Inner::Postgres(runtime, client))
    }

    /// Runs statements.
    #[track_caller]
    pub fn run(&mut self, sql: &str) {
        self.try_run(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// Runs statements that may fail.
    ///
    /// # Errors
    /// The database's error message.
    pub fn try_run(&mut self, sql: &str) -> Result<(), String> {
        match &self.0 {
            Inner::Sqlite(connection) => connection.execute_batch(sql).map_err(|error| error.to_string()),
            Inner::Postgres(runtime, client) => {
                runtime.block_on(client.batch_execute(sql)).map_err(|error| format!("{error:?}"))
            }
        }
    }

    /// The rows of a query with one text column.
    #[track_caller]
    pub fn texts(&mut self, sql: &str) -> Vec<String> {
        match &self.0 {
            Inner::Sqlite(connection) => {
                let mut statement = connection.prepare(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
                let rows = statement.query_map([], |row| row.get(0)).and_then(Iterator::collect);
                rows.unwrap_or_else(|e| panic!("{sql}: {e}"))
            }
            Inner::Postgres(runtime, client) => {
                let rows = runtime.block_on(client.query(sql, &[])).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
                rows.iter().map(|row| row.get(0)).collect()
            }
        }
    }

    /// An SQL expression for an id column as text.
    pub fn id(&self, column: &str) -> String {
        match &self.0 {
            Inner::Postgres(..) => format!("{column}::text"),
            // SQLite stores 16 bytes.
            Inner::Sqlite(_) => {
                let parts = [(1, 8), (9, 4), (13, 4), (17, 4), (21, 12)];
                let part = |(from, length): (u8, u8)| format!("substr(hex({column}), {from}, {length})");
                format!("lower({})", parts.map(part).join(" || '-' || "))
            }
        }
    }
}
