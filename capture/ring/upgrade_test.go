package ring

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"veilbox/capture/footage"
)

// unpack lays out a ring that an earlier version wrote.
func unpack(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for tr := tar.NewReader(z); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			if err := os.MkdirAll(path, 0o700); err != nil {
				t.Fatal(err)
			}
			continue
		}
		b, err := io.ReadAll(tr)
		if err == nil {
			err = os.WriteFile(path, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func schemaOf(t *testing.T, r *Ring) string {
	t.Helper()
	var s string
	err := r.wdb.QueryRow("SELECT group_concat(type || ' ' || name || ' ' || coalesce(sql, ''), char(10) ORDER BY type, name) FROM sqlite_master").Scan(&s)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// v1Parts is what testdata/v1.tar.gz was filled with.
func v1Parts() (till, door []*footage.Part) {
	for i := range 3 {
		p := part("till-1", start()+footage.Ticks(i)*second, 300)
		if i > 0 {
			p.Continues, p.Samples[0].Key = true, false
		}
		till = append(till, p)
		door = append(door, part("door", start()+footage.Ticks(i)*second, 150))
	}
	next := (start()/hour + 1) * hour
	for i := range 2 {
		till = append(till, part("till-1", next+footage.Ticks(i)*second, 200))
	}
	return till, door
}

func TestUpgradeFromVersion1(t *testing.T) {
	opt := testOptions(t, unpack(t, "v1.tar.gz"))
	till, door := v1Parts()
	r := openTest(t, opt, disk{})
	for range 2 {
		readAll(t, r, "till-1", always(), till)
		readAll(t, r, "door", always(), door)
		if s, err := r.Stats(t.Context()); err != nil || s.Torn+s.Orphans+s.Damaged+s.Recovered != 0 || s.Parts != int64(len(till)+len(door)) {
			t.Errorf("Stats: %+v, %v", s, err)
		}
		if rep, err := r.Check(t.Context()); err != nil || len(rep.Damaged) != 0 || rep.Parts != int64(len(till)+len(door)) {
			t.Errorf("Check: %+v, %v", rep, err)
		}
		if hs, err := r.Holds(t.Context()); err != nil || len(hs) != 1 || hs[0].Person != "Bo Holm" {
			t.Errorf("Holds: %+v, %v", hs, err)
		}
		door = append(door, fill(t, r, "door", door[len(door)-1].Span().To, 2, 700)...)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		r = openTest(t, opt, disk{})
	}
	fresh := openTest(t, testOptions(t, t.TempDir()), disk{})
	if a, b := schemaOf(t, r), schemaOf(t, fresh); a != b {
		t.Errorf("the upgraded index is\n%s\na new one\n%s", a, b)
	}
	fakeOf(opt).Advance(MaxRetention)
	if e, err := r.Expire(t.Context()); err != nil || e.Parts == 0 {
		t.Fatalf("%+v, %v", e, err)
	}
	readAll(t, r, "till-1", footage.Span{From: 1, To: start() + 10*second}, till[:1])
}
