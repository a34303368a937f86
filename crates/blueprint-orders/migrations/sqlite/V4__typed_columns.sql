-- Until now each value was a text or a number, as the driver of that time could read them. Ids are 16 bytes now.
CREATE TABLE typed_orders (
    id          BLOB NOT NULL PRIMARY KEY,
    -- Whoever the core says is calling. No foreign key: this blueprint does not know where users live.
    user_id     BLOB NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('placed', 'paid', 'shipped', 'cancelled')),
    total_cents INTEGER NOT NULL,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL,
    -- Counts the changes of an order: what its entity tag is made of.
    version     INTEGER NOT NULL DEFAULT 1
) WITHOUT ROWID;

INSERT INTO typed_orders
SELECT unhex(replace(id, '-', '')), unhex(replace(user_id, '-', '')), status, total_cents, created_at, updated_at, version
FROM orders;

CREATE TABLE typed_order_lines (
    order_id         BLOB NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    -- From 0, as the client sent them.
    position         INTEGER NOT NULL,
    sku              TEXT NOT NULL,
    quantity         INTEGER NOT NULL,
    unit_price_cents INTEGER NOT NULL,
    PRIMARY KEY (order_id, position)
) WITHOUT ROWID;

INSERT INTO typed_order_lines
SELECT unhex(replace(order_id, '-', '')), position, sku, quantity, unit_price_cents FROM order_lines;

DROP TABLE order_lines;
DROP TABLE orders;
ALTER TABLE typed_orders RENAME TO orders;
ALTER TABLE typed_order_lines RENAME TO order_lines;
CREATE INDEX orders_user_id ON orders (user_id, id);
