package ring

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"veilbox/capture/footage"
)

// counting counts the syncs of segment files, and holds them up where told to.
type counting struct {
	disk
	syncs atomic.Int64
	hold  atomic.Pointer[slow]
}

type slow struct {
	begun   chan struct{}
	release chan struct{}
}

type countingFile struct {
	file
	c    *counting
	path string
}

func (c *counting) Create(path string) (file, error) {
	f, err := c.disk.Create(path)
	return countingFile{f, c, path}, err
}

func (f countingFile) Sync() error {
	f.c.syncs.Add(1)
	if s := f.c.hold.Load(); s != nil {
		s.begun <- struct{}{}
		<-s.release
	}
	return f.file.Sync()
}

func TestAppendAll(t *testing.T) {
	c := &counting{}
	opt := testOptions(t, t.TempDir())
	r := openTest(t, opt, c)
	var all, a, b []*footage.Part
	for i := range 10 {
		at := start() + footage.Ticks(i)*second
		a, b = append(a, part("a", at, 900)), append(b, part("b", at, 700))
		all = append(all, a[i], b[i])
	}
	if n, err := r.AppendAll(t.Context(), all); n != 20 || err != nil {
		t.Fatal(n, err)
	}
	if n := c.syncs.Load(); n != 2 {
		t.Errorf("%d syncs for two cameras", n)
	}
	readAll(t, r, "a", always(), a)
	readAll(t, r, "b", always(), b)
	if n, err := r.AppendAll(t.Context(), nil); n != 0 || err != nil {
		t.Error(n, err)
	}

	// What comes before the one that is refused is stored, nothing after it.
	next := start() + 10*second
	for name, bad := range map[string]struct {
		p    *footage.Part
		want error
	}{
		"malformed": {&footage.Part{Camera: "a"}, ErrPart},
		"order":     {part("b", start(), 500), ErrOrder},
		"chain": {func() *footage.Part {
			p := part("c", start(), 500)
			p.Continues = true
			return p
		}(), ErrChain},
	} {
		first, last := part("a", next, 500), part("a", next+second, 500)
		n, err := r.AppendAll(t.Context(), []*footage.Part{first, bad.p, last})
		if n != 1 || !errors.Is(err, bad.want) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
		a = append(a, first)
		next += second
	}
	readAll(t, r, "a", always(), a)

	// Over the end of an hour, and in more than one batch.
	var many []*footage.Part
	at := (next/hour+1)*hour - 50*second
	for i := range 2*maxBatch + 10 {
		many = append(many, part("a", at+footage.Ticks(i)*second, 300))
	}
	c.syncs.Store(0)
	if n, err := r.AppendAll(t.Context(), many); n != len(many) || err != nil {
		t.Fatal(n, err)
	}
	if n := c.syncs.Load(); n != 4 {
		t.Errorf("%d syncs, want one for each of three batches and one at the hour", n)
	}
	readAll(t, r, "a", always(), append(a, many...))
}

// A failure costs all of its batch and nothing else.
func TestFailedBatch(t *testing.T) {
	for _, call := range []string{"write", "sync"} {
		fl := &faulty{short: true}
		r := openTest(t, testOptions(t, t.TempDir()), fl)
		a, b := fill(t, r, "a", start(), 2, 500), fill(t, r, "b", start(), 2, 500)
		fl.set(call, syscall.EIO)
		batch := []*footage.Part{part("a", start()+2*second, 500), part("b", start()+2*second, 500), part("a", start()+3*second, 500)}
		if n, err := r.AppendAll(t.Context(), batch); n != 0 || !errors.Is(err, ErrStorage) {
			t.Fatal(n, err)
		}
		fl.set("", nil)
		readAll(t, r, "a", always(), a)
		readAll(t, r, "b", always(), b)
		if n, err := r.AppendAll(t.Context(), batch); n != 3 || err != nil {
			t.Fatal(n, err)
		}
		readAll(t, r, "a", always(), append(a, batch[0], batch[2]))
		readAll(t, r, "b", always(), append(b, batch[1]))
	}
}

