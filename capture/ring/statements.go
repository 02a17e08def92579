package ring

import (
	"context"
	"database/sql"
)

// writes are the statements of an append, prepared on the one writing
// connection.
type writes struct {
	part, newSegment, segment, newRun, run *sql.Stmt
}

func (w *writes) prepare(ctx context.Context, db *sql.DB) error {
	return prepare(ctx, db, map[**sql.Stmt]string{
		&w.part: `INSERT INTO part (camera, segment, number, start, finish, continues, offset, size, format, samples)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		&w.newSegment: `INSERT INTO segment (camera, day_key, uid, path, start, finish, size, live, parts, kept)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, 1)`,
		&w.segment: `UPDATE segment SET finish = ?, size = ?, live = live + ?, parts = parts + 1, kept = kept + 1 WHERE id = ?`,
		&w.newRun:  `INSERT INTO run (camera, start, finish) VALUES (?, ?, ?)`,
		&w.run:     `UPDATE run SET finish = ? WHERE camera = ? AND start = ?`,
	})
}

type reads struct {
	parts, before, keyBefore, after, latest, runs, key, format, exists *sql.Stmt
}

const partColumns = `p.id, p.start, p.finish, p.continues, p.number, p.offset, p.size, p.format, p.samples, s.path, s.uid, s.day_key
	FROM part p JOIN segment s ON s.id = p.segment`

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
			AND start >= coalesce((SELECT max(start) FROM run WHERE camera = ?1 AND start <= ?2), ?2)
			AND finish > ?2 ORDER BY start`,
		&q.key: `SELECT c.name, k.day, k.wrapped FROM day_key k JOIN camera c ON c.id = k.camera
			WHERE k.id = ?`,
		&q.format: `SELECT data FROM format WHERE id = ?`,
		&q.exists: `SELECT 1 FROM part WHERE id = ?`,
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
