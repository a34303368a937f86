-- What one process at a time does: whoever holds the lease, until it expires.
CREATE TABLE leases (
    name       TEXT NOT NULL PRIMARY KEY,
    holder     BLOB NOT NULL,
    expires_at TEXT NOT NULL
) WITHOUT ROWID;
