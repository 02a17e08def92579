package extranet

import "veilbox/internal/sqlitedb"

// Columns named sealed are keys.Key.Seal of JSON. Times are Unix milliseconds.
var migrations = []sqlitedb.Migration{`
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;

CREATE TABLE member (
	id TEXT PRIMARY KEY, name TEXT NOT NULL, town TEXT NOT NULL, region TEXT NOT NULL, country TEXT NOT NULL,
	trade TEXT NOT NULL, chain TEXT NOT NULL, active INTEGER NOT NULL, joined INTEGER NOT NULL, changed INTEGER NOT NULL
) STRICT;

-- S1: the running list, never changed
CREATE TABLE member_log (
	id INTEGER PRIMARY KEY, at INTEGER NOT NULL, member TEXT NOT NULL, what TEXT NOT NULL, operator TEXT NOT NULL
) STRICT;

CREATE TABLE code (
	hash TEXT PRIMARY KEY, member TEXT NOT NULL REFERENCES member (id), created INTEGER NOT NULL,
	expires INTEGER NOT NULL, used INTEGER, box TEXT, operator TEXT NOT NULL
) STRICT;

CREATE TABLE box (
	id TEXT PRIMARY KEY, member TEXT NOT NULL REFERENCES member (id), name TEXT NOT NULL, hpke BLOB NOT NULL,
	signing BLOB NOT NULL, audit TEXT NOT NULL, enrolled INTEGER NOT NULL, revoked INTEGER,
	beat INTEGER, program TEXT NOT NULL DEFAULT '', health TEXT NOT NULL DEFAULT '',
	head TEXT NOT NULL DEFAULT '', head_size INTEGER NOT NULL DEFAULT 0, head_at INTEGER, alarm INTEGER
) STRICT;
CREATE INDEX box_member ON box (member);

CREATE TABLE certificate (
	serial TEXT PRIMARY KEY, box TEXT NOT NULL REFERENCES box (id), not_after INTEGER NOT NULL
) STRICT;

CREATE TABLE assessor (
	key_id TEXT NOT NULL, member TEXT NOT NULL REFERENCES member (id), person TEXT NOT NULL, key BLOB NOT NULL,
	sealed BLOB NOT NULL, -- name and qualification
	state TEXT NOT NULL, registered INTEGER NOT NULL, decided INTEGER, operator TEXT,
	PRIMARY KEY (member, key_id)
) STRICT;

CREATE TABLE disclosure (
	id TEXT PRIMARY KEY, member TEXT NOT NULL REFERENCES member (id), box TEXT NOT NULL, state TEXT NOT NULL,
	manifest BLOB NOT NULL, -- sealed SignedManifest
	alert BLOB,             -- ciphertext of the sender's; gone once ended
	hash TEXT NOT NULL, size INTEGER NOT NULL,
	received INTEGER NOT NULL, available INTEGER, ends INTEGER NOT NULL, report_due INTEGER NOT NULL, reported INTEGER,
	report_hash TEXT NOT NULL DEFAULT '',
	ended INTEGER, end_code TEXT NOT NULL DEFAULT '', ending BLOB, -- sealed
	purge INTEGER NOT NULL DEFAULT 0 -- what is to be done after its ending: 1 remove the files, 2 write the audit log
) STRICT;
CREATE INDEX disclosure_state ON disclosure (state, ends);
CREATE INDEX disclosure_member ON disclosure (member);

CREATE TABLE circle (
	disclosure TEXT NOT NULL REFERENCES disclosure (id), member TEXT NOT NULL REFERENCES member (id),
	dropped INTEGER, ending BLOB,
	PRIMARY KEY (disclosure, member)
) STRICT;
CREATE INDEX circle_member ON circle (member);

CREATE TABLE wrapped (
	disclosure TEXT NOT NULL REFERENCES disclosure (id), member TEXT NOT NULL, box TEXT NOT NULL,
	alert BLOB NOT NULL, content BLOB NOT NULL,
	PRIMARY KEY (disclosure, box)
) STRICT;

-- S6: the access log
CREATE TABLE viewing (
	id INTEGER PRIMARY KEY, disclosure TEXT NOT NULL, member TEXT NOT NULL, box TEXT NOT NULL, at INTEGER NOT NULL,
	sealed BLOB NOT NULL, -- person, name, function, purpose
	token TEXT, expires INTEGER NOT NULL
) STRICT;
CREATE INDEX viewing_disclosure ON viewing (disclosure);
CREATE UNIQUE INDEX viewing_token ON viewing (token);

CREATE TABLE operator (
	name TEXT PRIMARY KEY, salt BLOB NOT NULL, hash BLOB NOT NULL, created INTEGER NOT NULL, changed INTEGER NOT NULL
) STRICT;

CREATE TABLE session (
	token TEXT PRIMARY KEY, operator TEXT NOT NULL REFERENCES operator (name), created INTEGER NOT NULL, used INTEGER NOT NULL
) STRICT;

CREATE TABLE pentest (
	id INTEGER PRIMARY KEY, held TEXT NOT NULL, tester TEXT NOT NULL, findings TEXT NOT NULL, recorded INTEGER NOT NULL, operator TEXT NOT NULL
) STRICT;
`, `
-- Assessors sign with passkeys. key is the COSE_Key where credential is not empty,
-- else the Ed25519 key of manifests before version 3, which still verifies them.
ALTER TABLE assessor ADD COLUMN credential BLOB NOT NULL DEFAULT x'';
ALTER TABLE assessor ADD COLUMN rpid TEXT NOT NULL DEFAULT '';
ALTER TABLE assessor ADD COLUMN file INTEGER NOT NULL DEFAULT 0; -- the key is a file
ALTER TABLE assessor ADD COLUMN next BLOB; -- sealed: name and qualification that wait for the operator

-- When a member whose access has ended recorded that it deleted what it had, and
-- who (sealed).
ALTER TABLE circle ADD COLUMN deleted INTEGER;
ALTER TABLE circle ADD COLUMN deleted_by BLOB;

ALTER TABLE box ADD COLUMN people INTEGER NOT NULL DEFAULT 0;
`, `
-- S8: how many of these have accepted which version of the conditions
ALTER TABLE box ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE box ADD COLUMN conditions TEXT NOT NULL DEFAULT '';
`, `
-- Operators log in with passkeys, or a password (none: an empty hash) and codes.
-- An account is never removed; ended says since when it opens nothing.
ALTER TABLE operator ADD COLUMN made INTEGER NOT NULL DEFAULT 0; -- the password is generated
ALTER TABLE operator ADD COLUMN sealed BLOB; -- the person's name, the authenticator app
ALTER TABLE operator ADD COLUMN ended INTEGER;
ALTER TABLE operator ADD COLUMN ended_by TEXT NOT NULL DEFAULT '';
UPDATE operator SET made = 1 WHERE created = changed;

CREATE TABLE operator_passkey (
	id BLOB PRIMARY KEY, operator TEXT NOT NULL REFERENCES operator (name), public BLOB NOT NULL, rpid TEXT NOT NULL,
	name TEXT NOT NULL, file INTEGER NOT NULL, synced INTEGER NOT NULL, counter INTEGER NOT NULL, made INTEGER NOT NULL, used INTEGER
) STRICT;
CREATE INDEX operator_passkey_operator ON operator_passkey (operator);

-- Where an operator has logged in; place is a hash. A stranger's failures do not
-- count there.
CREATE TABLE operator_place (
	operator TEXT NOT NULL REFERENCES operator (name), place TEXT NOT NULL, at INTEGER NOT NULL,
	PRIMARY KEY (operator, place)
) STRICT;

DELETE FROM session;
ALTER TABLE session ADD COLUMN how TEXT NOT NULL DEFAULT 'password';
ALTER TABLE session ADD COLUMN proved INTEGER NOT NULL DEFAULT 0;

-- S10: essential changes and the end of operation. Days are dates.
CREATE TABLE essential (
	id INTEGER PRIMARY KEY, kind TEXT NOT NULL, day TEXT NOT NULL, what TEXT NOT NULL, needed INTEGER NOT NULL,
	permitted TEXT NOT NULL DEFAULT '', permission TEXT NOT NULL DEFAULT '', -- when, and the agency's number
	reported TEXT NOT NULL DEFAULT '', report TEXT NOT NULL DEFAULT '',
	recorded INTEGER NOT NULL, operator TEXT NOT NULL
) STRICT;
`}
