-- The box's own store as it stands after every upgrade. Bodies are sealed
-- (internal/keys) under the box's key, each for its own table and row; what is
-- in the clear is random names, states, versions and times in microseconds
-- since 1970 UTC. A log-in name is kept as a keyed hash.
CREATE TABLE cases (
	id      TEXT    NOT NULL PRIMARY KEY,
	version INTEGER NOT NULL CHECK (version > 0),
	state   TEXT    NOT NULL,
	created INTEGER NOT NULL,
	changed INTEGER NOT NULL,
	body    BLOB    NOT NULL
) STRICT;
CREATE INDEX cases_created ON cases (created);
CREATE TABLE redactions (
	case_id TEXT    NOT NULL PRIMARY KEY REFERENCES cases (id) ON DELETE CASCADE,
	changed INTEGER NOT NULL,
	body    BLOB    NOT NULL
) STRICT;
CREATE TABLE cameras (
	id    TEXT    NOT NULL PRIMARY KEY,
	added INTEGER NOT NULL,
	body  BLOB    NOT NULL
) STRICT;
CREATE TABLE settings (
	name    TEXT    NOT NULL PRIMARY KEY,
	changed INTEGER NOT NULL,
	body    BLOB    NOT NULL
) STRICT;
CREATE TABLE people (
	id      TEXT    NOT NULL PRIMARY KEY,
	login   BLOB    NOT NULL UNIQUE,
	version INTEGER NOT NULL CHECK (version > 0),
	body    BLOB    NOT NULL
) STRICT;
CREATE TABLE sessions (
	token   BLOB    NOT NULL PRIMARY KEY CHECK (length(token) = 32),
	person  TEXT    NOT NULL REFERENCES people (id) ON DELETE CASCADE,
	created INTEGER NOT NULL,
	used    INTEGER NOT NULL,
	body    BLOB    NOT NULL
) STRICT;
CREATE INDEX sessions_person ON sessions (person);
CREATE TABLE acceptances (
	person   TEXT    NOT NULL REFERENCES people (id),
	version  TEXT    NOT NULL,
	accepted INTEGER NOT NULL,
	body     BLOB    NOT NULL,
	PRIMARY KEY (person, version)
) STRICT;
CREATE TABLE exports (
	id      TEXT    NOT NULL PRIMARY KEY,
	created INTEGER NOT NULL,
	body    BLOB    NOT NULL
) STRICT;
CREATE INDEX exports_created ON exports (created);

-- How many attempts to log in are left, of accounts and of addresses, and which
-- places are known. The name is hashed: it says who, and from where.
CREATE TABLE attempts (
	name BLOB    NOT NULL PRIMARY KEY,
	at   INTEGER NOT NULL,
	body BLOB    NOT NULL
) STRICT;
CREATE INDEX attempts_at ON attempts (at);
