package ring

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"veilbox/capture/footage"
)

// oldSegment is a segment that parts are to be deleted from.
type oldSegment struct {
	id, key, cam  int64
	name          footage.CameraID
	path          string
	start, finish footage.Ticks
	live, kept    int64 // bytes and parts still there
	closed        bool
	deleting      bool
	odd           bool // its parts say they are from times to come; it is aged by when it was made
}

func (s *oldSegment) span() footage.Span { return footage.Span{From: s.start, To: s.finish} }

type victim struct {
	start, end   footage.Ticks
	offset, size int64
}

func (r *Ring) sweep(ctx context.Context, e *Expired, pl plan) error {
	cutoff := pl.cutoff
	over := func() bool { return r.used.Load() > pl.limit }
	if cutoff == 0 && !over() {
		return nil
	}
	old, err := r.oldSegments(ctx, pl)
	if err != nil {
		return err
	}
	held := map[int64][]footage.Span{}
	var errs []error
	if cutoff != 0 {
		errs = r.punchLeft(ctx)
	}
	for i := range old {
		s := &old[i]
		if cutoff == 0 && !over() {
			break
		}
		if err := context.Cause(ctx); err != nil {
			errs = append(errs, fmt.Errorf("ring: %w", err))
			break
		}
		if _, ok := held[s.cam]; !ok {
			if held[s.cam], err = r.held(ctx, s.cam, s.name); err != nil {
				return errors.Join(append(errs, err)...)
			}
		}
		if err := r.sweepSegment(ctx, e, s, pl, held[s.cam]); err != nil && len(errs) < 100 {
			errs = append(errs, fmt.Errorf("delete from %s: %w", s.path, err))
		}
	}
	if cutoff != 0 {
		r.failedDeletes.Store(int64(len(errs)))
	}
	return errors.Join(errs...)
}

func (r *Ring) oldSegments(ctx context.Context, pl plan) ([]oldSegment, error) {
	const columns = `SELECT s.id, s.day_key, s.camera, c.name, s.path, s.start, s.finish, s.size - s.gone, s.parts - s.gone_parts, s.closed, s.deleting, s.start > s.made + ?3
		FROM segment s JOIN camera c ON c.id = s.camera `
	rows, err := r.rdb.QueryContext(ctx, columns+`WHERE s.deleting = 0 AND (?1 = 0 OR CASE WHEN s.start > s.made + ?3 THEN s.made ELSE s.start END < ?1) AND (?2 = 0 OR s.start < ?2 AND s.finish < ?2)
		UNION ALL `+columns+`WHERE s.deleting = 1 AND (s.closed = 0 OR s.deleting = 1) ORDER BY s.start`, pl.cutoff, pl.before, footage.TicksIn(MaxJump))
	if err != nil {
		return nil, failure("read the index", err)
	}
	var old []oldSegment
	for rows.Next() {
		var s oldSegment
		if err := rows.Scan(&s.id, &s.key, &s.cam, &s.name, &s.path, &s.start, &s.finish, &s.live, &s.kept, &s.closed, &s.deleting, &s.odd); err != nil {
			return nil, errors.Join(failure("read the index", err), rows.Close())
		}
		old = append(old, s)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, failure("read the index", err)
	}
	return old, nil
}

// sweepSegment deletes what is to go of s: the file, or parts out of it.
func (r *Ring) sweepSegment(ctx context.Context, e *Expired, s *oldSegment, pl plan, held []footage.Span) error {
	cutoff := pl.cutoff
	c, err := r.camera(ctx, s.name)
	if err != nil {
		return err
	}
	if !s.closed {
		if err := r.closeOld(ctx, c, s); err != nil {
			return err
		}
		if pl.before != 0 && s.finish >= pl.before {
			return nil
		}
	}
	if !s.deleting {
		if s.odd {
			cutoff = 0
		}
		whole := cutoff == 0 || s.finish <= cutoff
		for _, h := range held {
			if h.From <= s.start && h.To >= s.finish {
				return nil
			}
			whole = whole && !h.Overlaps(s.span())
		}
		if !whole {
			victims, err := r.victims(ctx, s, cutoff, held)
			if err != nil || len(victims) == 0 {
				return err
			}
			if int64(len(victims)) < s.kept {
				return r.punch(ctx, e, c, s, victims)
			}
		}
	}
	return r.removeSegment(ctx, e, c, s)
}

