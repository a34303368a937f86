//! A transaction on a connection from the pool. `BEGIN` and savepoints are pipelined with the next statement, so they cost no
//! extra round trip.

use deadpool_postgres::Object;
use futures_util::future::join;

use super::statements::{Statements, parameters, read_rows};
use crate::database::error::Result;
use crate::database::row::FromRow;
use crate::database::value::ToSql;

pub(in crate::database) struct PostgresTransaction {
    statements: Statements,
    // `None` once the connection has been returned to the pool or closed.
    client: Option<Object>,
    /// Commands that have not been sent yet.
    pending: String,
    /// Whether the server may have an open transaction.
    is_open: bool,
}

impl PostgresTransaction {
    pub(super) fn new(client: Object, statements: Statements) -> Self {
        Self { statements, client: Some(client), pending: "BEGIN".into(), is_open: false }
    }

    pub(crate) async fn query<T: FromRow>(&mut self, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<T>> {
        let rows = self.run(sql, async |client, statement| client.query(statement, &parameters(values)).await).await?;
        read_rows(&rows)
    }

    pub(crate) async fn execute(&mut self, sql: &str, values: &[&dyn ToSql]) -> Result<u64> {
        self.run(sql, async |client, statement| client.execute(statement, &parameters(values)).await).await
    }

    /// Queues a command such as `SAVEPOINT`, sent with the next statement.
    pub(crate) fn control(&mut self, command: &str) {
        if !self.pending.is_empty() {
            self.pending.push_str("; ");
        }
        self.pending.push_str(command);
    }

    pub(crate) async fn commit(self) -> Result<()> {
        self.end("COMMIT").await
    }

    pub(crate) async fn rollback(self) -> Result<()> {
        self.end("ROLLBACK").await
    }

    async fn run<R>(
        &mut self,
        sql: &str,
        send: impl AsyncFnOnce(&Object, &tokio_postgres::Statement) -> std::result::Result<R, tokio_postgres::Error>,
    ) -> Result<R> {
        // Prepared before the commands are sent: if it fails, they remain queued.
        let prepare = async |client: &Object| client.prepare_cached(sql).await;
        let statement = self.statements.send(&mut self.client, prepare).await?;
        let commands = std::mem::take(&mut self.pending);
        // From here on the transaction may be open, even if this future is dropped.
        self.is_open |= !commands.is_empty();
        let send = async |client: &Object| {
            if commands.is_empty() {
                return send(client, &statement).await;
            }
            // Pipelined: both are written in this order before either response is awaited.
            let (began, sent) = join(client.batch_execute(&commands), send(client, &statement)).await;
            began.and(sent)
        };
        self.statements.send(&mut self.client, send).await
    }

    async fn end(mut self, command: &str) -> Result<()> {
        if self.is_open {
            self.control(command);
            let commands = std::mem::take(&mut self.pending);
            let end = async |client: &Object| client.batch_execute(&commands).await;
            self.statements.send(&mut self.client, end).await?;
            self.is_open = false;
        }
        // Returns the connection to the pool.
        self.client = None;
        Ok(())
    }
}

impl Drop for PostgresTransaction {
    fn drop(&mut self) {
        // Never returns a connection with an open transaction to the pool: closing it makes the server roll back.
        if let Some(client) = self.client.take().filter(|_| self.is_open) {
            drop(Object::take(client));
        }
    }
}
