package ring

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/problem"
	"veilbox/internal/sqlitedb"
)

// faulty is a disk whose calls fail when they are told to.
type faulty struct {
	disk
	mu    sync.Mutex
	fails map[string]error // by the name of the call
	short bool             // a failing write leaves half of its bytes
	freed string           // the call that a removal makes succeed again
}

func (f *faulty) set(call string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails = map[string]error{call: err}
}

func (f *faulty) err(call string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fails[call]
}

func (f *faulty) Create(path string) (file, error) {
	if err := f.err("create"); err != nil {
		return nil, err
	}
	w, err := f.disk.Create(path)
	return faultyFile{w, f}, err
}

func (f *faulty) Write(path string) (file, error) {
	w, err := f.disk.Write(path)
	return faultyFile{w, f}, err
}

func (f *faulty) Remove(path string) error {
	if err := f.err("remove"); err != nil {
		return err
	}
	f.mu.Lock()
	delete(f.fails, f.freed)
	f.mu.Unlock()
	return f.disk.Remove(path)
}

func (f *faulty) MkdirAll(path string) error {
	if err := f.err("mkdir"); err != nil {
		return err
	}
	return f.disk.MkdirAll(path)
}

func (f *faulty) Read(path string) (readFile, error) {
	if err := f.err("read"); err != nil {
		return nil, err
	}
	return f.disk.Read(path)
}

type faultyFile struct {
	file
	f *faulty
}

func (w faultyFile) WriteAt(b []byte, off int64) (int, error) {
	if err := w.f.err("write"); err != nil {
		n := 0
		if w.f.short {
			n, _ = w.file.WriteAt(b[:len(b)/2], off)
		}
		return n, err
	}
	return w.file.WriteAt(b, off)
}

func (w faultyFile) Sync() error {
	if err := w.f.err("sync"); err != nil {
		return err
	}
	return w.file.Sync()
}

func (w faultyFile) Truncate(n int64) error {
	if err := w.f.err("truncate"); err != nil {
		return err
	}
	return w.file.Truncate(n)
}

func (w faultyFile) Punch(off, n int64) error {
	if err := w.f.err("punch"); err != nil {
		return err
	}
	return w.file.Punch(off, n)
}

func TestFailedAppendLeavesTheRingWhole(t *testing.T) {
	for _, c := range []struct {
		call  string
		err   error
		short bool
		want  error
		code  string
		first bool // also where no segment is open yet
	}{
		{"write", syscall.ENOSPC, false, ErrFull, "ring.full", true},
		{"write", syscall.ENOSPC, true, ErrFull, "ring.full", true},
		{"write", syscall.EIO, true, ErrStorage, "ring.storage", true},
		{"sync", syscall.EIO, false, ErrStorage, "ring.storage", true},
		{"sync", syscall.EDQUOT, false, ErrFull, "ring.full", true},
		{"create", syscall.ENOSPC, false, ErrFull, "ring.full", true},
		{"mkdir", syscall.EROFS, false, ErrStorage, "ring.storage", true},
	} {
		for _, already := range []int{0, 3} {
			if already > 0 && (c.call == "create" || c.call == "mkdir") {
				continue
			}
			t.Run(c.call+" "+c.err.Error(), func(t *testing.T) {
				dir := t.TempDir()
				fl := &faulty{short: c.short}
				r := openTest(t, testOptions(t, dir), fl)
				want := fill(t, r, "till-1", start(), already, 5000)
				fl.set(c.call, c.err)
				lost := part("till-1", start()+3*second, 5000)
				err := r.Append(t.Context(), lost)
				if !errors.Is(err, c.want) || !errors.Is(err, c.err) || problem.Of(err).Code != c.code {
					t.Fatalf("got %v", err)
				}
				fl.set("", nil)
				// What continues the lost part is worth nothing.
				p := part("till-1", start()+4*second, 5000)
				p.Continues = true
				if already == 3 && c.short {
					// Offered again, it is not lost.
					lost.Continues = true
					if err := r.Append(t.Context(), lost); err != nil {
						t.Fatal(err)
					}
					if err := r.Append(t.Context(), p); err != nil {
						t.Fatal(err)
					}
					readAll(t, r, "till-1", footage.Span{From: p.Start + 1, To: p.Start + 2}, append(want[2:], lost, p))
					return
				}
				if err := r.Append(t.Context(), p); !errors.Is(err, ErrChain) {
					t.Errorf("continuing what was lost: %v", err)
				}
				want = append(want, fill(t, r, "till-1", start()+4*second, 3, 5000)...)
				readAll(t, r, "till-1", always(), want)
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
				r = openTest(t, testOptions(t, dir), disk{})
				readAll(t, r, "till-1", always(), want)
				s, err := r.Stats(t.Context())
				if err != nil || s.Torn != 0 || s.Orphans != 0 || s.Damaged != 0 {
					t.Errorf("left for the repair: %+v, %v", s, err)
				}
			})
		}
	}
}

