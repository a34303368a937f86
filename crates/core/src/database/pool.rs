//! The state of the connections.

/// The connections of a database, at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PoolStatus {
    /// The maximum number of connections; `None` if there is none.
    pub max: Option<usize>,
    /// Open connections that no statement or transaction uses.
    pub idle: usize,
    /// Open connections in use. A connection that workers share counts as used.
    pub used: usize,
    /// Statements and transactions that wait for a connection.
    pub waiting: usize,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::in_memory;
    use super::*;
    use crate::database::Executor;

    #[actix_web::test]
    async fn connections_in_use_and_waits_are_counted() {
        let database = in_memory().await;
        let idle = PoolStatus { idle: 1, ..PoolStatus::default() };
        let used = PoolStatus { used: 1, ..PoolStatus::default() };
        assert_eq!(database.pool(), idle);
        let (transaction, _open) = database.begin().await.expect("it begins");
        assert_eq!(database.pool(), used);
        let write = (&database).execute("CREATE TABLE t (x INTEGER)", &[]);
        assert!(tokio::time::timeout(Duration::from_millis(10), write).await.is_err(), "it waits for the transaction");
        assert_eq!(database.pool(), used, "a wait whose client has left is over");
        let write = (&database).execute("CREATE TABLE t (x INTEGER)", &[]);
        let waiting = async {
            while database.pool().waiting == 0 {
                tokio::task::yield_now().await;
            }
            transaction.rollback().await.expect("it is rolled back");
        };
        let (written, ()) = tokio::join!(write, waiting);
        written.expect("the table is created");
        assert_eq!(database.pool(), idle);
    }
}
