-- What the processes of a service share of what is recorded: see "fleet". All times are of the database's clock.
CREATE TABLE log_overrides (
    id         TEXT NOT NULL PRIMARY KEY,
    -- Keys and values, as a JSON object.
    set_values TEXT NOT NULL,
    -- process, blueprint, module or route.
    scope_kind TEXT NOT NULL,
    -- Empty for the process.
    scope_name TEXT NOT NULL,
    set_at     TEXT NOT NULL,
    -- When it ends. One that was cleared stays for a moment, so that each process learns who did it.
    until      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    set_by     TEXT NOT NULL,
    cleared_by TEXT,
    -- That of the fleet when the row was written.
    version    INTEGER NOT NULL
) WITHOUT ROWID;

-- One row. Who changes the overrides counts up first, so that one does at a time.
CREATE TABLE log_fleet (
    version INTEGER NOT NULL
);
INSERT INTO log_fleet (version) VALUES (0);

-- The processes that follow, while there is something to follow.
CREATE TABLE log_processes (
    id      BLOB NOT NULL PRIMARY KEY,
    name    TEXT NOT NULL,
    version INTEGER NOT NULL,
    seen_at TEXT NOT NULL
) WITHOUT ROWID;