// While one camera waits for a slow disk, nobody else does.
func TestSlowDiskHoldsUpNobodyElse(t *testing.T) {
	c := &counting{}
	r := openTest(t, testOptions(t, t.TempDir()), c)
	a, b := fill(t, r, "a", start(), 2, 500), fill(t, r, "b", start(), 2, 500)
	s := &slow{begun: make(chan struct{}), release: make(chan struct{})}
	c.hold.Store(s)
	done := make(chan error)
	late := part("a", start()+2*second, 500)
	go func() { done <- r.Append(context.WithoutCancel(t.Context()), late) }()
	<-s.begun
	c.hold.Store(nil)
	readAll(t, r, "a", always(), a)
	if tl, err := r.Timeline(t.Context(), "a", always()); err != nil || len(tl) != 1 || tl[0].To != start()+2*second {
		t.Errorf("Timeline: %v, %v", tl, err)
	}
	if end, err := r.LastEnd(t.Context(), "a"); err != nil || end != start()+2*second {
		t.Errorf("LastEnd: %v, %v", end, err)
	}
	if s, err := r.Stats(t.Context()); err != nil || s.Parts != 4 {
		t.Errorf("Stats: %+v, %v", s, err)
	}
	b = append(b, fill(t, r, "b", start()+2*second, 2, 500)...)
	readAll(t, r, "b", always(), b)
	hold(t, r, "x", "b", b[0].Span())
	close(s.release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	readAll(t, r, "a", always(), append(a, late))
}

// A disk that is mounted read-only: recording stops, what is there is shown, and
// recording goes on when the disk does.
func TestReadOnlyDisk(t *testing.T) {
	fl := &faulty{}
	opt := testOptions(t, t.TempDir())
	r := openTest(t, opt, fl)
	a := fill(t, r, "a", start(), 3, 500)
	only := func(on string) {
		t.Helper()
		for _, db := range []*sql.DB{r.wdb, r.fast} {
			if _, err := db.Exec("PRAGMA query_only = " + on); err != nil {
				t.Fatal(err)
			}
		}
	}
	only("ON")
	fl.mu.Lock()
	fl.fails = map[string]error{}
	for _, call := range []string{"write", "create", "mkdir", "remove", "truncate", "sync"} {
		fl.fails[call] = syscall.EROFS
	}
	fl.mu.Unlock()
	for i := range 3 {
		if err := r.Append(t.Context(), part("a", start()+footage.Ticks(3+i)*second, 500)); !errors.Is(err, ErrStorage) {
			t.Errorf("got %v", err)
		}
	}
	readAll(t, r, "a", always(), a)
	fakeOf(opt).Advance(MaxRetention)
	if _, err := r.Expire(t.Context()); !errors.Is(err, ErrStorage) {
		t.Errorf("Expire: %v", err)
	}
	fl.set("", nil)
	only("OFF")
	b := fill(t, r, "a", start()+10*second, 3, 500)
	readAll(t, r, "a", always(), append(a, b...))
	if _, err := r.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestManyCamerasAtOnce(t *testing.T) {
	opt := testOptions(t, t.TempDir())
	opt.Quota = MinQuota
	r := openTest(t, opt, disk{})
	const cams, n = 8, 40
	var wg sync.WaitGroup
	errs := make(chan error, 3*cams)
	for c := range cams {
		wg.Go(func() {
			cam := footage.CameraID(fmt.Sprintf("cam-%d", c))
			for i := range n {
				other := footage.CameraID(fmt.Sprintf("cam-%d-b", c))
				at := start() + footage.Ticks(i)*second
				if k, err := r.AppendAll(t.Context(), []*footage.Part{part(cam, at, 30_000), part(other, at, 30_000)}); err != nil {
					errs <- fmt.Errorf("%d: %w", k, err)
					return
				}
				if _, err := r.Timeline(t.Context(), cam, always()); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	stop := make(chan struct{})
	var bg sync.WaitGroup
	bg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := r.Expire(t.Context()); err != nil {
				errs <- err
				return
			}
			if rep, err := r.Check(t.Context()); err != nil || len(rep.Damaged)+len(rep.Faults) > 0 {
				errs <- fmt.Errorf("%+v: %w", rep, err)
				return
			}
		}
	})
	wg.Wait()
	close(stop)
	bg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	if s, err := r.Stats(t.Context()); err != nil || s.Bytes > opt.Quota || s.Parts < 200 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestHoldsDue(t *testing.T) {
	opt := testOptions(t, t.TempDir())
	r := openTest(t, opt, disk{})
	for i, review := range []time.Duration{time.Hour, 3 * time.Hour, 2 * time.Hour} {
		h := Hold{ID: fmt.Sprintf("h%d", i), Camera: "a", Span: footage.Span{From: start(), To: start() + second}, Reason: "r", Person: "p", Review: began.Add(review)}
		if err := r.Hold(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range [][]string{nil, {"h0"}, {"h0", "h2"}, {"h0", "h2", "h1"}} {
		due, err := r.HoldsDue(t.Context())
		if err != nil || len(due) != len(want) {
			t.Fatalf("after %d hours: %v, %v", i, due, err)
		}
		for j := range want {
			if due[j].ID != want[j] {
				t.Errorf("after %d hours: %s, want %s", i, due[j].ID, want[j])
			}
		}
		fakeOf(opt).Advance(time.Hour)
	}
	now := opt.Clock.Now()
	if err := r.Extend(t.Context(), "h0", now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if due, err := r.HoldsDue(t.Context()); err != nil || len(due) != 2 || due[0].ID != "h2" {
		t.Errorf("after one was extended: %v, %v", due, err)
	}
	for id, review := range map[string]time.Time{"none": now.Add(time.Hour), "h1": now, "h2": now.Add(MaxReview + time.Second)} {
		if err := r.Extend(t.Context(), id, review); !errors.Is(err, ErrHold) {
			t.Errorf("%s until %v: %v", id, review, err)
		}
	}
}

// An append changes few pages of the index and syncs it only now and then, and
// its memory does not grow with the cameras or with what was recorded.
func TestAppendIsCheap(t *testing.T) {
	var mono time.Duration
	lasting, commits := 0, 0
	opt := testOptions(t, t.TempDir())
	opt.Quota = 1 << 40
	r, err := open(t.Context(), opt, disk{}, hooks{mono: func() time.Duration { return mono }, committed: func(last bool, err error) {
		commits++
		if last {
			lasting++
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, db := range []*sql.DB{r.wdb, r.fast} {
		if err := db.QueryRow("PRAGMA wal_autocheckpoint = 0").Scan(new(int)); err != nil {
			t.Fatal(err)
		}
	}
	const cams, rounds = 16, 60
	p := part("x", start(), 100_000)
	all := func(from, to int) {
		for i := from; i < to; i++ {
			for c := range cams {
				q := *p
				q.Camera, q.Start = footage.CameraID(fmt.Sprintf("cam-%d", c)), start()+footage.Ticks(i)*second
				if err := r.Append(t.Context(), &q); err != nil {
					t.Fatal(err)
				}
				mono += time.Second / cams
			}
		}
	}
	log := func() int64 {
		info, err := os.Stat(filepath.Join(opt.Dir, "ring.db-wal"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	all(0, 10)
	size, mem := log(), heap()
	lasting, commits = 0, 0
	all(10, rounds)
	const n = (rounds - 10) * cams
	if pages := float64(log()-size) / (pageSize + 24) / n; pages > 2.5 {
		t.Errorf("%.2f pages an append", pages)
	}
	if commits != n || lasting < 4 || lasting > 6 {
		t.Errorf("%d commits, %d of them lasting, of %d appends in 50 s", commits, lasting, n)
	}
	if grown := heap() - mem; grown > 256<<10 {
		t.Errorf("%d bytes more are in use after %d appends", grown, n)
	}
}
