-- Until now each value was a text or a number, as the driver of that time could read them. Ids are 16 bytes now.
CREATE TABLE typed_idempotency_keys (
    caller     BLOB NOT NULL,
    -- SHA-256 in hexadecimal digits: who reads this table cannot ask for another's answer.
    key_hash   TEXT NOT NULL,
    method     TEXT NOT NULL,
    path       TEXT NOT NULL,
    body_hash  TEXT NOT NULL,
    -- 0 until there is an answer, which nobody but its own transaction sees.
    status     INTEGER NOT NULL,
    -- Pairs of a name and a value, as JSON.
    headers    TEXT NOT NULL,
    body       TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    PRIMARY KEY (caller, key_hash)
) WITHOUT ROWID;

INSERT INTO typed_idempotency_keys
SELECT unhex(replace(caller, '-', '')), key_hash, method, path, body_hash, status,
       CASE headers WHEN '' THEN '[]' ELSE headers END, body,
       strftime('%Y-%m-%dT%H:%M:%S.000000Z', expires_at, 'unixepoch')
FROM idempotency_keys;

DROP TABLE idempotency_keys;
ALTER TABLE typed_idempotency_keys RENAME TO idempotency_keys;
CREATE INDEX idempotency_keys_expires_at ON idempotency_keys (expires_at);
