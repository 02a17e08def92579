package ring

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"

	"veilbox/capture/footage"
	"veilbox/internal/keys"
)

// segment is the file that a camera's parts go to.
type segment struct {
	id     int64
	key    int64
	aead   cipher.AEAD
	uid    [uidSize]byte
	name   string
	f      file
	start  footage.Ticks
	period footage.Ticks // the hour it began in
	form   formRow       // of its last part

	size  int64 // of what is in the index
	parts uint32

	wrote      int64 // of what is in the file
	wroteParts uint32
	dirty      bool // something of it is not synced
}

// formRow is a row of the table of formats.
type formRow struct {
	id  int64
	raw []byte
}

// over reports whether p goes to a new segment.
func (s *segment) over(p *footage.Part, record, limit int64) bool {
	over := s.period != p.Start/hour || s.wrote+record > limit
	// A GOP stays in one file, unless it would never end.
	return over && !p.Continues || s.wrote+record > limit+2*MaxPartSize
}

// begin closes c's segment and makes the one that the part starting at start
// goes to. Its row and its key are on the disk before the file is: a file with
// footage in it is never without them.
func (r *Ring) begin(ctx context.Context, c *camera, start footage.Ticks) error {
	s := &segment{start: start, period: start / hour}
	rand.Read(s.uid[:])
	t := start.Time()
	s.name = filepath.Join(string(c.name), t.Format("20060102"), t.Format("150405")+"-"+hex.EncodeToString(s.uid[:8])+".seg")
	day, made := int64(start/(24*hour)), footage.TicksOf(r.now())
	err := r.tx(ctx, r.wdb, func(tx *sql.Tx) error {
		if c.seg != nil {
			if err := r.closeRow(ctx, tx, c.seg.id, c.have.end, c.seg.size, c.seg.parts); err != nil {
				return err
			}
		}
		err := tx.QueryRowContext(ctx, "SELECT id FROM day_key WHERE camera = ? AND day = ?", c.id, day).Scan(&s.key)
		if errors.Is(err, sql.ErrNoRows) {
			k := keys.New()
			err = tx.QueryRowContext(ctx, "INSERT INTO day_key (camera, day, wrapped) VALUES (?, ?, ?) RETURNING id",
				c.id, day, r.master.Seal(keyContext(c.name, day), k.Bytes())).Scan(&s.key)
		}
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, "INSERT INTO segment (camera, day_key, uid, path, start, made) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
			c.id, s.key, s.uid[:], s.name, start, made).Scan(&s.id)
	})
	if err != nil {
		return failure("write the index", err)
	}
	r.segments.Add(1)
	old := c.seg
	c.seg = s
	if old != nil {
		if err := old.f.Close(); err != nil {
			return failure("close the segment", err)
		}
	}
	s.aead, err = r.aead(ctx, s.key)
	if errors.Is(err, keys.ErrOpen) {
		err = failure("the index is damaged", err)
	}
	if err != nil {
		return err
	}
	path := r.path(s.name)
	if err := r.files.MkdirAll(filepath.Dir(path)); err != nil {
		return failure("make the folder", err)
	}
	if s.f, err = r.files.Create(path); err != nil {
		s.f = nil
		return failure("make the segment", err)
	}
	return nil
}

func keyContext(name footage.CameraID, day int64) string {
	return fmt.Sprintf("ring day key %s %d", name, day)
}

func (r *Ring) closeRow(ctx context.Context, tx *sql.Tx, id int64, finish footage.Ticks, size int64, parts uint32) error {
	_, err := tx.ExecContext(ctx, "UPDATE segment SET closed = 1, finish = ?, size = ?, parts = ? WHERE id = ?", finish, size, parts, id)
	return err
}

// closeSegment ends c's segment; its parts are all in the index.
func (r *Ring) closeSegment(ctx context.Context, c *camera) error {
	s := c.seg
	if s == nil {
		return nil
	}
	c.seg = nil
	var errs []error
	if s.f != nil {
		errs = append(errs, s.f.Close())
	}
	if s.parts > 0 {
		errs = append(errs, r.tx(ctx, r.wdb, func(tx *sql.Tx) error {
			return r.closeRow(ctx, tx, s.id, c.have.end, s.size, s.parts)
		}))
	}
	if err := errors.Join(errs...); err != nil {
		return failure("close the segment", err)
	}
	return nil
}

// extent is what the index has of a segment that is not closed.
type extent struct {
	size   int64
	parts  uint32
	finish footage.Ticks
}

type querier interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// extentOf asks the last part of the segment, which began at start.
func extentOf(ctx context.Context, q querier, cam, id int64, start footage.Ticks) (x extent, err error) {
	err = q.QueryRowContext(ctx, `SELECT offset + size, number + 1, finish FROM part WHERE camera = ?1 AND start >= ?3 AND segment = ?2
		AND start < coalesce((SELECT min(start) FROM segment WHERE camera = ?1 AND start > ?3), ?4)
		ORDER BY start DESC LIMIT 1`, cam, id, start, int64(maxTicks)+1).Scan(&x.size, &x.parts, &x.finish)
	if errors.Is(err, sql.ErrNoRows) {
		return extent{}, nil
	}
	return x, err
}

// abandon leaves the segment after an error: what a failed write or sync left
// in the file is not known, so no more is appended to it. The error is nil
// unless more went wrong than the append itself.
func (r *Ring) abandon(ctx context.Context, c *camera) error {
	s := c.seg
	c.seg, c.ready, c.have.chain, c.retry = nil, false, false, 0
	if s == nil {
		return nil
	}
	closing := func() error {
		if s.f == nil {
			return nil
		}
		return s.f.Close()
	}
	// The commit may have happened although it failed to say so; the index, not
	// memory, tells what belongs to the file. Where it cannot be asked now, Open
	// looks at what lies behind the indexed end: a whole part is footage that was
	// taken for lost, and anything else is cut.
	x, err := extentOf(ctx, r.wdb, c.id, s.id, s.start)
	switch {
	case err != nil:
		return wrap("read the index", errors.Join(err, closing()))
	case x.size == 0:
		err = errors.Join(closing(), r.files.Remove(r.path(s.name)))
		if err == nil {
			err = r.tx(ctx, r.wdb, func(tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, "DELETE FROM segment WHERE id = ?", s.id)
				return err
			})
		}
		if err == nil {
			r.segments.Add(-1)
		}
		return wrap("remove the segment that could not be written", err)
	}
	err = errors.Join(s.f.Truncate(x.size), closing())
	if err == nil {
		err = r.tx(ctx, r.wdb, func(tx *sql.Tx) error { return r.closeRow(ctx, tx, s.id, x.finish, x.size, x.parts) })
	}
	return wrap("cut the segment back", err)
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("ring: %s: %w", what, err)
}