func TestTornTailIsCutAtOpen(t *testing.T) {
	dir := t.TempDir()
	fl := &faulty{short: true}
	r := openTest(t, testOptions(t, dir), fl)
	want := fill(t, r, "till-1", start(), 2, 5000)
	fl.mu.Lock()
	fl.fails = map[string]error{"write": syscall.EIO, "truncate": syscall.EIO}
	fl.mu.Unlock()
	if err := r.Append(t.Context(), part("till-1", start()+2*second, 5000)); !errors.Is(err, ErrStorage) {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	stray := filepath.Join(dir, "segments", "till-1", "20260314", "000000-0011223344556677.seg")
	foreign := filepath.Join(dir, "segments", "README")
	for _, p := range []string{stray, foreign} {
		if err := os.WriteFile(p, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r = openTest(t, testOptions(t, dir), disk{})
	if s, err := r.Stats(t.Context()); err != nil || s.Torn != 1 || s.Orphans != 1 {
		t.Errorf("Stats: %+v, %v", s, err)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Errorf("a file that is not the ring's: %v", err)
	}
	readAll(t, r, "till-1", always(), want)
}

// behind makes the index of a closed ring as a power cut leaves it: the last
// parts of the only segment are not in it.
func behind(t *testing.T, dir string, lost int) {
	t.Helper()
	db, err := sqlitedb.Open(t.Context(), filepath.Join(dir, "ring.db"), migrations())
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		"UPDATE segment SET closed = 0, finish = 0, size = 0, parts = 0",
		fmt.Sprintf("DELETE FROM part WHERE start IN (SELECT start FROM part ORDER BY start DESC LIMIT %d)", lost),
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// The index is behind, and the end of the file cannot be read at first.
func TestUnreadableTailWaits(t *testing.T) {
	opt := testOptions(t, t.TempDir())
	r := openTest(t, opt, disk{})
	want := fill(t, r, "a", start(), 5, 3000)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	behind(t, opt.Dir, 2)
	bad := &badSector{from: fileHeader + int64(4*onDisk(want[0])) + 100}
	r = openTest(t, opt, bad)
	if s, err := r.Stats(t.Context()); err != nil || s.Recovered != 1 || s.Damaged != 1 || s.Torn != 0 || s.Parts != 4 {
		t.Errorf("%+v, %v", s, err)
	}
	// Recording goes on meanwhile.
	more := fill(t, r, "a", start()+10*second, 2, 500)
	bad.from = 1 << 40
	readAll(t, r, "a", always(), append(want[:4:4], more...))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = openTest(t, opt, disk{})
	readAll(t, r, "a", always(), append(want, more...))
	if s, err := r.Stats(t.Context()); err != nil || s.Recovered != 1 || s.Damaged != 0 || s.Parts != 7 {
		t.Errorf("%+v, %v", s, err)
	}
	if tl, err := r.Timeline(t.Context(), "a", always()); err != nil || len(tl) != 2 || tl[0].To != start()+5*second {
		t.Errorf("Timeline: %v, %v", tl, err)
	}
}

// badSector fails reads that reach beyond from.
type badSector struct {
	disk
	from int64
}

type badFile struct {
	readFile
	b *badSector
}

func (b *badSector) Read(path string) (readFile, error) {
	f, err := b.disk.Read(path)
	return badFile{f, b}, err
}

func (f badFile) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.b.from {
		return 0, syscall.EIO
	}
	return f.readFile.ReadAt(p, off)
}

// A part that failed and was stored after all elsewhere is there once.
func TestTailThatWasOfferedAgain(t *testing.T) {
	opt := testOptions(t, t.TempDir())
	fl := &faulty{}
	r := openTest(t, opt, fl)
	want := fill(t, r, "a", start(), 2, 3000)
	fl.mu.Lock()
	fl.fails = map[string]error{"sync": syscall.EIO, "truncate": syscall.EIO}
	fl.mu.Unlock()
	again := part("a", start()+2*second, 3000)
	if err := r.Append(t.Context(), again); !errors.Is(err, ErrStorage) {
		t.Fatal(err)
	}
	fl.set("", nil)
	if err := r.Append(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	want = append(want, again)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = openTest(t, opt, disk{})
	readAll(t, r, "a", always(), want)
	if s, err := r.Stats(t.Context()); err != nil || s.Recovered != 0 || s.Torn != 1 || s.Parts != 3 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestIndexFailureLosesOnlyThePart(t *testing.T) {
	dir := t.TempDir()
	r := openTest(t, testOptions(t, dir), disk{})
	want := fill(t, r, "till-1", start(), 2, 5000)
	if _, err := r.wdb.Exec("CREATE TRIGGER fail BEFORE INSERT ON part BEGIN SELECT RAISE(ABORT, 'no'); END"); err != nil {
		t.Fatal(err)
	}
	if err := r.Append(t.Context(), part("till-1", start()+2*second, 5000)); !errors.Is(err, ErrStorage) {
		t.Fatalf("got %v", err)
	}
	if _, err := r.wdb.Exec("DROP TRIGGER fail"); err != nil {
		t.Fatal(err)
	}
	want = append(want, fill(t, r, "till-1", start()+2*second, 2, 5000)...)
	readAll(t, r, "till-1", always(), want)
}

// A disk that is full before the quota costs the oldest footage, but none of
// the last day's.
func TestFullDiskGivesUpTheOldest(t *testing.T) {
	opt := testOptions(t, t.TempDir())
	fl := &faulty{short: true}
	r := openTest(t, opt, fl)
	old := fill(t, r, "a", start(), 3, 5000)
	young := fill(t, r, "b", start()+2*hour, 3, 5000)
	fakeOf(opt).Advance(25 * time.Hour)
	now := start() + 25*hour
	mine := fill(t, r, "b", now, 1, 5000)
	young = append(young, mine...)
	fl.mu.Lock()
	fl.fails = map[string]error{"write": syscall.ENOSPC}
	fl.freed = "write" // a removal makes room
	fl.mu.Unlock()
	p := part("b", now+second, 5000)
	p.Continues = true
	if err := r.Append(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	readAll(t, r, "a", always(), old[:0])
	readAll(t, r, "b", always(), append(young, p))

	fl.set("write", syscall.ENOSPC)
	if err := r.Append(t.Context(), part("b", now+2*second, 5000)); !errors.Is(err, ErrFull) {
		t.Errorf("got %v", err)
	}
	readAll(t, r, "b", always(), append(young, p))
}

func TestFullIndex(t *testing.T) {
	r := openTest(t, testOptions(t, t.TempDir()), disk{})
	want := fill(t, r, "till-1", start(), 2, 5000)
	var pages int
	if err := r.wdb.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	limit := func(n int) {
		t.Helper()
		for _, db := range []*sql.DB{r.wdb, r.fast} {
			if err := db.QueryRow(fmt.Sprintf("PRAGMA max_page_count = %d", n)).Scan(new(int)); err != nil {
				t.Fatal(err)
			}
		}
	}
	limit(pages)
	var err error
	i := 2
	for ; i < 500 && err == nil; i++ {
		p := part("till-1", start()+footage.Ticks(i)*second, 5000)
		if err = r.Append(t.Context(), p); err == nil {
			want = append(want, p)
		}
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("after %d parts: %v", i, err)
	}
	limit(1 << 30)
	want = append(want, fill(t, r, "till-1", start()+footage.Ticks(i)*second, 2, 5000)...)
	readAll(t, r, "till-1", always(), want)
}

func TestUnreadableSegment(t *testing.T) {
	fl := &faulty{}
	r := openTest(t, testOptions(t, t.TempDir()), fl)
	fill(t, r, "till-1", start(), 1, 500)
	info, err := r.Latest(t.Context(), "till-1")
	if err != nil {
		t.Fatal(err)
	}
	fl.set("read", syscall.EIO)
	if _, err := r.Read(t.Context(), info); !errors.Is(err, ErrStorage) {
		t.Errorf("got %v", err)
	}
}

func TestFailedDeleteIsTriedAgain(t *testing.T) {
	for _, call := range []string{"remove", "punch", "sync"} {
		t.Run(call, func(t *testing.T) {
			dir := t.TempDir()
			fl := &faulty{}
			opt := testOptions(t, dir)
			fake := fakeOf(opt)
			r := openTest(t, opt, fl)
			parts := fill(t, r, "till-1", start(), 10, 5000)
			if call != "remove" {
				hold(t, r, "case", "till-1", footage.Span{From: parts[3].Start, To: parts[4].Start})
			}
			fake.Advance(MaxRetention)
			fl.set(call, syscall.EIO)
			if _, err := r.Expire(t.Context()); !errors.Is(err, ErrStorage) || !errors.Is(err, syscall.EIO) {
				t.Fatalf("got %v", err)
			}
			if s, err := r.Stats(t.Context()); err != nil || s.FailedDeletes != 1 {
				t.Errorf("Stats: %+v, %v", s, err)
			}
			fl.set("", nil)
			e, err := r.Expire(t.Context())
			// What is punched out goes from the index first.
			want := map[string]int64{"remove": 10}[call]
			if err != nil || e.Parts != want {
				t.Fatalf("%+v, %v; want %d parts", e, err, want)
			}
			left := int64(0)
			if call != "remove" {
				left = 1
				files, err := filepath.Glob(filepath.Join(dir, "segments", "*", "*", "*"))
				if err != nil || len(files) != 1 {
					t.Fatal(files, err)
				}
				b, err := os.ReadFile(files[0])
				n := 3 * onDisk(parts[0])
				if err != nil || !bytes.Equal(b[fileHeader:fileHeader+n], make([]byte, n)) {
					t.Errorf("deleted parts are still in the file (%v)", err)
				}
				readAll(t, r, "till-1", always(), parts[3:4])
			}
			if s, err := r.Stats(t.Context()); err != nil || s.FailedDeletes != 0 || s.Parts != left {
				t.Errorf("Stats: %+v, %v", s, err)
			}
		})
	}
}

// A crash between the removal of a file and that of its rows is no damage.
func TestDeletionIsFinishedAtOpen(t *testing.T) {
	dir := t.TempDir()
	opt := testOptions(t, dir)
	r := openTest(t, opt, disk{})
	fill(t, r, "till-1", start(), 3, 500)
	if _, err := r.wdb.Exec("UPDATE segment SET deleting = 1"); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = openTest(t, opt, disk{})
	s, err := r.Stats(t.Context())
	if err != nil || s != (Stats{Quota: opt.Quota}) {
		t.Errorf("Stats: %+v, %v", s, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "segments", "*", "*", "*"))
	if err != nil || left != nil {
		t.Errorf("left on the disk: %v, %v", left, err)
	}
}
