-- Ids sort as bytes, whatever the language that PostgreSQL sorts by: as they were made. A new table declares its id so.
CREATE INDEX users_id_as_bytes ON users (id COLLATE "binary");
