CREATE TABLE attempts (
	name BLOB    NOT NULL PRIMARY KEY,
	at   INTEGER NOT NULL,
	body BLOB    NOT NULL
) STRICT;
CREATE INDEX attempts_at ON attempts (at);
