package ring

import (
	"context"
	"database/sql"

	"veilbox/internal/sqlitedb"
)

// writes are the statements of an append, prepared on one writing connection.
type writes struct {
	part, format, newRun, run *sql.Stmt
}

func (w *writes) prepare(ctx context.Context, db *sql.DB) error {
	return prepare(ctx, db, map[**sql.Stmt]string{
		&w.part: `INSERT INTO part (camera, start, finish, segment, number, offset, size, version, continues, format, samples, audio)
			VALUES (?, ?, ?, ?, ?, ?, ?, 2, ?, ?, ?, ?)`,
		&w.format: `INSERT INTO format (segment, data) VALUES (?, ?) RETURNING id`,
		&w.newRun: `INSERT INTO run (camera, start, finish) VALUES (?, ?, ?)`,
		&w.run:    `UPDATE run SET finish = ? WHERE camera = ? AND start = ?`,
	})
}

type reads struct {
	parts, before, keyBefore, after, latest, runs, ends, key, format, exists *sql.Stmt
}

const partColumns = `p.start, p.finish, p.version, p.continues, p.segment, p.number, p.offset, p.size, p.format, p.samples, p.audio, s.path, s.uid, s.day_key
	FROM part p JOIN segment s ON s.id = p.segment AND s.deleting = 0`

func (q *reads) prepare(ctx context.Context, db *sql.DB) error {
	return prepare(ctx, db, map[**sql.Stmt]string{
		&q.parts: `SELECT ` + partColumns + ` WHERE p.camera = ? AND p.start >= ? AND p.start < ? ORDER BY p.start`,
		&q.before: `SELECT start, finish, continues FROM part
			WHERE camera = ? AND start <= ? ORDER BY start DESC LIMIT 1`,
		&q.keyBefore: `SELECT start FROM part
			WHERE camera = ? AND start <= ? AND continues = 0 ORDER BY start DESC LIMIT 1`,
		&q.after: `SELECT start, finish, continues FROM part
			WHERE camera = ? AND start > ? ORDER BY start LIMIT 1`,
		&q.latest: `SELECT ` + partColumns + ` WHERE p.camera = ? ORDER BY p.start DESC LIMIT 1`,
		&q.runs: `SELECT start, finish FROM run WHERE camera = ?1 AND start < ?3
			AND start >= coalesce((SELECT max(start) FROM run WHERE camera = ?1 AND start <= ?2), ?2) ORDER BY start`,
		&q.ends: `SELECT coalesce((SELECT start FROM run WHERE camera = ?1 ORDER BY start LIMIT 1), 0),
			coalesce((SELECT start FROM run WHERE camera = ?1 ORDER BY start DESC LIMIT 1), 0),
			coalesce((SELECT finish FROM run WHERE camera = ?1 ORDER BY start DESC LIMIT 1), 0)`,
		&q.key: `SELECT c.name, k.day, k.wrapped FROM day_key k JOIN camera c ON c.id = k.camera
			WHERE k.id = ?`,
		&q.format: `SELECT data FROM format WHERE id = ?`,
		&q.exists: `SELECT 1 FROM part p JOIN segment s ON s.id = p.segment AND s.deleting = 0
			WHERE p.camera = ? AND p.start = ? AND p.segment = ?`,
	})
}

func prepare(ctx context.Context, db *sql.DB, m map[**sql.Stmt]string) error {
	for dst, text := range m {
		s, err := db.PrepareContext(ctx, text)
		if err != nil {
			return err
		}
		*dst = s
	}
	return nil
}

// stmt returns the statements of the connection db.
func (r *Ring) stmt(db *sql.DB) *writes {
	if db == r.fast {
		return &r.fastW
	}
	return &r.w
}

// tx runs f in a transaction of wdb, which lasts when it is committed, or of
// fast, which lasts from the next of wdb on. One writes at a time: waiting here
// is fair, waiting for SQLite's lock is not.
func (r *Ring) tx(ctx context.Context, db *sql.DB, f func(*sql.Tx) error) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	err := sqlitedb.Tx(ctx, db, f)
	if r.hooks.committed != nil {
		r.hooks.committed(db == r.wdb, err)
	}
	return err
}
