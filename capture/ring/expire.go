package ring

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/sqlitedb"
)

// Expired is what an Expire deleted.
type Expired struct {
	Parts    int64
	Segments int64 // files removed
	Bytes    int64 // given back to the disk
	Keys     int64 // day keys destroyed
}

// oldSegment is a segment that parts are to be deleted from.
type oldSegment struct {
	id, key, live, cam int64
	name               footage.CameraID
	path               string
	deleting           bool
}

type victim struct {
	id           int64
	start, end   footage.Ticks
	offset, size int64
}

// Expire deletes what is older than the retention and what exceeds the quota,
// oldest first, except what is held. What could not be deleted is in the error
// and is tried again by the next Expire.
func (r *Ring) Expire(ctx context.Context) (Expired, error) {
	r.expire.Lock()
	defer r.expire.Unlock()
	now := r.opt.Clock.Now()
	cutoff := footage.TicksOf(now.Add(Ahead - r.opt.Retention))
	var e Expired
	err := r.sweep(ctx, &e, plan{cutoff: cutoff})
	err = errors.Join(err, r.sweep(ctx, &e, plan{limit: r.opt.Quota}))
	// A released hold is remembered as long as footage is, against its repeat.
	if _, x := r.wdb.ExecContext(ctx, "DELETE FROM hold WHERE released > 0 AND released < ?", footage.TicksOf(now.Add(-r.opt.Retention))); x != nil {
		err = errors.Join(err, failure("write the index", x))
	}
	if e.Keys > 0 {
		// The wrapped keys are also in the write-ahead log until it is emptied.
		if _, x := r.wdb.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); x != nil {
			err = errors.Join(err, failure("empty the log of the index", x))
		}
	}
	return e, err
}

// makeRoom deletes the oldest footage until need more bytes fit in the quota.
func (r *Ring) makeRoom(ctx context.Context, need int64) error {
	r.expire.Lock()
	defer r.expire.Unlock()
	var e Expired
	err := r.sweep(ctx, &e, plan{limit: r.opt.Quota - need})
	if r.used.Load()+need <= r.opt.Quota {
		return nil // a file that would not go is reported by Expire
	}
	return full.With(errors.Join(fmt.Errorf("ring: quota of %d bytes, %d in use and not to be deleted: %w", r.opt.Quota, r.used.Load(), ErrFull), err))
}

// Spare is what a full disk never costs: footage younger than that stays, and
// then recording stops until a person has made room.
const Spare = 24 * time.Hour

// giveUp deletes the oldest footage because the disk, not the quota, is full,
// and reports whether need bytes came free.
func (r *Ring) giveUp(ctx context.Context, need int64) bool {
	r.expire.Lock()
	defer r.expire.Unlock()
	limit := r.used.Load() - need
	var e Expired
	err := r.sweep(ctx, &e, plan{limit: limit, before: footage.TicksOf(r.opt.Clock.Now().Add(-Spare))})
	r.opt.Log.Warn("the disk is full before the quota is; the oldest footage is deleted: free space on the disk or set the quota lower",
		"parts", e.Parts, "bytes", e.Bytes, "error", err)
	return r.used.Load() <= limit
}

// plan is what a sweep deletes: where cutoff is set, the parts that start
// before it; else the oldest segments while the ring holds more than limit
// bytes, where before is set only those that end before that.
type plan struct {
	cutoff footage.Ticks
	limit  int64
	before footage.Ticks
}

func (r *Ring) sweep(ctx context.Context, e *Expired, pl plan) error {
	cutoff := pl.cutoff
	over := func() bool { return r.used.Load() > pl.limit }
	if cutoff == 0 && !over() {
		return nil
	}
	rows, err := r.rdb.QueryContext(ctx, `SELECT s.id, s.day_key, s.live, s.camera, c.name, s.path, s.deleting
		FROM segment s JOIN camera c ON c.id = s.camera WHERE (?1 = 0 OR s.start < ?1) AND (?2 = 0 OR s.finish < ?2) OR s.deleting = 1 ORDER BY s.start`, cutoff, pl.before)
	if err != nil {
		return failure("read the index", err)
	}
	var old []oldSegment
	for rows.Next() {
		var s oldSegment
		if err := rows.Scan(&s.id, &s.key, &s.live, &s.cam, &s.name, &s.path, &s.deleting); err != nil {
			return errors.Join(failure("read the index", err), rows.Close())
		}
		old = append(old, s)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return failure("read the index", err)
	}
	held := map[int64][]footage.Span{}
	var errs []error
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
		if err := r.sweepSegment(ctx, e, s, cutoff, held[s.cam]); err != nil && len(errs) < 100 {
			errs = append(errs, fmt.Errorf("delete from %s: %w", s.path, err))
		}
	}
	if cutoff != 0 {
		r.failedDeletes.Store(int64(len(errs)))
	}
	return errors.Join(errs...)
}

func (r *Ring) sweepSegment(ctx context.Context, e *Expired, s *oldSegment, cutoff footage.Ticks, held []footage.Span) error {
	c, err := r.camera(ctx, s.name)
	if err != nil {
		return err
	}
	// The camera waits meanwhile, for the segment may be the one it writes to.
	c.mu.Lock()
	defer c.mu.Unlock()
	all, victims, err := r.victims(ctx, s, cutoff, held)
	if err != nil || len(victims) == 0 && !s.deleting && all > 0 {
		return err
	}
	c.ready = false // its run, perhaps its end, change below
	if len(victims) == all || s.deleting {
		if c.seg != nil && c.seg.id == s.id {
			err := c.seg.f.Close()
			c.seg = nil
			if err != nil {
				return failure("close the segment", err)
			}
		}
		return r.removeSegment(ctx, e, c, s, int64(all), victims)
	}
	return r.punch(ctx, e, s, victims)
}

