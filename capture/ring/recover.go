package ring

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"veilbox/capture/footage"
)

// found is a segment row as Open finds it.
type found struct {
	id, cam, key    int64
	camera          footage.CameraID
	uid             []byte
	path            string
	start           footage.Ticks
	closed          bool
	x               extent
	gone, goneParts int64
	deleting        bool
}

// recover brings files and index together after a crash: files that were being
// deleted go; whole parts behind the end that the index knows are put into it,
// anything else there is cut; files without a row go; and what is missing is
// counted as damage. It reads the rows of the segments and of those not closed
// the end, never the table of parts.
func (r *Ring) recover(ctx context.Context) error {
	if err := r.loadCameras(ctx); err != nil {
		return err
	}
	if err := r.endRuns(ctx); err != nil {
		return err
	}
	all, err := r.segmentRows(ctx)
	if err != nil {
		return err
	}
	known := make(map[string]bool, len(all))
	var unfinished bool
	if err := r.wdb.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM punch)").Scan(&unfinished); err != nil {
		return failure("read the index", err)
	}
	for i := range all {
		s := &all[i]
		known[s.path] = true
		if s.deleting {
			unfinished = true
		} else if known[s.path], err = r.repair(ctx, s); err != nil {
			return err
		}
		if !known[s.path] {
			continue
		}
		r.used.Add(s.x.size - s.gone)
		r.parts.Add(int64(s.x.parts) - s.goneParts)
		r.segments.Add(1)
	}
	if err := r.removeOrphans(func(path string) bool { return known[path] }); err != nil {
		return err
	}
	if unfinished {
		r.expire.Lock()
		defer r.expire.Unlock()
		// Nothing starts before tick 1, so only what was begun is finished.
		var e Expired
		if err := r.sweep(ctx, &e, plan{cutoff: 1}); err != nil {
			r.opt.Log.Warn("footage that was being deleted is still there; it is tried again", "error", err)
		}
	}
	if n := r.torn.Load() + r.orphans.Load() + r.missing.Load() + r.recovered.Load(); n > 0 {
		r.opt.Log.Warn("the ring was repaired after an unclean end",
			"recovered", r.recovered.Load(), "torn", r.torn.Load(), "orphans", r.orphans.Load(), "missing", r.missing.Load())
	}
	return nil
}

func (r *Ring) loadCameras(ctx context.Context) error {
	rows, err := r.wdb.QueryContext(ctx, "SELECT id, name FROM camera")
	if err != nil {
		return failure("read the index", err)
	}
	for rows.Next() {
		c := &camera{}
		if err := rows.Scan(&c.id, &c.name); err != nil {
			return errors.Join(failure("read the index", err), rows.Close())
		}
		r.cameras[c.name] = c
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return failure("read the index", err)
	}
	return nil
}

