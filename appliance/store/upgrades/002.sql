CREATE TABLE exports (
	id      TEXT    NOT NULL PRIMARY KEY,
	created INTEGER NOT NULL,
	body    BLOB    NOT NULL
) STRICT;
CREATE INDEX exports_created ON exports (created);
