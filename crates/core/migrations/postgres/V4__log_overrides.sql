-- What the processes of a service share of what is recorded: see "fleet". All times are of the database's clock.
CREATE TABLE log_overrides (
    id         text COLLATE "binary" NOT NULL PRIMARY KEY,
    -- Keys and values, as a JSON object.
    set_values text NOT NULL,
    -- process, blueprint, module or route.
    scope_kind text NOT NULL,
    -- Empty for the process.
    scope_name text NOT NULL,
    set_at     timestamptz NOT NULL,
    -- When it ends. One that was cleared stays for a moment, so that each process learns who did it.
    until      timestamptz NOT NULL,
    reason     text NOT NULL,
    set_by     text NOT NULL,
    cleared_by text,
    -- That of the fleet when the row was written.
    version    bigint NOT NULL
);

-- One row. Who changes the overrides counts up first, so that one does at a time.
CREATE TABLE log_fleet (
    version bigint NOT NULL
);
INSERT INTO log_fleet (version) VALUES (0);

-- The processes that follow, while there is something to follow.
CREATE TABLE log_processes (
    id      uuid NOT NULL PRIMARY KEY,
    name    text NOT NULL,
    version bigint NOT NULL,
    seen_at timestamptz NOT NULL
);
