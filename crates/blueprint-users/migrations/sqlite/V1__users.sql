-- Ids and times are text: UUIDs of version 7 and RFC 3339 in UTC with six decimals, which sort as they were made.

CREATE TABLE users (
    id            TEXT NOT NULL PRIMARY KEY,
    -- In lower case, so that one address is one user.
    email         TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_at    TEXT NOT NULL,
    updated_at    TEXT NOT NULL
);

CREATE TABLE sessions (
    -- The SHA-256 of the token: who reads this table cannot act as anybody.
    token_hash TEXT NOT NULL PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
);

CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
