package ring

import (
	"context"
	"errors"

	"veilbox/capture/footage"
)

// Timeline returns what there is of cam within span, cut to it. Gaps of more
// than a second lie between the spans.
func (r *Ring) Timeline(ctx context.Context, cam footage.CameraID, span footage.Span) ([]footage.Span, error) {
	id, ok := r.cameraID(cam)
	if !ok || span.Empty() {
		return nil, nil
	}
	// First what memory knows, then the rows: a run that begins in between is
	// whole in its row.
	last := r.tailOf(cam)
	rows, err := r.q.runs.QueryContext(ctx, id, span.From, span.To)
	if err != nil {
		return nil, failure("read the index", err)
	}
	defer rows.Close()
	var out []footage.Span
	for rows.Next() {
		var s footage.Span
		if err := rows.Scan(&s.From, &s.To); err != nil {
			return nil, failure("read the index", err)
		}
		if s.From == last.run {
			s.To = max(s.To, last.end)
		}
		s.From, s.To = max(s.From, span.From), min(s.To, span.To)
		if !s.Empty() {
			out = append(out, s)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, failure("read the index", err)
	}
	return out, nil
}

// Cameras returns the names of all cameras that the ring ever had, sorted.
func (r *Ring) Cameras(ctx context.Context) ([]footage.CameraID, error) {
	rows, err := r.rdb.QueryContext(ctx, "SELECT name FROM camera ORDER BY name")
	if err != nil {
		return nil, failure("read the index", err)
	}
	defer rows.Close()
	var out []footage.CameraID
	for rows.Next() {
		var n footage.CameraID
		if err := rows.Scan(&n); err != nil {
			return nil, failure("read the index", err)
		}
		out = append(out, n)
	}
	if err := rows.Err(); err != nil {
		return nil, failure("read the index", err)
	}
	return out, nil
}

// LastEnd returns where cam's newest part ends, 0 where it has none. No part is
// taken that starts before that.
func (r *Ring) LastEnd(ctx context.Context, cam footage.CameraID) (footage.Ticks, error) {
	known := r.tailOf(cam).end // it outlives the part
	p, err := r.Latest(ctx, cam)
	if errors.Is(err, ErrNone) {
		return known, nil
	}
	return max(p.End, known), err
}

// tailOf returns what the index leaves out of cam's last run.
func (r *Ring) tailOf(cam footage.CameraID) tail {
	r.mu.Lock()
	c := r.cameras[cam]
	r.mu.Unlock()
	if c != nil {
		if t := c.tail.Load(); t != nil {
			return *t
		}
	}
	return tail{}
}
