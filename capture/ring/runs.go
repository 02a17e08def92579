package ring

import (
	"context"
	"database/sql"
	"errors"

	"veilbox/capture/footage"
)

// joinRun puts span, which was found on the disk, among the camera's runs.
func joinRun(ctx context.Context, tx *sql.Tx, cam int64, span footage.Span) error {
	near, err := takeRuns(ctx, tx, cam, footage.Span{From: span.From - Join - 1, To: span.To + Join + 1})
	if err != nil {
		return err
	}
	for _, s := range near {
		span = footage.Span{From: min(span.From, s.From), To: max(span.To, s.To)}
	}
	return putRun(ctx, tx, cam, span)
}

// trimRun takes a hole, whose parts are deleted, out of the camera's runs. What
// is left of a run begins and ends where parts do.
func trimRun(ctx context.Context, tx *sql.Tx, cam int64, hole footage.Span) error {
	cut, err := takeRuns(ctx, tx, cam, hole)
	if err != nil {
		return err
	}
	for _, s := range cut {
		left, right := footage.Span{From: s.From}, footage.Span{To: s.To}
		err := tx.QueryRowContext(ctx, `SELECT
			coalesce((SELECT finish FROM part WHERE camera = ?1 AND start >= ?2 AND start < ?3 ORDER BY start DESC LIMIT 1), 0),
			coalesce((SELECT start FROM part WHERE camera = ?1 AND start >= ?4 AND start < ?5 ORDER BY start LIMIT 1), ?5)`,
			cam, s.From, hole.From, hole.To, s.To).Scan(&left.To, &right.From)
		if err != nil {
			return err
		}
		for _, x := range []footage.Span{left, right} {
			if x.Empty() {
				continue
			}
			if err := putRun(ctx, tx, cam, x); err != nil {
				return err
			}
		}
	}
	return nil
}

func putRun(ctx context.Context, tx *sql.Tx, cam int64, s footage.Span) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO run (camera, start, finish) VALUES (?, ?, ?)", cam, s.From, s.To)
	return err
}

// takeRuns removes the runs that overlap span and returns them. Runs do not
// overlap each other, so they are the last before it and those that start in it.
func takeRuns(ctx context.Context, tx *sql.Tx, cam int64, span footage.Span) ([]footage.Span, error) {
	rows, err := tx.QueryContext(ctx, `DELETE FROM run WHERE camera = ?1 AND start < ?3 AND finish > ?2
		AND start >= coalesce((SELECT max(start) FROM run WHERE camera = ?1 AND start <= ?2), ?2) RETURNING start, finish`, cam, span.From, span.To)
	if err != nil {
		return nil, err
	}
	var out []footage.Span
	for rows.Next() {
		var s footage.Span
		if err := rows.Scan(&s.From, &s.To); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		out = append(out, s)
	}
	return out, errors.Join(rows.Err(), rows.Close())
}
