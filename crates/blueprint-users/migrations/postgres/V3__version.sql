-- Counts the changes of a user: what its entity tag is made of. Times do not do, as two changes may share one.
ALTER TABLE users ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
