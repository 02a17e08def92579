package ring

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
)

func fakeOf(o Options) *clock.Fake { return o.Clock.(*clock.Fake) }

func hold(t *testing.T, r *Ring, id string, cam footage.CameraID, span footage.Span) {
	t.Helper()
	err := r.Hold(t.Context(), Hold{ID: id, Camera: cam, Span: span, Reason: "tyveri ved kasse 1", Person: "Bo Holm", Review: r.opt.Clock.Now().Add(24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, r *Ring, what string) int {
	t.Helper()
	var n int
	if err := r.wdb.QueryRow("SELECT count(*) FROM " + what).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNothingOutlivesTheRetention(t *testing.T) {
	opt := testOptions(t, t.TempDir())
	fake := fakeOf(opt)
	r := openTest(t, opt, disk{})
	parts := fill(t, r, "till-1", start(), 20, 500)
	// Ten minutes early, to the part: what is 30 days old when the next Expire
	// comes goes now.
	fake.Advance(MaxRetention - Ahead + 5*time.Second)
	e, err := r.Expire(t.Context())
	if err != nil || e.Parts != 5 || e.Segments != 0 || e.Bytes != int64(5*onDisk(parts[0])) {
		t.Fatalf("%+v, %v", e, err)
	}
	readAll(t, r, "till-1", always(), parts[5:])
	tl, err := r.Timeline(t.Context(), "till-1", always())
	if err != nil || !slices.Equal(tl, []footage.Span{{From: parts[5].Start, To: parts[19].Span().To}}) {
		t.Errorf("Timeline: %v, %v", tl, err)
	}
	// What was punched out is not on the disk.
	files, err := filepath.Glob(filepath.Join(opt.Dir, "segments", "*", "*", "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil || !bytes.Equal(b[fileHeader:fileHeader+5*onDisk(parts[0])], make([]byte, 5*onDisk(parts[0]))) {
		t.Errorf("deleted parts are still in the file (%v)", err)
	}
	// Recording goes on, and the time line in the same run.
	parts = append(parts, fill(t, r, "till-1", start()+20*second, 2, 500)...)
	readAll(t, r, "till-1", always(), parts[5:])
	if n := count(t, r, "run"); n != 1 {
		t.Errorf("%d runs, want 1", n)
	}

	old, err := r.Parts(t.Context(), "till-1", always())
	if err != nil {
		t.Fatal(err)
	}
	fake.Advance(time.Minute)
	e, err = r.Expire(t.Context())
	if err != nil || e.Parts != 17 || e.Segments != 2 || e.Keys != 1 {
		t.Fatalf("%+v, %v", e, err)
	}
	if _, err := r.Read(t.Context(), old[0]); !errors.Is(err, ErrGone) {
		t.Errorf("reading what is deleted: %v", err)
	}
	for _, table := range []string{"part", "segment", "run", "day_key"} {
		if n := count(t, r, table); n != 0 {
			t.Errorf("%d rows left in %s", n, table)
		}
	}
	if s, err := r.Stats(t.Context()); err != nil || s != (Stats{Quota: opt.Quota}) {
		t.Errorf("Stats: %+v, %v", s, err)
	}
	later := fill(t, r, "till-1", start()+100*second, 2, 500)
	readAll(t, r, "till-1", always(), later)
}

func TestQuotaDeletesTheOldestOfAllCameras(t *testing.T) {
	opt := testOptions(t, t.TempDir())
	opt.Quota = MinQuota
	r := openTest(t, opt, disk{})
	var all []*footage.Part
	for i := range 60 {
		cam := footage.CameraID("a")
		if i%2 == 1 {
			cam = "b"
		}
		all = append(all, fill(t, r, cam, start()+footage.Ticks(i)*second, 1, 500_000)...)
		if used := r.used.Load(); used > opt.Quota {
			t.Fatalf("%d bytes after part %d", used, i)
		}
	}
	var kept []footage.Ticks
	for _, cam := range []footage.CameraID{"a", "b"} {
		infos, err := r.Parts(t.Context(), cam, always())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range infos {
			kept = append(kept, p.Start)
		}
	}
	slices.Sort(kept)
	// 16 MiB hold 33 parts; a file of two goes at a time, so 30 at the least.
	if len(kept) < 30 || kept[len(kept)-1] != all[59].Start {
		t.Errorf("%d parts kept", len(kept))
	}
	if lost := 60 - len(kept); kept[2] > all[lost+4].Start {
		t.Errorf("not the oldest are gone: %d kept from %v", len(kept), (kept[0] - start()).Duration())
	}
}

func TestHoldsKeepWhatTheyCoverAndNoMore(t *testing.T) {
	opt := testOptions(t, t.TempDir())
	fake := fakeOf(opt)
	r := openTest(t, opt, disk{})
	parts := fill(t, r, "till-1", start(), 4, 500)
	for i := 4; i < 8; i++ {
		p := part("till-1", start()+footage.Ticks(i)*second, 500)
		p.Continues, p.Samples[0].Key = true, false
		if err := r.Append(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	parts = append(parts, fill(t, r, "till-1", start()+8*second, 4, 500)...)
	fill(t, r, "door", start(), 4, 500)
	// Within the fifth part of a GOP that began with part 3.
	span := footage.Span{From: parts[5].Start + 5, To: parts[5].Start + 6}
	hold(t, r, "case-1", "till-1", span)
	hold(t, r, "case-1", "till-1", span) // once more is the same
	hold(t, r, "case-2", "till-1", footage.Span{From: parts[10].Start, To: parts[11].Start})
	fake.Advance(MaxRetention + time.Hour)
	if _, err := r.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	readAll(t, r, "till-1", span, parts[3:6])
	readAll(t, r, "till-1", always(), append(slices.Clone(parts[3:6]), parts[10]))
	tl, err := r.Timeline(t.Context(), "till-1", always())
	if err != nil || !slices.Equal(tl, []footage.Span{{From: parts[3].Start, To: parts[6].Start}, parts[10].Span()}) {
		t.Errorf("Timeline: %v, %v", tl, err)
	}
	if n := count(t, r, "part"); n != 4 {
		t.Errorf("%d parts left, want 4", n)
	}
	hs, err := r.Holds(t.Context())
	if err != nil || len(hs) != 2 || hs[0].Reason != "tyveri ved kasse 1" || hs[0].Person != "Bo Holm" || hs[0].Span != span {
		t.Fatalf("Holds: %+v, %v", hs, err)
	}
	// The words are sealed at rest.
	for _, name := range []string{"ring.db", "ring.db-wal"} {
		b, err := os.ReadFile(filepath.Join(opt.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("Bo Holm")) || bytes.Contains(b, []byte("tyveri")) {
			t.Errorf("%s has a name or reason in the clear", name)
		}
	}
	if err := r.Release(t.Context(), "case-1", "Ida Krogh"); err != nil {
		t.Fatal(err)
	}
	if err := r.Release(t.Context(), "case-1", "Ida Krogh"); !errors.Is(err, ErrHold) {
		t.Errorf("released twice: %v", err)
	}
	if _, err := r.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	readAll(t, r, "till-1", always(), parts[10:11])
	if err := r.Release(t.Context(), "case-2", "Ida Krogh"); err != nil {
		t.Fatal(err)
	}
	if e, err := r.Expire(t.Context()); err != nil || e.Parts != 1 || e.Segments != 1 || e.Keys != 1 {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestQuotaFullOfHolds(t *testing.T) {
	opt := testOptions(t, t.TempDir())
	opt.Quota = MinQuota
	r := openTest(t, opt, disk{})
	parts := fill(t, r, "a", start(), 30, 500_000)
	hold(t, r, "x", "a", footage.Span{From: start(), To: start() + 60*second})
	var err error
	for i := 30; i < 40 && err == nil; i++ {
		err = r.Append(t.Context(), part("a", start()+footage.Ticks(i)*second, 500_000))
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("got %v", err)
	}
	got, err := r.Parts(t.Context(), "a", footage.Span{From: start(), To: start() + 30*second})
	if err != nil || len(got) != len(parts) {
		t.Errorf("%d of the held parts are left (%v)", len(got), err)
	}
	if err := r.Release(t.Context(), "x", "p"); err != nil {
		t.Fatal(err)
	}
	fill(t, r, "a", start()+50*second, 3, 500_000)
}

func TestHoldsAreChecked(t *testing.T) {
	r := openTest(t, testOptions(t, t.TempDir()), disk{})
	good := Hold{ID: "x", Camera: "a", Span: footage.Span{From: start(), To: start() + second}, Reason: "r", Person: "p", Review: began.Add(time.Hour)}
	for name, change := range map[string]func(*Hold){
		"id":        func(h *Hold) { h.ID = "a b" },
		"camera":    func(h *Hold) { h.Camera = "" },
		"empty":     func(h *Hold) { h.Span.To = h.Span.From },
		"long":      func(h *Hold) { h.Span.To += footage.TicksIn(MaxHold) },
		"no reason": func(h *Hold) { h.Reason = "" },
		"no person": func(h *Hold) { h.Person = "" },
		"late":      func(h *Hold) { h.Review = began },
		"far":       func(h *Hold) { h.Review = began.Add(2 * MaxReview) },
	} {
		h := good
		change(&h)
		if err := r.Hold(t.Context(), h); !errors.Is(err, ErrHold) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := r.Hold(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	good.Reason = "another"
	if err := r.Hold(t.Context(), good); !errors.Is(err, ErrHold) {
		t.Errorf("another hold of the same name: %v", err)
	}
}
