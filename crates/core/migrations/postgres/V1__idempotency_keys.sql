-- What was answered to a request with an idempotency key. A row is written together with what the request did, so it is
-- there when that is, and not before.
CREATE TABLE idempotency_keys (
    caller     TEXT NOT NULL,
    -- SHA-256 in hexadecimal digits: who reads this table cannot ask for another's answer.
    key_hash   TEXT NOT NULL,
    method     TEXT NOT NULL,
    path       TEXT NOT NULL,
    body_hash  TEXT NOT NULL,
    -- 0 until there is an answer, which nobody but its own transaction sees.
    status     BIGINT NOT NULL,
    -- Pairs of a name and a value, as JSON.
    headers    TEXT NOT NULL,
    body       TEXT NOT NULL,
    -- Seconds since 1970.
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (caller, key_hash)
);

CREATE INDEX idempotency_keys_expires_at ON idempotency_keys (expires_at);
