-- What a user may do beside their own things.
ALTER TABLE users ADD COLUMN role TEXT NOT NULL DEFAULT 'member' CHECK (role IN ('member', 'admin'));

-- Who was granted or lost which role, when and by whom. It outlasts the user, and holds no address.
CREATE TABLE role_changes (
    id         BLOB NOT NULL PRIMARY KEY,
    user_id    BLOB NOT NULL,
    role       TEXT NOT NULL,
    changed_by TEXT NOT NULL,
    changed_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX role_changes_user_id ON role_changes (user_id, id);

-- Sessions have an id that their user may see, and revoke them by.
CREATE TABLE identified_sessions (
    -- The SHA-256 of the token: who reads this table cannot act as anybody.
    token_hash TEXT NOT NULL PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE DEFAULT (randomblob(16)),
    user_id    BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    user_agent TEXT,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO identified_sessions (token_hash, user_id, created_at, expires_at)
SELECT token_hash, user_id, created_at, expires_at FROM sessions;
DROP TABLE sessions;
ALTER TABLE identified_sessions RENAME TO sessions;
CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

-- Wrong passwords, counted for an account from one block of addresses, and for one address.
CREATE TABLE login_attempts (
    -- A SHA-256: addresses do not stand here in plain text.
    key           TEXT NOT NULL PRIMARY KEY,
    failures      INTEGER NOT NULL,
    blocked_until TEXT NOT NULL,
    expires_at    TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX login_attempts_expires_at ON login_attempts (expires_at);