// victims returns the parts of s that are to go, and how many parts it has.
func (r *Ring) victims(ctx context.Context, s *oldSegment, cutoff footage.Ticks, held []footage.Span) (all int, out []victim, err error) {
	rows, err := r.wdb.QueryContext(ctx, "SELECT id, start, finish, offset, size FROM part WHERE segment = ? ORDER BY number", s.id)
	if err != nil {
		return 0, nil, failure("read the index", err)
	}
	defer rows.Close()
next:
	for rows.Next() {
		var v victim
		if err := rows.Scan(&v.id, &v.start, &v.end, &v.offset, &v.size); err != nil {
			return 0, nil, failure("read the index", err)
		}
		all++
		if cutoff != 0 && v.start >= cutoff && !s.deleting {
			continue
		}
		for _, h := range held {
			if h.Overlaps(footage.Span{From: v.start, To: v.end}) && !s.deleting {
				continue next
			}
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		return 0, nil, failure("read the index", err)
	}
	return all, out, nil
}

// removeSegment deletes a file and then its rows. The mark before tells Open
// that a missing file is no damage.
func (r *Ring) removeSegment(ctx context.Context, e *Expired, c *camera, s *oldSegment, parts int64, victims []victim) error {
	if !s.deleting {
		if _, err := r.wdb.ExecContext(ctx, "UPDATE segment SET deleting = 1 WHERE id = ?", s.id); err != nil {
			// On a full disk the file must go first, or no room ever comes free.
			if err := failure("write the index", err); !errors.Is(err, ErrFull) {
				return err
			}
		}
		s.deleting = true
	}
	if err := r.files.Remove(r.path(s.path)); err != nil {
		return failure("remove the file", err)
	}
	var keys int64
	err := sqlitedb.Tx(ctx, r.wdb, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM part WHERE segment = ?", s.id); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM segment WHERE id = ?", s.id); err != nil {
			return err
		}
		if err := trimRuns(ctx, tx, s.cam, victims); err != nil {
			return err
		}
		if c.seg != nil && c.seg.key == s.key {
			return nil // a segment without parts yet is about to use it
		}
		res, err := tx.ExecContext(ctx, "DELETE FROM day_key WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM segment WHERE day_key = ?1)", s.key)
		if err != nil {
			return err
		}
		keys, err = res.RowsAffected()
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
	e.Parts += parts
	e.Segments++
	e.Bytes += s.live
	e.Keys += keys
	r.used.Add(-s.live)
	r.parts.Add(-parts)
	r.segments.Add(-1)
	return nil
}

// punch deletes some parts of a file whose others must stay.
func (r *Ring) punch(ctx context.Context, e *Expired, s *oldSegment, victims []victim) error {
	f, err := r.files.Write(r.path(s.path))
	if err != nil && !notThere(err) {
		return failure("open the segment", err)
	}
	if err == nil {
		for i := 0; i < len(victims) && err == nil; {
			from, to := victims[i].offset, victims[i].offset
			for ; i < len(victims) && victims[i].offset == to; i++ {
				to += victims[i].size
			}
			err = f.Punch(from, to-from)
		}
		if err == nil {
			err = f.Sync()
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return failure("punch out parts", err)
		}
	}
	var bytes int64
	err = sqlitedb.Tx(ctx, r.wdb, func(tx *sql.Tx) error {
		del, err := tx.PrepareContext(ctx, "DELETE FROM part WHERE id = ?")
		if err != nil {
			return err
		}
		defer del.Close()
		for _, v := range victims {
			if _, err := del.ExecContext(ctx, v.id); err != nil {
				return err
			}
			bytes += v.size
		}
		if err := trimRuns(ctx, tx, s.cam, victims); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE segment SET live = live - ?1, kept = kept - ?2,
			start = (SELECT min(start) FROM part WHERE segment = ?3) WHERE id = ?3`, bytes, len(victims), s.id)
		return err
	})
	if err != nil {
		return failure("write the index", err)
	}
	e.Parts += int64(len(victims))
	e.Bytes += bytes
	r.used.Add(-bytes)
	r.parts.Add(-int64(len(victims)))
	return nil
}

// trimRuns takes the time of deleted parts out of the camera's runs.
func trimRuns(ctx context.Context, tx *sql.Tx, cam int64, victims []victim) error {
	for i := 0; i < len(victims); {
		hole := footage.Span{From: victims[i].start, To: victims[i].end}
		for i++; i < len(victims) && victims[i].start-hole.To <= Join && victims[i].offset == victims[i-1].offset+victims[i-1].size; i++ {
			hole.To = victims[i].end
		}
		if err := trimRun(ctx, tx, cam, hole); err != nil {
			return err
		}
	}
	return nil
}

func trimRun(ctx context.Context, tx *sql.Tx, cam int64, hole footage.Span) error {
	rows, err := tx.QueryContext(ctx, "DELETE FROM run WHERE camera = ? AND start < ? AND finish > ? RETURNING start, finish", cam, hole.To, hole.From)
	if err != nil {
		return err
	}
	var left []footage.Span
	for rows.Next() {
		var s footage.Span
		if err := rows.Scan(&s.From, &s.To); err != nil {
			return errors.Join(err, rows.Close())
		}
		if s.From < hole.From {
			// The part before ends at most Join earlier; its end is exact.
			left = append(left, footage.Span{From: s.From, To: hole.From})
		}
		if s.To > hole.To {
			left = append(left, footage.Span{From: hole.To, To: s.To})
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, s := range left {
		if _, err := tx.ExecContext(ctx, "INSERT INTO run (camera, start, finish) VALUES (?, ?, ?)", cam, s.From, s.To); err != nil {
			return err
		}
	}
	return nil
}
