-- What one process at a time does: whoever holds the lease, until it expires.
CREATE TABLE leases (
    name       text NOT NULL PRIMARY KEY,
    holder     uuid NOT NULL,
    expires_at timestamptz NOT NULL
);
