//! What the sinks have done with what they received. The counts grow from the start of the process; nothing resets them.

use std::time::Duration;

use crate::policy::Kind;

/// The counts of a sink, and what waits in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SinkCounts {
    /// The name of the sink, such as `stderr`.
    pub sink: &'static str,
    /// The records by kind: a record's kind, or the kind of an envelope such as `event`.
    pub records: Vec<RecordCounts>,
    /// The size of what waits in memory, in bytes.
    pub queue_bytes: u64,
    /// The number of records that wait in memory.
    pub queue_records: u64,
    /// What became of the envelopes; `None` for a sink that sends none.
    pub deliveries: Option<Deliveries>,
}

/// The records of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// The kind, as in records of loss.
    pub kind: &'static str,
    /// Delivered: written to the file, or accepted by the server.
    pub written: u64,
    /// Lost: those that records of loss count.
    pub dropped: u64,
    /// Held back by the flood limit.
    pub suppressed: u64,
}

/// What became of the envelopes of a sink, and the size of its spool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// Accepted by the server. An envelope that was spooled before counts as both.
    pub sent: u64,
    /// Stored in the spool, to be sent later.
    pub spooled: u64,
    /// Refused by the server, or an event that could be neither sent nor spooled.
    pub refused: u64,
    /// Dropped because of a rate limit; never an event.
    pub limited: u64,
    /// The size of the spool in bytes; 0 without a spool.
    pub spool_bytes: u64,
    /// The age of the oldest event in the spool; `None` if it is empty.
    pub spool_oldest: Option<Duration>,
}

impl SinkCounts {
    /// Adds suppressed records of a kind.
    pub(crate) fn add_suppressed(&mut self, kind: &'static str, count: u64) {
        match self.records.iter_mut().find(|record| record.kind == kind) {
            Some(record) => record.suppressed += count,
            None => self.records.push(RecordCounts { kind, suppressed: count, ..RecordCounts::default() }),
        }
    }
}

/// The counts of every kind of record.
pub(crate) fn by_kind(count: impl Fn(Kind) -> RecordCounts) -> Vec<RecordCounts> {
    Kind::ALL.into_iter().map(|kind| RecordCounts { kind: kind.as_str(), ..count(kind) }).collect()
}
