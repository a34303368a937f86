-- Until now each value was a text or a number, as the driver of that time could read them. Ids are 16 bytes now.
CREATE TABLE typed_users (
    id            BLOB NOT NULL PRIMARY KEY,
    -- In lower case, so that one address is one user.
    email         TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_at    TEXT NOT NULL,
    updated_at    TEXT NOT NULL,
    -- Counts the changes of a user: what its entity tag is made of.
    version       INTEGER NOT NULL DEFAULT 1
) WITHOUT ROWID;

INSERT INTO typed_users
SELECT unhex(replace(id, '-', '')), email, name, password_hash, created_at, updated_at, version FROM users;

CREATE TABLE typed_sessions (
    -- The SHA-256 of the token: who reads this table cannot act as anybody.
    token_hash TEXT NOT NULL PRIMARY KEY,
    user_id    BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
) WITHOUT ROWID;

INSERT INTO typed_sessions SELECT token_hash, unhex(replace(user_id, '-', '')), created_at, expires_at FROM sessions;

DROP TABLE sessions;
DROP TABLE users;
ALTER TABLE typed_users RENAME TO users;
ALTER TABLE typed_sessions RENAME TO sessions;
CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
