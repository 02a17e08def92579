package ring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"veilbox/capture/footage"
	"veilbox/internal/keys"
)

// A Kind is what is wrong with a part, a file or a key.
type Kind string

const (
	KindRecord  Kind = "record"     // the bytes are not those that were written there
	KindIndex   Kind = "index"      // the index says of a part what was not written with it
	KindMissing Kind = "missing"    // the segment file is not there
	KindShort   Kind = "short"      // the segment file ends too early
	KindDisk    Kind = "unreadable" // the disk cannot read it
	KindKey     Kind = "key"        // the day's key does not open
	KindHeader  Kind = "header"     // the file does not begin as the segment it is to be
	KindStray   Kind = "stray"      // a segment file that the index does not know
)

// Damage is one part that did not read.
type Damage struct {
	Camera footage.CameraID
	Span   footage.Span
	Kind   Kind
	File   string // below segments/
	Err    error
}

// Fault is what is wrong with a segment file or a day's key. What it costs is
// among the damaged parts.
type Fault struct {
	Kind   Kind
	Camera footage.CameraID
	Span   footage.Span // of the file or day; empty for a stray file
	File   string       // below segments/; empty for a key
	Err    error
}

// Report is what Check found.
type Report struct {
	Parts   int64 // read
	Bytes   int64 // of data, read
	Damaged []Damage
	// More is how many damaged parts there are beyond those in Damaged.
	More     int64
	Segments int64
	Keys     int64
	Faults   []Fault // at most as many as Damaged
	// What Open repaired before the check.
	Recovered, Torn, Orphans int64
}

// maxDamage bounds Report.Damaged and Report.Faults.
const maxDamage = 1000

func (rep *Report) fault(f Fault) {
	if len(rep.Faults) < maxDamage {
		rep.Faults = append(rep.Faults, f)
	}
}

// Check opens every key, looks at every file and reads every part. It fails only
// where the index does; what is damaged is in the report.
func (r *Ring) Check(ctx context.Context) (Report, error) {
	rep := Report{Recovered: r.recovered.Load(), Torn: r.torn.Load(), Orphans: r.orphans.Load()}
	if err := r.checkKeys(ctx, &rep); err != nil {
		return rep, err
	}
	if err := r.checkFiles(ctx, &rep); err != nil {
		return rep, err
	}
	cams, err := r.Cameras(ctx)
	if err != nil {
		return rep, err
	}
	for _, cam := range cams {
		if err := r.checkCamera(ctx, cam, &rep); err != nil {
			return rep, err
		}
	}
	return rep, nil
}

func (r *Ring) checkKeys(ctx context.Context, rep *Report) error {
	rows, err := r.rdb.QueryContext(ctx, "SELECT c.name, k.day, k.wrapped FROM day_key k JOIN camera c ON c.id = k.camera ORDER BY k.day, c.name")
	if err != nil {
		return failure("read the index", err)
	}
	defer rows.Close()
	for rows.Next() {
		var cam footage.CameraID
		var day int64
		var wrapped []byte
		if err := rows.Scan(&cam, &day, &wrapped); err != nil {
			return failure("read the index", err)
		}
		rep.Keys++
		if _, err := r.master.Open(keyContext(cam, day), wrapped); err != nil {
			from := footage.Ticks(day) * 24 * hour
			rep.fault(Fault{Kind: KindKey, Camera: cam, Span: footage.Span{From: from, To: from + 24*hour},
				Err: fmt.Errorf("ring: the key of camera %s, %s: %w: restore ring.db from the backup", cam, from.Time().Format("2006-01-02"), err)})
		}
	}
	return failureOf("read the index", rows.Err())
}

