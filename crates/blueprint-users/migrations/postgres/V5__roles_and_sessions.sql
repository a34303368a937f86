-- What a user may do beside their own things.
ALTER TABLE users ADD COLUMN role text NOT NULL DEFAULT 'member' CHECK (role IN ('member', 'admin'));

-- Who was granted or lost which role, when and by whom. It outlasts the user, and holds no address.
CREATE TABLE role_changes (
    id         uuid NOT NULL PRIMARY KEY,
    user_id    uuid NOT NULL,
    role       text NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL
);
CREATE INDEX role_changes_user_id ON role_changes (user_id, id);

-- Sessions have an id that their user may see, and revoke them by.
ALTER TABLE sessions
    ADD COLUMN id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    ADD COLUMN user_agent text;

-- Wrong passwords, counted for an account from one block of addresses, and for one address.
CREATE TABLE login_attempts (
    -- A SHA-256: addresses do not stand here in plain text.
    key           text NOT NULL PRIMARY KEY,
    failures      bigint NOT NULL,
    blocked_until timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL
);
CREATE INDEX login_attempts_expires_at ON login_attempts (expires_at);
