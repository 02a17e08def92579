-- Version 2: parts are clustered by camera and time and found in no other way,
-- so that one more is a change of one page; a format lives as long as the
-- segment it came with; a segment's figures are written once, when it is closed.

CREATE TABLE new_day_key (
  id      INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice
  camera  INTEGER NOT NULL REFERENCES camera(id),
  day     INTEGER NOT NULL,
  wrapped BLOB NOT NULL,
  UNIQUE (camera, day)
);
INSERT INTO new_day_key SELECT id, camera, day, wrapped FROM day_key;

CREATE TABLE new_segment (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  camera     INTEGER NOT NULL REFERENCES camera(id),
  day_key    INTEGER NOT NULL,
  uid        BLOB NOT NULL,
  path       TEXT NOT NULL,              -- below segments/
  start      INTEGER NOT NULL,           -- of the first part still there
  made       INTEGER NOT NULL,           -- when the file was made; ages parts from times to come
  closed     INTEGER NOT NULL DEFAULT 0, -- 1: no more is appended, and the next three are right
  finish     INTEGER NOT NULL DEFAULT 0, -- end of the last part
  size       INTEGER NOT NULL DEFAULT 0, -- end of the last part in the file, bytes
  parts      INTEGER NOT NULL DEFAULT 0, -- parts ever appended
  gone       INTEGER NOT NULL DEFAULT 0, -- bytes of the parts punched out
  gone_parts INTEGER NOT NULL DEFAULT 0,
  deleting   INTEGER NOT NULL DEFAULT 0  -- 1: the file goes, then the rows
);
INSERT INTO new_segment SELECT id, camera, day_key, uid, path, start, start, 1, finish, size, parts, size - live, parts - kept, deleting FROM segment;

CREATE TABLE new_format (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  segment INTEGER,      -- goes with it; NULL where version 1 wrote it
  data    BLOB NOT NULL -- as encodeFormat writes it
);
INSERT INTO new_format SELECT id, NULL, data FROM format;

CREATE TABLE new_part (
  camera    INTEGER NOT NULL,
  start     INTEGER NOT NULL,
  finish    INTEGER NOT NULL,
  segment   INTEGER NOT NULL,
  number    INTEGER NOT NULL, -- within the segment, from 0
  offset    INTEGER NOT NULL, -- of the record in the file
  size      INTEGER NOT NULL, -- of the record, bytes
  version   INTEGER NOT NULL, -- of the record
  continues INTEGER NOT NULL,
  format    INTEGER NOT NULL,
  samples   BLOB NOT NULL,    -- as encodeSamples writes it
  audio     BLOB,             -- as encodeAudio writes it; NULL where there is none
  PRIMARY KEY (camera, start)
) WITHOUT ROWID;
INSERT INTO new_part SELECT camera, start, finish, segment, number, offset, size, 1, continues, format, samples, NULL
  FROM part ORDER BY camera, start;

-- What is to be punched out of a file; its parts are no longer in the index.
CREATE TABLE punch (
  segment INTEGER NOT NULL,
  offset  INTEGER NOT NULL,
  size    INTEGER NOT NULL,
  PRIMARY KEY (segment, offset)
) WITHOUT ROWID;

DROP TABLE part;
DROP TABLE segment;
DROP TABLE format;
DROP TABLE day_key;
ALTER TABLE new_day_key RENAME TO day_key;
ALTER TABLE new_segment RENAME TO segment;
ALTER TABLE new_format RENAME TO format;
ALTER TABLE new_part RENAME TO part;

CREATE INDEX segment_start ON segment(start);
CREATE INDEX segment_camera ON segment(camera, start);
CREATE INDEX segment_key ON segment(day_key);
CREATE INDEX segment_open ON segment(closed, deleting) WHERE closed = 0 OR deleting = 1;
CREATE INDEX format_segment ON format(segment);