// checkFiles holds the files against their rows. The files are listed first: a
// row is there before its file.
func (r *Ring) checkFiles(ctx context.Context, rep *Report) error {
	root := r.path("")
	var names []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil && !notThere(err) {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err == nil && d != nil && d.Type().IsRegular() && ours(name) {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return failure("look through the segments", err)
	}
	rows, err := r.rdb.QueryContext(ctx, `SELECT c.name, s.uid, s.path, s.start, s.finish, s.size FROM segment s JOIN camera c ON c.id = s.camera
		WHERE s.deleting = 0 ORDER BY s.start`)
	if err != nil {
		return failure("read the index", err)
	}
	var all []found
	known := map[string]bool{}
	for rows.Next() {
		var s found
		if err := rows.Scan(&s.camera, &s.uid, &s.path, &s.start, &s.x.finish, &s.x.size); err != nil {
			return errors.Join(failure("read the index", err), rows.Close())
		}
		known[s.path] = true
		all = append(all, s)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return failure("read the index", err)
	}
	for i := range all {
		if err := context.Cause(ctx); err != nil {
			return fmt.Errorf("ring: %w", err)
		}
		rep.Segments++
		if kind, err := r.checkFile(&all[i]); err != nil && r.listed(ctx, all[i].path) {
			s := &all[i]
			rep.fault(Fault{Kind: kind, Camera: s.camera, Span: footage.Span{From: s.start, To: s.x.finish}, File: s.path, Err: err})
		}
	}
	for _, name := range names {
		if known[name] {
			continue
		}
		// It may have been deleted with its row meanwhile.
		if _, err := r.files.Size(r.path(name)); err == nil && !r.listed(ctx, name) {
			cam, _, _ := strings.Cut(name, string(filepath.Separator))
			rep.fault(Fault{Kind: KindStray, Camera: footage.CameraID(cam), File: name,
				Err: fmt.Errorf("ring: %s is not in the index; it is removed when the ring is opened next", name)})
		}
	}
	return nil
}

func (r *Ring) listed(ctx context.Context, path string) bool {
	var one int
	return r.rdb.QueryRowContext(ctx, "SELECT 1 FROM segment WHERE path = ? AND deleting = 0", path).Scan(&one) == nil
}

func (r *Ring) checkFile(s *found) (Kind, error) {
	size, err := r.files.Size(r.path(s.path))
	switch {
	case notThere(err) && s.x.size == 0:
		return "", nil // its row is there, its file is about to be
	case notThere(err):
		return KindMissing, fmt.Errorf("ring: %s is not there", s.path)
	case err != nil:
		return KindDisk, fmt.Errorf("ring: %s: %w", s.path, err)
	case size < s.x.size:
		return KindShort, fmt.Errorf("ring: %s has %d bytes, want %d", s.path, size, s.x.size)
	case size == 0:
		return "", nil // just made
	}
	f, err := r.files.Read(r.path(s.path))
	if err != nil {
		return KindDisk, fmt.Errorf("ring: %s: %w", s.path, err)
	}
	var h [fileHeader]byte
	_, err = f.ReadAt(h[:], 0)
	if err := errors.Join(err, f.Close()); err != nil {
		return KindDisk, fmt.Errorf("ring: %s: %w", s.path, err)
	}
	if [8]byte(h[:]) != fileMagic || string(h[8:]) != string(s.uid) {
		return KindHeader, fmt.Errorf("ring: %s begins as another file", s.path)
	}
	return "", nil
}

// kindOf says what is wrong with a part that Read found damaged.
func kindOf(err error) Kind {
	switch {
	case errors.Is(err, keys.ErrOpen):
		return KindKey
	case errors.Is(err, fs.ErrNotExist):
		return KindMissing
	case errors.Is(err, io.EOF):
		return KindShort
	case errors.Is(err, ErrStorage):
		return KindDisk
	case errors.Is(err, errRecord):
		return KindRecord
	}
	return KindIndex
}

func (r *Ring) checkCamera(ctx context.Context, cam footage.CameraID, rep *Report) error {
	id, _ := r.cameraID(cam)
	from := footage.Ticks(0)
	for {
		// A window at a time, so that no reader holds the index for long.
		var batch []PartInfo
		rows, err := r.rdb.QueryContext(ctx, "SELECT "+partColumns+" WHERE p.camera = ? AND p.start > ? ORDER BY p.start LIMIT 256", id, from)
		if err != nil {
			return failure("read the index", err)
		}
		for rows.Next() {
			p, err := scan(cam, id, rows)
			if err != nil {
				return errors.Join(err, rows.Close())
			}
			batch = append(batch, p)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return failure("read the index", err)
		}
		if len(batch) == 0 {
			return nil
		}
		for _, p := range batch {
			from = p.Start
			err := r.complete(ctx, &p)
			if err == nil {
				_, err = r.Read(ctx, p)
			}
			switch {
			case err == nil:
				rep.Parts++
				rep.Bytes += p.Size
			case errors.Is(err, ErrGone):
			case errors.Is(err, ErrDamaged):
				rep.Parts++
				if len(rep.Damaged) < maxDamage {
					rep.Damaged = append(rep.Damaged, Damage{cam, p.Span(), kindOf(err), p.path, err})
				} else {
					rep.More++
				}
			default:
				return err
			}
		}
	}
}
