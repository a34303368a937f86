-- Counts the changes of an order: what its entity tag is made of. Times do not do, as two changes may share one.
ALTER TABLE orders ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
