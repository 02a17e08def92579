package ring

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"veilbox/capture/footage"
)

var errCut = errors.New("the power is gone")

// power is a disk that knows what of each file is synced, fails at random, and at
// one moment leaves in a second folder what a power cut would have left: of what
// is not synced nothing, all, or pieces, and the index as it was synced last or
// anything since.
type power struct {
	disk
	t    *testing.T
	rnd  *rand.Rand
	dir  string
	to   string // where the power cut leaves the ring
	left int    // steps until then
	cut  bool
	sick int // one step in so many fails; 0 for none

	synced map[string]int64
	before map[string][]byte // what was there before a cut of the file that is not synced
	index  map[string][]byte // files of the index at its last sync
}

func newPower(t *testing.T, rnd *rand.Rand, dir, to string) *power {
	return &power{t: t, rnd: rnd, dir: dir, to: to, synced: map[string]int64{}, before: map[string][]byte{}}
}

func (p *power) step() error {
	if p.cut {
		return errCut
	}
	if p.left--; p.left <= 0 {
		p.leave()
		p.cut = true
		return errCut
	}
	if p.sick > 0 && p.rnd.IntN(p.sick) == 0 {
		return []error{syscall.EIO, syscall.ENOSPC, syscall.EROFS}[p.rnd.IntN(3)]
	}
	return nil
}

func (p *power) read(path string) []byte {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.t.Fatal(err)
	}
	return b
}

func (p *power) readIndex() map[string][]byte {
	return map[string][]byte{"ring.db": p.read(filepath.Join(p.dir, "ring.db")), "ring.db-wal": p.read(filepath.Join(p.dir, "ring.db-wal"))}
}

func (p *power) committed(last bool, err error) {
	if last && err == nil && !p.cut {
		p.index = p.readIndex()
	}
	_ = p.step() // a commit cannot be made to fail here; the next step does
}

