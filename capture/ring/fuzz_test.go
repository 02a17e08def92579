package ring

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"veilbox/capture/footage"
	"veilbox/internal/clock"
	"veilbox/internal/sqlitedb"
)

// FuzzRecord offers bytes as a record: nothing that was not sealed there opens.
func FuzzRecord(f *testing.F) {
	aead := vectorKey(f).AEAD()
	pl := vectorPlace()
	p := vectorPart()
	t := tableOf(p)
	good := pl.sealWith(nil, aead, [nonceSize]byte{1}, &t, p.Data)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append(bytes.Clone(recordMagic[:]), make([]byte, 60)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, _, err := pl.open(bytes.Clone(b), aead); (err == nil) != bytes.Equal(b, good) {
			t.Fatalf("%x: %v", b, err)
		}
	})
}

// FuzzTable takes apart what a record might hold; the same comes out again.
func FuzzTable(f *testing.F) {
	for _, p := range vectors() {
		t := tableOf(p)
		f.Add(t.append(nil), int64(len(p.Data)+len(p.Audio.Data)))
	}
	f.Add([]byte{2, 1, 1, 1, 1, 1, 1}, int64(1))
	f.Fuzz(func(t *testing.T, b []byte, data int64) {
		tab, end, err := readTable(b, start(), data)
		if err != nil {
			return
		}
		if end <= start() || end > start()+MaxPartDuration {
			t.Fatalf("ends at %d", end)
		}
		again, end2, err := readTable(tab.append(nil), start(), data)
		if err != nil || end != end2 || !bytes.Equal(again.append(nil), tab.append(nil)) || tab.size() != len(tab.append(nil)) {
			t.Fatalf("%+v does not survive: %v", tab, err)
		}
	})
}

// memory is a segment file that is not on the disk.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

// FuzzTail puts bytes behind the end of a segment that the index does not know
// to be closed: Open never takes any of it in, and what was there stays.
func FuzzTail(f *testing.F) {
	dir := f.TempDir()
	opt := testOptions(f, dir)
	r, err := open(f.Context(), opt, disk{}, hooks{unsynced: true})
	if err != nil {
		f.Fatal(err)
	}
	want := fill(f, r, "a", start(), 3, 300)
	c := r.cameras["a"]
	seg := *c.seg
	key, err := r.aead(f.Context(), seg.key)
	if err != nil {
		f.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "segments", "*", "*", "*"))
	if err != nil || len(files) != 1 {
		f.Fatal(files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		f.Fatal(err)
	}
	if err := r.Close(); err != nil {
		f.Fatal(err)
	}
	// As a crash leaves it.
	db, err := sqlitedb.Open(f.Context(), filepath.Join(dir, "ring.db"), migrations())
	if err != nil {
		f.Fatal(err)
	}
	if _, err := db.Exec("UPDATE segment SET closed = 0, finish = 0, size = 0, parts = 0"); err != nil {
		f.Fatal(err)
	}
	if err := db.Close(); err != nil {
		f.Fatal(err)
	}
	size := len(whole)
	// Truth: a record of the place is taken, at any later time.
	pl := place{camera: "a", uid: seg.uid, number: 3, offset: int64(size), start: start() + 3*second}
	p := part("a", pl.start, 100)
	tab := tableOf(p)
	next := pl.sealWith(nil, key, [nonceSize]byte{7}, &tab, p.Data)
	f.Add([]byte{})
	f.Add(next)
	f.Add(next[:len(next)-1])
	f.Add(whole[fileHeader:])
	f.Add(append(bytes.Clone(next), next...))
	f.Add(make([]byte, 5000))
	opens := 0
	f.Fuzz(func(t *testing.T, tail []byte) {
		sc := scanner{camera: "a", uid: seg.uid, aead: key, f: memory{bytes.NewReader(append(bytes.Clone(whole), tail...))},
			size: int64(size + len(tail)), offset: int64(size), number: 3, end: start() + 3*second, limit: maxTicks}
		n := 0
		for {
			_, ok, err := sc.next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			n++
		}
		taken := bytes.HasPrefix(tail, next)
		if n > 1 || (n == 1) != taken {
			t.Fatalf("%d parts of %x", n, tail)
		}
		// The whole way through Open is slower; the seeds and some more go it.
		if opens++; opens > 64 {
			return
		}
		through(t, opt, files[0], append(bytes.Clone(whole), tail...), want, p, taken)
	})
}

// through opens the ring with content in its segment.
func through(t *testing.T, opt Options, path string, content []byte, want []*footage.Part, p *footage.Part, taken bool) {
	t.Helper()
	dir := t.TempDir()
	opt.Dir, opt.Clock, opt.Log = dir, clock.NewFake(began), slog.New(slog.DiscardHandler)
	rel, err := filepath.Rel(filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(path)))), path)
	if err != nil {
		t.Fatal(err)
	}
	from := filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(path))))
	db, err := os.ReadFile(filepath.Join(from, "ring.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, rel)), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"ring.db": db, rel: content} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := open(context.Background(), opt, disk{}, hooks{unsynced: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if taken {
		want = append(want[:len(want):len(want)], p)
	}
	readAll(t, r, "a", always(), want)
}
