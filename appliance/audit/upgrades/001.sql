CREATE TABLE entries (
	seq  INTEGER NOT NULL PRIMARY KEY,
	at   INTEGER NOT NULL, -- microseconds since 1970 UTC, as in the sealed body
	body BLOB    NOT NULL  -- sealed canonical JSON
) STRICT;
CREATE INDEX entries_at ON entries (at);
CREATE TABLE hashes ( -- the tree, by stored hash index (tlog)
	idx  INTEGER NOT NULL PRIMARY KEY,
	hash BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE TABLE head (
	id   INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
	note BLOB    NOT NULL
) STRICT;
