ALTER TABLE entries RENAME TO entries_1;
CREATE TABLE entries (
	seq  INTEGER NOT NULL PRIMARY KEY,
	at   INTEGER NOT NULL, -- microseconds since 1970 UTC, as in the sealed body
	body BLOB              -- sealed canonical JSON; NULL where it was pruned
) STRICT;
INSERT INTO entries (seq, at, body) SELECT seq, at, body FROM entries_1;
DROP TABLE entries_1;
CREATE INDEX entries_at ON entries (at);
