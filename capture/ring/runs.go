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

// trimRun takes a hole out of the camera's runs. The part before the hole may
// end up to Join earlier; its run then shows that much too long.
func trimRun(ctx context.Context, tx *sql.Tx, cam int64, hole footage.Span) error {
	cut, err := takeRuns(ctx, tx, cam, hole)
	if err != nil {
		return err
	}
	for _, s := range cut {
		if s.From < hole.From {
			if err := putRun(ctx, tx, cam, footage.Span{From: s.From, To: hole.From}); err != nil {
				return err
			}
		}
		if s.To > hole.To {
			if err := putRun(ctx, tx, cam, footage.Span{From: hole.To, To: s.To}); err != nil {
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
