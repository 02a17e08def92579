package ring

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"veilbox/capture/footage"
)

// recover brings files and index together after a crash: files that were being
// deleted go, files longer than their index says are cut, files without a row
// go, and what is missing is counted as damage.
func (r *Ring) recover(ctx context.Context) error {
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

	type segmentRow struct {
		size     int64
		deleting bool
	}
	known := map[string]segmentRow{}
	rows, err = r.wdb.QueryContext(ctx, "SELECT path, size, live, kept, deleting FROM segment")
	if err != nil {
		return failure("read the index", err)
	}
	unfinished := false
	for rows.Next() {
		var path string
		var s segmentRow
		var live, kept int64
		if err := rows.Scan(&path, &s.size, &live, &kept, &s.deleting); err != nil {
			return errors.Join(failure("read the index", err), rows.Close())
		}
		known[path] = s
		unfinished = unfinished || s.deleting
		r.used.Add(live)
		r.parts.Add(kept)
		r.segments.Add(1)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return failure("read the index", err)
	}
	for path, s := range known {
		if s.deleting {
			continue
		}
		if err := r.repair(path, s.size); err != nil {
			return err
		}
	}
	if err := r.removeOrphans(func(path string) bool { _, ok := known[path]; return ok }); err != nil {
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
	if n := r.torn.Load() + r.orphans.Load() + r.missing.Load(); n > 0 {
		r.opt.Log.Warn("the ring was repaired after an unclean end",
			"torn", r.torn.Load(), "orphans", r.orphans.Load(), "missing", r.missing.Load())
	}
	return nil
}

func (r *Ring) repair(path string, size int64) error {
	have, err := r.files.Size(r.path(path))
	if notThere(err) || err == nil && have < size {
		// Its parts say so when they are read; here it is only counted.
		r.missing.Add(1)
		return nil
	}
	if err != nil {
		return failure("look at the segment", err)
	}
	if have == size {
		return nil
	}
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

// removeOrphans removes segment files without a row. Their key is in the index,
// if anywhere, but not what they hold, so nobody can read them again.
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
		if !d.Type().IsRegular() || !strings.HasSuffix(name, ".seg") || known(name) {
			return nil
		}
		if _, err := footage.ParseCameraID(strings.Split(name, string(filepath.Separator))[0]); err != nil {
			return nil // not of the ring's making
		}
		if err := r.files.Remove(path); err != nil {
			return failure("remove a file without an index row", err)
		}
		r.orphans.Add(1)
		return nil
	})
}
