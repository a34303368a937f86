-- Ids sort as bytes, whatever the language that PostgreSQL sorts by: as they were made. A new table declares its id so.
DROP INDEX orders_user_id;
CREATE INDEX orders_user_id ON orders (user_id, id COLLATE "binary");
