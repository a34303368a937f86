-- Until now each value was a text or a number, as the driver of that time could read them.
ALTER TABLE order_lines DROP CONSTRAINT order_lines_order_id_fkey;
DROP INDEX orders_user_id;
ALTER TABLE orders
    ALTER COLUMN id TYPE uuid USING id::uuid,
    ALTER COLUMN user_id TYPE uuid USING user_id::uuid,
    ALTER COLUMN created_at TYPE timestamptz USING created_at::timestamptz,
    ALTER COLUMN updated_at TYPE timestamptz USING updated_at::timestamptz;
ALTER TABLE order_lines ALTER COLUMN order_id TYPE uuid USING order_id::uuid;
ALTER TABLE order_lines ADD FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE;
CREATE INDEX orders_user_id ON orders (user_id, id);