// endRuns writes the end of each camera's last run, which is left out while it
// grows.
func (r *Ring) endRuns(ctx context.Context) error {
	err := r.tx(ctx, r.wdb, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE run SET finish = x.finish FROM
			(SELECT c.id AS camera, (SELECT max(start) FROM run WHERE camera = c.id) AS start,
				(SELECT finish FROM part WHERE camera = c.id ORDER BY start DESC LIMIT 1) AS finish FROM camera c) AS x
			WHERE run.camera = x.camera AND run.start = x.start AND x.finish > run.finish`)
		return err
	})
	if err != nil {
		return failure("write the index", err)
	}
	return nil
}

func (r *Ring) segmentRows(ctx context.Context) ([]found, error) {
	rows, err := r.wdb.QueryContext(ctx, `SELECT s.id, s.camera, c.name, s.day_key, s.uid, s.path, s.start, s.closed,
		s.finish, s.size, s.parts, s.gone, s.gone_parts, s.deleting FROM segment s JOIN camera c ON c.id = s.camera ORDER BY s.start, s.id`)
	if err != nil {
		return nil, failure("read the index", err)
	}
	var all []found
	for rows.Next() {
		var s found
		if err := rows.Scan(&s.id, &s.cam, &s.camera, &s.key, &s.uid, &s.path, &s.start, &s.closed,
			&s.x.finish, &s.x.size, &s.x.parts, &s.gone, &s.goneParts, &s.deleting); err != nil {
			return nil, errors.Join(failure("read the index", err), rows.Close())
		}
		all = append(all, s)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, failure("read the index", err)
	}
	return all, nil
}

// repair brings one file and its row together and reports whether the segment is
// still there.
func (r *Ring) repair(ctx context.Context, s *found) (bool, error) {
	var err error
	if !s.closed {
		if s.x, err = extentOf(ctx, r.wdb, s.cam, s.id, s.start); err != nil {
			return false, failure("read the index", err)
		}
	}
	have, err := r.files.Size(r.path(s.path))
	switch {
	case notThere(err) && s.x.parts == 0:
		return false, r.dropRow(ctx, s.id)
	case notThere(err) || err == nil && have < s.x.size:
		// Its parts say so when they are read; here it is only counted.
		r.missing.Add(1)
		return true, r.settle(ctx, s)
	case err != nil:
		return false, failure("look at the segment", err)
	}
	if have > s.x.size {
		if !s.closed {
			known, err := r.takeTail(ctx, s, have)
			if err != nil || !known {
				return true, err
			}
		}
		if have > s.x.size {
			if err := r.cut(s.path, s.x.size); err != nil {
				return false, err
			}
		}
	}
	if s.x.parts > 0 {
		return true, r.settle(ctx, s)
	}
	if err := r.files.Remove(r.path(s.path)); err != nil {
		return false, failure("remove a segment without parts", err)
	}
	return false, r.dropRow(ctx, s.id)
}

func (r *Ring) cut(path string, size int64) error {
	f, err := r.files.Write(r.path(path))
	if err != nil {
		return failure("open the segment", err)
	}
	if err := errors.Join(f.Truncate(size), f.Sync(), f.Close()); err != nil {
		return failure("cut the segment back", err)
	}
	r.torn.Add(1)
	return nil
}

func (r *Ring) dropRow(ctx context.Context, id int64) error {
	err := r.tx(ctx, r.wdb, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM format WHERE segment = ?", id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM segment WHERE id = ?", id)
		return err
	})
	if err != nil {
		return failure("write the index", err)
	}
	return nil
}

// settle closes the row of a segment that nothing is appended to any more.
func (r *Ring) settle(ctx context.Context, s *found) error {
	if s.closed {
		return nil
	}
	err := r.tx(ctx, r.wdb, func(tx *sql.Tx) error { return r.closeRow(ctx, tx, s.id, s.x.finish, s.x.size, s.x.parts) })
	if err != nil {
		return failure("write the index", err)
	}
	s.closed = true
	return nil
}

// removeOrphans removes segment files without a row. The row is on the disk
// before the file, so nothing that was ever acknowledged is among them.
func (r *Ring) removeOrphans(known func(path string) bool) error {
	root := r.path("")
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return failure("look through the segments", err)
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return failure("look through the segments", err)
		}
		if !d.Type().IsRegular() || !ours(name) || known(name) {
			return nil
		}
		if err := r.files.Remove(path); err != nil {
			r.opt.Log.Warn("a file without an index row cannot be removed; it is tried again when the ring is opened next", "file", name, "error", err)
			r.failedDeletes.Add(1)
			return nil
		}
		r.orphans.Add(1)
		return nil
	})
}

// ours reports whether a file named so below segments/ is of the ring's making.
func ours(name string) bool {
	if !strings.HasSuffix(name, ".seg") {
		return false
	}
	_, err := footage.ParseCameraID(strings.Split(name, string(filepath.Separator))[0])
	return err == nil
}
