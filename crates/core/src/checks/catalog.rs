//! The checks, for the documentation and for the order of the output.

/// A check of `app doctor`.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Its name in the output.
    pub name: &'static str,
    /// What is looked at.
    pub about: &'static str,
    /// When it warns; empty if never.
    pub warns: &'static str,
    /// When it fails; empty if never.
    pub fails: &'static str,
    /// What a start does with it; empty if nothing.
    pub at_start: &'static str,
}

/// All checks, in the order of the output.
pub const CHECKS: [Check; 16] = [
    Check {
        name: "process",
        about: "the running service, by its management listener and `/proc`; without one, the checks are those of a start here",
        warns: "its program was replaced; its `/proc` entries cannot be read",
        fails: "it does not answer `/health/live` within 2 s",
        at_start: "",
    },
    Check {
        name: "settings",
        about: "as `app config --check`",
        warns: "near misses; the running service has other variables, or another working directory",
        fails: "invalid; then only `clock` and `time-zone` follow",
        at_start: "warns, refuses",
    },
    Check {
        name: "database",
        about: "reach, login, version, rights, size",
        warns: "in memory; fewer connections than `database.max_connections`; PostgreSQL before 15, or on another machine without a \
                verified certificate",
        fails: "unreachable, read-only",
        at_start: "refuses",
    },
    Check {
        name: "migrations",
        about: "the history of each blueprint",
        warns: "pending, while the service runs",
        fails: "a newer version has written the schema; a file was changed",
        at_start: "refuses",
    },
    Check {
        name: "wal",
        about: "SQLite: journal mode, size of the write-ahead log",
        warns: "over 64 MiB; not `wal`; on a network file system",
        fails: "",
        at_start: "warns of a network file system",
    },
    Check {
        name: "clock",
        about: "the year; the offset to the PostgreSQL server",
        warns: "1 s or more",
        fails: "1 min or more; not between 2025 and 2100",
        at_start: "warns of the year",
    },
    Check {
        name: "disk",
        about: "free space and inodes for the SQLite file, the spool, a file on stderr",
        warns: "less than 512 MiB",
        fails: "less than 32 MiB, no inodes",
        at_start: "warns",
    },
    Check {
        name: "sentry",
        about: "name, proxy, connection, TLS, key, by an empty client report: no event is stored",
        warns: "a rate limit; Sentry's clock differs by 30 s or more; `log.mode=sentry` without a DSN",
        fails: "any step of it",
        at_start: "",
    },
    Check {
        name: "spool",
        about: "rights, size, age of the oldest event, quarantine",
        warns: "none with a DSN; over 80 % full; events older than 15 min; quarantined files",
        fails: "it cannot be written",
        at_start: "warns of the rights",
    },
    Check {
        name: "stderr",
        about: "what descriptor 2 is, and who reads it",
        warns: "`/dev/null`; a terminal in `prod`; a full pipe; a file not opened for appending; no journald",
        fails: "closed; a pipe without a reader; a deleted file",
        at_start: "",
    },
    Check {
        name: "descriptors",
        about: "the limit on open files, and how many are open",
        warns: "less than 1024; over 80 % open",
        fails: "too few for a start",
        at_start: "warns, refuses",
    },
    Check {
        name: "api-port",
        about: "`server.host` and `server.port`, or the socket of a socket unit instead: free, or held by the running service",
        warns: "held by a process that cannot be seen",
        fails: "held by another process, which is named; not a local address; no right",
        at_start: "refuses",
    },
    Check {
        name: "management-port",
        about: "the same for `management.host` and `management.port`",
        warns: "as above",
        fails: "as above",
        at_start: "refuses",
    },
    Check {
        name: "management-socket",
        about: "`management.socket`, where it is set",
        warns: "",
        fails: "another process listens; not a socket; open to other users",
        at_start: "refuses",
    },
    Check {
        name: "management",
        about: "who can reach the management listener",
        warns: "other machines, without a token or with one below 32 characters",
        fails: "the host has no address",
        at_start: "",
    },
    Check { name: "time-zone", about: "of the process; records have UTC", warns: "not UTC", fails: "", at_start: "" },
];