// closeOld closes a segment that the index has as open: the one that its camera
// writes to, or one that could not be closed.
func (r *Ring) closeOld(ctx context.Context, c *camera, s *oldSegment) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seg != nil && c.seg.id == s.id {
		if err := r.closeSegment(ctx, c); err != nil {
			return err
		}
	}
	x, err := extentOf(ctx, r.wdb, s.cam, s.id, s.start)
	if err != nil {
		return failure("read the index", err)
	}
	if err := r.tx(ctx, r.wdb, func(tx *sql.Tx) error { return r.closeRow(ctx, tx, s.id, x.finish, x.size, x.parts) }); err != nil {
		return failure("write the index", err)
	}
	s.closed, s.finish, s.live, s.kept = true, max(x.finish, s.start), s.live+x.size, s.kept+int64(x.parts)
	return nil
}

// victims returns the parts of s that are to go.
func (r *Ring) victims(ctx context.Context, s *oldSegment, cutoff footage.Ticks, held []footage.Span) ([]victim, error) {
	to := s.finish
	if cutoff != 0 {
		to = min(to, cutoff)
	}
	rows, err := r.rdb.QueryContext(ctx, "SELECT start, finish, offset, size FROM part WHERE camera = ? AND start >= ? AND start < ? AND segment = ? ORDER BY start",
		s.cam, s.start, to, s.id)
	if err != nil {
		return nil, failure("read the index", err)
	}
	defer rows.Close()
	var out []victim
next:
	for rows.Next() {
		var v victim
		if err := rows.Scan(&v.start, &v.end, &v.offset, &v.size); err != nil {
			return nil, failure("read the index", err)
		}
		for _, h := range held {
			if h.Overlaps(footage.Span{From: v.start, To: v.end}) {
				continue next
			}
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		return nil, failure("read the index", err)
	}
	return out, nil
}

// removeSegment deletes a file and then its rows. The mark before tells Open
// that a missing file is no damage.
func (r *Ring) removeSegment(ctx context.Context, e *Expired, c *camera, s *oldSegment) error {
	if !s.deleting {
		err := r.tx(ctx, r.wdb, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE segment SET deleting = 1 WHERE id = ?", s.id)
			return err
		})
		// On a full disk the file must go first, or no room ever comes free.
		if err := failureOf("write the index", err); err != nil && !errors.Is(err, ErrFull) {
			return err
		}
		s.deleting = true
	}
	if err := r.files.Remove(r.path(s.path)); err != nil {
		return failure("remove the file", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var keys int64
	err := r.trim(ctx, c, func(tx *sql.Tx) error {
		for _, q := range []string{"DELETE FROM format WHERE segment = ?", "DELETE FROM punch WHERE segment = ?", "DELETE FROM segment WHERE id = ?"} {
			if _, err := tx.ExecContext(ctx, q, s.id); err != nil {
				return err
			}
		}
		if s.kept > 0 {
			_, err := tx.ExecContext(ctx, "DELETE FROM part WHERE camera = ? AND start >= ? AND start < ? AND segment = ?", s.cam, s.start, s.finish, s.id)
			if err != nil {
				return err
			}
			if err := trimRun(ctx, tx, s.cam, s.span()); err != nil {
				return err
			}
		}
		var err error
		keys, err = r.destroyKey(ctx, tx, s.key)
		return err
	})
	if err != nil {
		return failure("write the index", err)
	}
	if keys > 0 {
		r.mu.Lock()
		delete(r.aeads, s.key)
		r.mu.Unlock()
	}
	e.Parts += s.kept
	e.Segments++
	e.Bytes += s.live
	e.Keys += keys
	r.used.Add(-s.live)
	r.parts.Add(-s.kept)
	r.segments.Add(-1)
	return nil
}

// trim runs f in a transaction in which the camera's last run is as long as it
// is, and has the camera look again at what is left then. c.mu is held.
func (r *Ring) trim(ctx context.Context, c *camera, f func(*sql.Tx) error) error {
	err := r.tx(ctx, r.wdb, func(tx *sql.Tx) error {
		if t := c.tail.Load(); t != nil && t.run != 0 {
			if _, err := tx.ExecContext(ctx, "UPDATE run SET finish = ? WHERE camera = ? AND start = ?", t.end, c.id, t.run); err != nil {
				return err
			}
		}
		return f(tx)
	})
	c.ready = false
	if err == nil {
		c.tail.Store(&tail{end: c.have.end})
	}
	return err
}

// punch deletes some parts of a file whose others must stay: first from the
// index, with a note of what is to be punched out, then from the file.
func (r *Ring) punch(ctx context.Context, e *Expired, c *camera, s *oldSegment, victims []victim) error {
	var bytes int64
	for _, v := range victims {
		bytes += v.size
	}
	if err := r.unlist(ctx, c, s, victims, bytes); err != nil {
		return failure("write the index", err)
	}
	e.Parts += int64(len(victims))
	e.Bytes += bytes
	r.used.Add(-bytes)
	r.parts.Add(-int64(len(victims)))
	return r.punchOut(ctx, s.id, s.path)
}

// unlist takes victims out of the index.
func (r *Ring) unlist(ctx context.Context, c *camera, s *oldSegment, victims []victim, bytes int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return r.trim(ctx, c, func(tx *sql.Tx) error {
		del, err := tx.PrepareContext(ctx, "DELETE FROM part WHERE camera = ? AND start = ?")
		if err != nil {
			return err
		}
		defer del.Close()
		for _, v := range victims {
			if _, err := del.ExecContext(ctx, s.cam, v.start); err != nil {
				return err
			}
		}
		for i := 0; i < len(victims); {
			hole := footage.Span{From: victims[i].start, To: victims[i].end}
			from, to := victims[i].offset, victims[i].offset+victims[i].size
			for i++; i < len(victims) && victims[i].offset == to; i++ {
				hole.To, to = victims[i].end, to+victims[i].size
			}
			if err := trimRun(ctx, tx, s.cam, hole); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO punch (segment, offset, size) VALUES (?, ?, ?)", s.id, from, to-from); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE segment SET gone = gone + ?1, gone_parts = gone_parts + ?2,
			start = coalesce((SELECT min(start) FROM part WHERE camera = ?4 AND start >= ?5 AND start < ?6 AND segment = ?3), start) WHERE id = ?3`,
			bytes, len(victims), s.id, s.cam, s.start, s.finish)
		return err
	})
}

// punchOut gives what is noted of the file at path back to the disk.
func (r *Ring) punchOut(ctx context.Context, segment int64, path string) error {
	rows, err := r.wdb.QueryContext(ctx, "SELECT offset, size FROM punch WHERE segment = ? ORDER BY offset", segment)
	if err != nil {
		return failure("read the index", err)
	}
	var holes [][2]int64
	for rows.Next() {
		var h [2]int64
		if err := rows.Scan(&h[0], &h[1]); err != nil {
			return errors.Join(failure("read the index", err), rows.Close())
		}
		holes = append(holes, h)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return failure("read the index", err)
	}
	f, err := r.files.Write(r.path(path))
	if err != nil && !notThere(err) {
		return failure("open the segment", err)
	}
	if err == nil {
		for _, h := range holes {
			err = errors.Join(err, f.Punch(h[0], h[1]))
		}
		if err == nil {
			err = f.Sync()
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return failure("punch out parts", err)
		}
	}
	// Where a power cut takes this back it is done once more.
	err = r.tx(ctx, r.fast, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM punch WHERE segment = ?", segment)
		return err
	})
	return failureOf("write the index", err)
}

// punchLeft does what was noted and failed.
func (r *Ring) punchLeft(ctx context.Context) (errs []error) {
	rows, err := r.wdb.QueryContext(ctx, "SELECT DISTINCT s.id, s.path FROM punch p JOIN segment s ON s.id = p.segment")
	if err != nil {
		return []error{failure("read the index", err)}
	}
	left := map[int64]string{}
	for rows.Next() {
		var id int64
		var path string
		if err := rows.Scan(&id, &path); err != nil {
			return []error{failure("read the index", err), rows.Close()}
		}
		left[id] = path
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return []error{failure("read the index", err)}
	}
	for id, path := range left {
		if err := r.punchOut(ctx, id, path); err != nil {
			errs = append(errs, fmt.Errorf("delete from %s: %w", path, err))
		}
	}
	return errs
}
