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
