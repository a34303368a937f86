-- Ids and times are text: UUIDs of version 7 and RFC 3339 in UTC with six decimals, which sort as they were made.
-- Cents are BIGINT: an INTEGER of SQLite anyway, and wide enough for a total in PostgreSQL.

CREATE TABLE orders (
    id          TEXT NOT NULL PRIMARY KEY,
    -- Whoever the core says is calling. No foreign key: this blueprint does not know where users live.
    user_id     TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('placed', 'paid', 'shipped', 'cancelled')),
    total_cents BIGINT NOT NULL,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL
);

CREATE INDEX orders_user_id ON orders (user_id, id);

CREATE TABLE order_lines (
    order_id         TEXT NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    -- From 0, as the client sent them.
    position         BIGINT NOT NULL,
    sku              TEXT NOT NULL,
    quantity         BIGINT NOT NULL,
    unit_price_cents BIGINT NOT NULL,
    PRIMARY KEY (order_id, position)
);
