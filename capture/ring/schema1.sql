-- Times are ticks (1/90000 s since 1970 UTC), days are UTC days since 1970.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE camera (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);

-- A stream format as encodeFormat writes it; parts share the row.
CREATE TABLE format (
  id   INTEGER PRIMARY KEY,
  data BLOB NOT NULL UNIQUE
);

-- The key of a camera's day, wrapped by the master key.
CREATE TABLE day_key (
  id      INTEGER PRIMARY KEY,
  camera  INTEGER NOT NULL REFERENCES camera(id),
  day     INTEGER NOT NULL,
  wrapped BLOB NOT NULL,
  UNIQUE (camera, day)
);

CREATE TABLE segment (
  id       INTEGER PRIMARY KEY,
  camera   INTEGER NOT NULL REFERENCES camera(id),
  day_key  INTEGER NOT NULL REFERENCES day_key(id),
  uid      BLOB NOT NULL,
  path     TEXT NOT NULL UNIQUE, -- below segments/
  start    INTEGER NOT NULL,     -- of the first part
  finish   INTEGER NOT NULL,     -- end of the last part
  size     INTEGER NOT NULL,     -- indexed end of the file, bytes
  live     INTEGER NOT NULL,     -- bytes of the parts still in the index
  parts    INTEGER NOT NULL,     -- parts ever appended, the next one's number
  kept     INTEGER NOT NULL,     -- parts still in the index
  deleting INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX segment_start ON segment(start);
CREATE INDEX segment_camera ON segment(camera, start);
CREATE INDEX segment_key ON segment(day_key);

CREATE TABLE part (
  id        INTEGER PRIMARY KEY,
  camera    INTEGER NOT NULL,
  segment   INTEGER NOT NULL REFERENCES segment(id),
  number    INTEGER NOT NULL, -- within the segment, from 0
  start     INTEGER NOT NULL,
  finish    INTEGER NOT NULL,
  continues INTEGER NOT NULL,
  offset    INTEGER NOT NULL, -- of the record in the file
  size      INTEGER NOT NULL, -- of the record, bytes
  format    INTEGER NOT NULL REFERENCES format(id),
  samples   BLOB NOT NULL     -- as encodeSamples writes it
);
CREATE UNIQUE INDEX part_time ON part(camera, start);
CREATE INDEX part_segment ON part(segment, number);

-- Parts joined where no more than a second lies between them.
CREATE TABLE run (
  camera INTEGER NOT NULL,
  start  INTEGER NOT NULL,
  finish INTEGER NOT NULL,
  PRIMARY KEY (camera, start)
) WITHOUT ROWID;

-- Why and by whom footage is kept beyond its time; words and names are sealed.
CREATE TABLE hold (
  id       TEXT PRIMARY KEY,
  camera   TEXT NOT NULL,
  start    INTEGER NOT NULL,
  finish   INTEGER NOT NULL,
  review   INTEGER NOT NULL,
  sealed   BLOB NOT NULL,
  released INTEGER NOT NULL DEFAULT 0 -- ticks; 0 while it holds
) WITHOUT ROWID;
CREATE INDEX hold_camera ON hold(camera, released, start);
