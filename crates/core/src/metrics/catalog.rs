//! The metrics that the management listener serves. docs/METRICS.md lists them.

use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

/// The description of a metric.
#[derive(Debug)]
pub(super) struct Metric {
    /// The name without the suffixes for unit and type, such as `_bytes` and `_total`.
    pub name: &'static str,
    pub unit: Option<Unit>,
    pub kind: MetricType,
    pub help: &'static str,
}

macro_rules! metrics {
    ($($id:ident: $kind:ident $name:literal $([$unit:ident])?, $help:literal;)*) => {
        $(pub(super) const $id: Metric = Metric {
            name: $name,
            unit: metrics!(@unit $($unit)?),
            kind: MetricType::$kind,
            help: $help,
        };)*

        /// Every metric, in the order of the output.
        #[cfg(test)]
        pub(super) const ALL: &[Metric] = &[$($id),*];
    };
    (@unit) => { None };
    (@unit $unit:ident) => { Some(Unit::$unit) };
}

metrics! {
    REQUEST_DURATION: Histogram "http_server_request_duration"[Seconds],
        "Durations of answered API requests, to the end of the response body. http_route is empty where no route matched, unknown \
         methods are _OTHER; exemplars have the trace_id of log records.";
    READY: Gauge "service_ready",
        "1 if GET /health/ready would answer 200 now, otherwise 0.";
    ACTIVE_REQUESTS: Gauge "http_server_active_requests",
        "API requests in progress.";
    LOG_RECORDS: Counter "log_records",
        "Records by outcome: written, dropped (as records of loss count them) or suppressed by the flood limit. For the sink sentry, \
         kind is that of envelopes.";
    LOG_QUEUE_BYTES: Gauge "log_queue"[Bytes],
        "Size of the records that wait for a sink.";
    LOG_QUEUE_RECORDS: Gauge "log_queue_records",
        "Number of records that wait for a sink.";
    LOG_OVERRIDES: Gauge "log_overrides",
        "Overrides of log settings in effect, by scope.";
    DEBUG_TOKENS_REFUSED: Counter "log_debug_tokens_refused",
        "Debug tokens refused because they were malformed, forged, expired or for another request.";
    SENTRY_EVENTS: Counter "sentry_events",
        "Envelopes for Sentry by outcome: sent, spooled to be sent later, refused (by Sentry, or events that could not be spooled; \
         these events are written to stderr in full) or limited (dropped because of a rate limit). Others dropped: log_records.";
    SENTRY_SPOOL_BYTES: Gauge "sentry_spool"[Bytes],
        "Size of the events in sentry.spool_dir.";
    SENTRY_SPOOL_AGE: Gauge "sentry_spool_oldest_age"[Seconds],
        "Age of the oldest event in sentry.spool_dir; 0 if there is none.";
    DATABASE_CONNECTIONS: Gauge "database_connections",
        "Open database connections by state: idle or used.";
    DATABASE_CONNECTIONS_MAX: Gauge "database_connections_max",
        "Maximum number of database connections (database.max_connections); not for SQLite.";
    DATABASE_PENDING_REQUESTS: Gauge "database_pending_requests",
        "Statements and transactions that wait for a database connection.";
    BUILD: Info "build",
        "The program and its version.";
    PROCESS_CPU: Counter "process_cpu"[Seconds],
        "User and system CPU time of the process.";
    PROCESS_RESIDENT_MEMORY: Gauge "process_resident_memory"[Bytes],
        "Resident memory of the process.";
    PROCESS_VIRTUAL_MEMORY: Gauge "process_virtual_memory"[Bytes],
        "Virtual memory of the process.";
    PROCESS_OPEN_FDS: Gauge "process_open_fds",
        "Open file descriptors of the process.";
    PROCESS_MAX_FDS: Gauge "process_max_fds",
        "Maximum number of open file descriptors of the process.";
    PROCESS_THREADS: Gauge "process_threads",
        "Threads of the process.";
    PROCESS_START_TIME: Gauge "process_start_time"[Seconds],
        "Start of the process, since the Unix epoch.";
}