// leave writes what the power cut leaves.
func (p *power) leave() {
	put := func(path string, b []byte) {
		path = filepath.Join(p.to, path)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			err = os.WriteFile(path, b, 0o600)
		}
		if err != nil {
			p.t.Fatal(err)
		}
	}
	now := p.readIndex()
	if p.index != nil {
		then, wal := p.index, p.index["ring.db-wal"]
		grown := bytes.Equal(then["ring.db"], now["ring.db"]) && bytes.HasPrefix(now["ring.db-wal"], wal)
		switch n := p.rnd.IntN(3); {
		case n == 0:
			now = then
		case n == 1 && grown:
			now["ring.db-wal"] = p.tear(now["ring.db-wal"], int64(len(wal)))
		}
	}
	for name, b := range now {
		put(name, b)
	}
	err := filepath.WalkDir(filepath.Join(p.dir, "segments"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(p.dir, path)
		if err != nil {
			return err
		}
		b := p.read(path)
		if old, ok := p.before[path]; ok && p.rnd.IntN(2) == 0 {
			b = old
		}
		if n, ok := p.synced[path]; ok {
			b = p.tear(b, n)
		}
		put(name, b)
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// tear keeps the first n bytes of b and something of the rest.
func (p *power) tear(b []byte, n int64) []byte {
	if n >= int64(len(b)) {
		return b
	}
	b = bytes.Clone(b)
	switch p.rnd.IntN(4) {
	case 0:
		return b[:n]
	case 1:
		return b[:n+p.rnd.Int64N(int64(len(b))-n)]
	case 2: // sectors that did not arrive
		for at := (n + 511) / 512 * 512; at < int64(len(b)); at += 512 {
			if p.rnd.IntN(3) == 0 {
				clear(b[at:min(at+512, int64(len(b)))])
			}
		}
	}
	return b
}

func (p *power) Create(path string) (file, error) {
	if err := p.step(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	p.synced[path] = 0
	return &powerFile{diskFile{f}, p, path}, err
}

func (p *power) Write(path string) (file, error) {
	if err := p.step(); err != nil {
		return nil, err
	}
	f, err := p.disk.Write(path)
	return &powerFile{f, p, path}, err
}

func (p *power) Remove(path string) error {
	if err := p.step(); err != nil {
		return err
	}
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	delete(p.before, path)
	return errors.Join(err, p.after())
}

// after is a moment of its own: a call is done and its caller does not know.
func (p *power) after() error {
	if p.sick > 0 {
		return nil
	}
	return p.step()
}

func (p *power) MkdirAll(path string) error {
	if err := p.step(); err != nil {
		return err
	}
	return os.MkdirAll(path, 0o700)
}

type powerFile struct {
	file
	p    *power
	path string
}

func (f *powerFile) WriteAt(b []byte, off int64) (int, error) {
	if err := f.p.step(); err != nil {
		if f.p.cut {
			return 0, err
		}
		n, _ := f.file.WriteAt(b[:f.p.rnd.IntN(len(b))], off) // the first error is the one to tell
		return n, err
	}
	n, err := f.file.WriteAt(b, off)
	return n, errors.Join(err, f.p.after())
}

func (f *powerFile) Sync() error {
	if err := f.p.step(); err != nil {
		return err
	}
	f.p.synced[f.path] = int64(len(f.p.read(f.path)))
	delete(f.p.before, f.path)
	return f.p.after()
}

func (f *powerFile) Truncate(n int64) error {
	if err := f.p.step(); err != nil {
		return err
	}
	f.p.before[f.path] = f.p.read(f.path)
	return f.file.Truncate(n)
}

func (f *powerFile) Punch(off, n int64) error {
	if err := f.p.step(); err != nil {
		return err
	}
	return f.file.Punch(off, n)
}

// shadow is what the ring must have, may have, and may not have any more.
type shadow struct {
	must, may map[footage.CameraID]map[footage.Ticks]*footage.Part
	next      footage.Ticks
}

func newShadow() *shadow {
	return &shadow{must: map[footage.CameraID]map[footage.Ticks]*footage.Part{}, may: map[footage.CameraID]map[footage.Ticks]*footage.Part{}, next: start()}
}

func put(m map[footage.CameraID]map[footage.Ticks]*footage.Part, p *footage.Part) {
	if m[p.Camera] == nil {
		m[p.Camera] = map[footage.Ticks]*footage.Part{}
	}
	m[p.Camera][p.Start] = p
}

var powerCams = []footage.CameraID{"a", "b", "c"}

// work does this and that until the power is gone.
func (s *shadow) work(ctx context.Context, r *Ring, p *power, now func(time.Duration)) {
	for !p.cut {
		switch n := p.rnd.IntN(20); {
		case n < 17:
			var parts []*footage.Part
			for range 1 + p.rnd.IntN(4) {
				cam := powerCams[p.rnd.IntN(3)]
				part := part(cam, s.next, 200+p.rnd.IntN(3000))
				if p.rnd.IntN(4) == 0 {
					part.Continues, part.Samples[0].Key = true, false
				}
				if p.rnd.IntN(3) == 0 {
					sound(part, footage.AAC)
				}
				put(s.may, part)
				parts = append(parts, part)
				s.next += second
				if p.rnd.IntN(10) == 0 {
					s.next += 2 * second
				}
			}
			if p.rnd.IntN(12) == 0 {
				s.next += hour / 3
			}
			stored, err := r.AppendAll(ctx, parts)
			if stored < len(parts) && err == nil || stored == len(parts) && err != nil {
				p.t.Fatalf("%d of %d, %v", stored, len(parts), err)
			}
			if err != nil && !p.cut && p.rnd.IntN(2) == 0 {
				// Offered again, as a recorder does.
				n, _ := r.AppendAll(ctx, parts[stored:]) // it may fail again
				stored += n
			}
			for _, part := range parts[:stored] {
				put(s.must, part)
			}
			now(time.Duration(len(parts)) * time.Second)
		case n < 19:
			now(20 * time.Minute)
		default:
			cutoff := footage.TicksOf(r.opt.Clock.Now().Add(Ahead - r.opt.Retention))
			for _, parts := range s.must {
				for at := range parts {
					if at < cutoff {
						delete(parts, at) // from here on it may be gone
					}
				}
			}
			if _, err := r.Expire(ctx); err == nil {
				for _, parts := range s.may {
					for at := range parts {
						if at < cutoff {
							delete(parts, at)
						}
					}
				}
			}
		}
	}
}

// look holds the ring to what it promises.
func (s *shadow) look(t *testing.T, r *Ring) (found int) {
	t.Helper()
	records, headers := int64(0), int64(0)
	for _, cam := range powerCams {
		seen := map[footage.Ticks]bool{}
		all, err := r.Parts(t.Context(), cam, always())
		if err != nil {
			t.Fatal(err)
		}
		for _, info := range all {
			seen[info.Start] = true
			got, err := r.Read(t.Context(), info)
			if err != nil {
				t.Fatal(err)
			}
			want := s.may[cam][info.Start]
			if want == nil {
				t.Fatalf("%s: a part at %v that should be gone or never was", cam, (info.Start - start()).Duration())
			}
			if !same(got, want) || !sameAudio(got.Audio, want.Audio) {
				t.Fatalf("%s: the part at %v is not what was appended", cam, (info.Start - start()).Duration())
			}
		}
		found += len(all)
		// A part that continues a deleted one is there although Parts leaves it out.
		rows, err := r.rdb.Query("SELECT p.start FROM part p JOIN camera c ON c.id = p.camera WHERE c.name = ?", cam)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var at footage.Ticks
			if err := rows.Scan(&at); err != nil {
				t.Fatal(err)
			}
			seen[at] = true
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		tl, err := r.Timeline(t.Context(), cam, always())
		if err != nil {
			t.Fatal(err)
		}
		for at := range seen {
			if !slices.ContainsFunc(tl, func(s footage.Span) bool { return s.From <= at && at+second <= s.To }) {
				t.Fatalf("%s: the time line leaves out the part at %v: %v", cam, (at - start()).Duration(), tl)
			}
		}
		for _, run := range tl {
			last := false
			for at := range seen {
				last = last || at+second >= run.To-Join && at+second <= run.To
			}
			if !last {
				t.Fatalf("%s: the time line ends at %v, where no part does", cam, (run.To - start()).Duration())
			}
		}
		for at := range s.must[cam] {
			if !seen[at] {
				t.Fatalf("%s: the part at %v was acknowledged and is gone", cam, (at - start()).Duration())
			}
		}
		// What was neither acknowledged nor found never comes back.
		for at := range s.may[cam] {
			if !seen[at] {
				delete(s.may[cam], at)
			} else {
				put(s.must, s.may[cam][at])
			}
		}
	}
	var parts, segments int64
	if err := r.rdb.QueryRow("SELECT count(*), coalesce(sum(size), 0) FROM part").Scan(&parts, &records); err != nil {
		t.Fatal(err)
	}
	if err := r.rdb.QueryRow("SELECT count(*) FROM segment").Scan(&segments); err != nil {
		t.Fatal(err)
	}
	headers = segments * fileHeader
	if st, err := r.Stats(t.Context()); err != nil || st.Parts != parts || st.Segments != segments || st.Bytes != records+headers || st.Damaged != 0 {
		t.Fatalf("Stats: %+v, %v; want %d parts of %d bytes in %d segments", st, err, parts, records+headers, segments)
	}
	if rep, err := r.Check(t.Context()); err != nil || len(rep.Damaged) != 0 || rep.Parts != parts {
		t.Fatalf("Check: %+v, %v", rep, err)
	}
	return found
}

func TestPowerCuts(t *testing.T) {
	t.Parallel()
	const rings, rounds = 3, 100
	var recovered, torn atomic.Int64
	t.Cleanup(func() {
		if !t.Failed() && (recovered.Load() < rings*rounds/4 || torn.Load() < rings*rounds/10) {
			t.Errorf("only %d parts recovered and %d files torn", recovered.Load(), torn.Load())
		}
		t.Logf("%d parts recovered, %d files torn", recovered.Load(), torn.Load())
	})
	for i := range rings {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			cutAndLook(t, rand.New(rand.NewPCG(7, uint64(8+i))), rounds, &recovered, &torn)
		})
	}
}

// cutAndLook cuts the power of one ring again and again, and looks each time at
// what is there.
func cutAndLook(t *testing.T, rnd *rand.Rand, rounds int, recovered, torn *atomic.Int64) {
	root := t.TempDir()
	s := newShadow()
	opt := testOptions(t, filepath.Join(root, "0"))
	opt.Retention = 90 * time.Minute
	found := 0
	for i := range rounds {
		p := newPower(t, rnd, filepath.Join(root, fmt.Sprint(i)), filepath.Join(root, fmt.Sprint(i+1)))
		opt.Dir = p.dir
		r, err := open(t.Context(), opt, disk{}, hooks{unsynced: true})
		if err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		found = s.look(t, r)
		recovered.Add(r.recovered.Load())
		torn.Add(r.torn.Load())
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		// And again with faults.
		p.left = 1 + rnd.IntN(120)
		if i%3 == 0 {
			p.sick = 12
		}
		p.index = p.readIndex()
		if r, err = open(t.Context(), opt, p, hooks{committed: p.committed, unsynced: true}); err != nil {
			if !p.cut && p.sick == 0 {
				t.Fatalf("round %d: %v", i, err)
			}
			if !p.cut {
				p.leave()
			}
			continue
		}
		if i%4 == 0 {
			for _, db := range []*sql.DB{r.wdb, r.fast} {
				if err := db.QueryRow("PRAGMA wal_autocheckpoint = 15").Scan(new(int)); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.work(t.Context(), r, p, func(d time.Duration) { fakeOf(opt).Advance(d); s.next = max(s.next, footage.TicksOf(opt.Clock.Now())) })
		_ = r.Close() // it has no disk any more
		if err := os.RemoveAll(p.dir); err != nil {
			t.Fatal(err)
		}
	}
	if found == 0 {
		t.Error("no parts at the end")
	}
}
