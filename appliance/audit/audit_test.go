package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"veilbox/internal/clock"
	"veilbox/internal/keys"
)

var start = time.Date(2026, 3, 4, 12, 0, 0, 123456789, time.UTC)

type fixture struct {
	*Log
	clock *clock.Fake
	o     Options
}

func open(t *testing.T) fixture {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := clock.NewFake(start)
	o := Options{Path: filepath.Join(t.TempDir(), "audit.db"), Key: keys.New(), Name: "veilbox-box-test", Signing: private, Clock: c}
	l, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return fixture{l, c, o}
}

func (f fixture) fill(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		e := Entry{Act: []string{"case.create", "footage.view", "login"}[i%3], Who: Who{ID: fmt.Sprint("p", i%4), Name: "Bo Dam", Role: "staff"},
			From: "10.0.0.5", About: map[string]string{"case": fmt.Sprint("C", i), "camera": "till-1"}, Why: "fordi <det> & det"}
		seq, err := f.Append(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		if seq != int64(i+1) {
			t.Fatalf("number %d, want %d", seq, i+1)
		}
		f.clock.Advance(time.Minute)
	}
}

func TestAppendReopenVerify(t *testing.T) {
	f := open(t)
	for _, n := range []int{0, 21} {
		if n > 0 {
			f.fill(t, n)
		}
		r, err := f.Verify(t.Context())
		if err != nil || !r.OK || r.Size != int64(n) || r.BadSeq != 0 || r.Origin != "veilbox-box-test" {
			t.Fatalf("%d: %+v %v", n, r, err)
		}
	}
	h, err := f.Head(t.Context())
	if err != nil || h.Size != 21 {
		t.Fatal(h, err)
	}
	if p, err := ParseHead(h.Note, f.VerifierKey()); err != nil || !reflect.DeepEqual(p, h) {
		t.Fatalf("%+v %v", p, err)
	}
	f.Close()
	l, err := Open(t.Context(), f.o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if seq, err := l.Append(t.Context(), Entry{Act: "login", Who: Who{ID: "x"}}); err != nil || seq != 22 {
		t.Fatal(seq, err)
	}
	if r, err := l.Verify(t.Context(), h); err != nil || r.Size != 22 || !r.First.Equal(start.Truncate(time.Microsecond)) {
		t.Fatalf("%+v %v", r, err)
	}
	l.Close()
	if r, err := VerifyFile(t.Context(), f.o.Path, f.o.Key, f.VerifierKey(), h); err != nil || !r.OK {
		t.Fatalf("%+v %v", r, err)
	}
	if _, err := VerifyFile(t.Context(), f.o.Path+"x", f.o.Key, f.VerifierKey()); err == nil {
		t.Fatal("a missing file verifies")
	}
}

func TestNothingInTheClear(t *testing.T) {
	f := open(t)
	f.fill(t, 3)
	f.Close()
	b, err := os.ReadFile(f.o.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"Bo Dam", "footage.view", "10.0.0.5", "till-1"} {
		if bytes.Contains(b, []byte(s)) {
			t.Errorf("%q is in the file in the clear", s)
		}
	}
}

func TestWrongKeys(t *testing.T) {
	f := open(t)
	f.fill(t, 2)
	f.Close()
	_, other, _ := ed25519.GenerateKey(nil)
	o := f.o
	o.Signing = other
	if _, err := Open(t.Context(), o); !errors.Is(err, ErrTampered) {
		t.Errorf("another signing key: %v", err)
	}
	o = f.o
	o.Name = "veilbox-box-other"
	if _, err := Open(t.Context(), o); !errors.Is(err, ErrTampered) {
		t.Errorf("another name: %v", err)
	}
	if _, err := VerifyFile(t.Context(), f.o.Path, keys.New(), f.VerifierKey()); !errors.Is(err, ErrTampered) {
		t.Errorf("another sealing key: %v", err)
	}
	for _, name := range []string{"", "a b", "a+b"} {
		o = f.o
		o.Name, o.Path = name, filepath.Join(t.TempDir(), "x.db")
		if _, err := Open(t.Context(), o); err == nil {
			t.Errorf("name %q was taken", name)
		}
	}
}

func TestBounds(t *testing.T) {
	f := open(t)
	who := Who{ID: "p"}
	many := map[string]string{}
	for i := range MaxAbout + 1 {
		many[fmt.Sprint(i)] = "v"
	}
	for _, e := range []Entry{
		{Act: "", Who: who}, {Act: "Case", Who: who}, {Act: "a..b", Who: who}, {Act: "a\nb", Who: who}, {Act: "login"},
		{Act: "login", Who: who, Why: strings.Repeat("x", MaxText+1)}, {Act: "login", Who: who, Why: "\xff"},
		{Act: "login", Who: Who{ID: "p", Name: strings.Repeat("x", MaxName+1)}}, {Act: "login", Who: who, From: "\xff"},
		{Act: "login", Who: who, About: many}, {Act: "login", Who: who, About: map[string]string{"k": strings.Repeat("x", MaxValue+1)}},
		{Act: strings.Repeat("a", MaxName+1), Who: who},
	} {
		if _, err := f.Append(t.Context(), e); err == nil {
			t.Errorf("%.60v was recorded", e)
		}
	}
	if r, err := f.Verify(t.Context()); err != nil || r.Size != 0 {
		t.Error(r, err)
	}
}

func TestEntries(t *testing.T) {
	f := open(t)
	f.fill(t, 12)
	all, err := f.Entries(t.Context(), Filter{})
	if err != nil || len(all) != 12 {
		t.Fatal(len(all), err)
	}
	if e := all[1]; e.Seq != 2 || e.Act != "footage.view" || e.Why != "fordi <det> & det" || e.About["case"] != "C1" || !e.At.Equal(start.Add(time.Minute).Truncate(time.Microsecond)) {
		t.Errorf("%+v", e)
	}
	for _, c := range []struct {
		f    Filter
		want string
	}{
		{Filter{Act: "login"}, "3 6 9 12"},
		{Filter{Act: "case."}, "1 4 7 10"},
		{Filter{Act: "case"}, ""},
		{Filter{Who: "p1"}, "2 6 10"},
		{Filter{Who: "Bo Dam", Limit: 2}, "1 2"},
		{Filter{About: "case=C4"}, "5"},
		{Filter{About: "C4"}, "5"},
		{Filter{About: "camera=C4"}, ""},
		{Filter{After: 10}, "11 12"},
		{Filter{After: 3, Newest: true}, "2 1"},
		{Filter{Newest: true, Limit: 2}, "12 11"},
		{Filter{From: start.Add(3 * time.Minute), To: start.Add(4 * time.Minute).Truncate(time.Microsecond)}, "4"},
	} {
		got, err := f.Entries(t.Context(), c.f)
		if err != nil {
			t.Fatal(err)
		}
		var s []string
		for _, e := range got {
			s = append(s, fmt.Sprint(e.Seq))
		}
		if strings.Join(s, " ") != c.want {
			t.Errorf("%+v: %v, want %s", c.f, s, c.want)
		}
	}
}

func TestExport(t *testing.T) {
	f := open(t)
	f.fill(t, 3)
	// Why, and what a cell must be in a spreadsheet.
	cells := [][2]string{
		{"=cmd()", "'=cmd()"}, {"+1", "'+1"}, {"-1", "'-1"}, {"@sum", "'@sum"}, {"  =cmd()", "  '=cmd()"}, {"\t=cmd()", "\t'=cmd()"},
		{`ok;=HYPERLINK("x")`, `ok;'=HYPERLINK("x")`}, {"ok, \"=cmd()", "ok, \"'=cmd()"}, {"ok\n=cmd()", "ok\n'=cmd()"}, {"＝cmd()", "'＝cmd()"},
		{"a=b, 7-1 kl. 12", "a=b, 7-1 kl. 12"}, {"æøå", "æøå"},
	}
	for _, c := range cells {
		if _, err := f.Append(t.Context(), Entry{Act: "login", Who: Who{ID: "p", Name: c[0]}, From: c[0], About: map[string]string{"x": c[0]}, Why: c[0]}); err != nil {
			t.Fatal(err)
		}
	}
	var j, c bytes.Buffer
	if err := f.Export(t.Context(), &j, JSONL, Filter{}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(j.String()), "\n")
	if want := `{"seq":1,"at":"2026-03-04T12:00:00.123456Z","act":"case.create","who":{"id":"p0","name":"Bo Dam","role":"staff"},"from":"10.0.0.5","about":{"camera":"till-1","case":"C0"},"why":"fordi <det> & det"}`; lines[0] != want || len(lines) != 3+len(cells) {
		t.Errorf("%d lines, the first\n%s, want\n%s", len(lines), lines[0], want)
	}
	var e Entry
	if err := json.Unmarshal([]byte(lines[3]), &e); err != nil || e.Seq != 4 || e.Why != "=cmd()" {
		t.Error(e, err)
	}
	if err := f.Export(t.Context(), &c, CSV, Filter{Limit: 100}); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&c).ReadAll()
	if err != nil || len(rows) != 4+len(cells) || rows[1][7] != "camera=till-1; case=C0" {
		t.Fatalf("%v %v", rows, err)
	}
	for i, k := range cells {
		for _, col := range []int{4, 6, 8} {
			if got := rows[4+i][col]; got != k[1] {
				t.Errorf("%q is the cell %q, want %q", k[0], got, k[1])
			}
		}
	}
	if err := f.Export(t.Context(), &c, "xml", Filter{}); err == nil {
		t.Error("an unknown format was written")
	}
}

// More entries than a page, with and without a limit.
func TestExportPages(t *testing.T) {
	f := open(t)
	f.fill(t, 2*exportPage+3)
	for _, c := range []struct {
		f    Filter
		want int
	}{
		{Filter{}, 2*exportPage + 3}, {Filter{Limit: exportPage}, exportPage}, {Filter{Limit: exportPage + 1}, exportPage + 1},
		{Filter{Newest: true}, 2*exportPage + 3}, {Filter{Act: "login"}, (2*exportPage + 3) / 3}, {Filter{After: 5}, 2*exportPage - 2}, {Filter{Limit: 10000}, 2*exportPage + 3},
	} {
		var b bytes.Buffer
		if err := f.Export(t.Context(), &b, JSONL, c.f); err != nil || strings.Count(b.String(), "\n") != c.want {
			t.Errorf("%+v: %d lines, want %d: %v", c.f, strings.Count(b.String(), "\n"), c.want, err)
		}
	}
}

func TestConsistency(t *testing.T) {
	f := open(t)
	var heads []Head
	keep := func() {
		h, err := f.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, h)
	}
	keep()
	for range 11 {
		if _, err := f.Append(t.Context(), Entry{Act: "login", Who: Who{ID: "p"}}); err != nil {
			t.Fatal(err)
		}
		keep()
	}
	for i, o := range heads {
		for j, n := range heads {
			if j < i {
				if err := CheckConsistency(o, n, nil); !errors.Is(err, ErrTampered) {
					t.Errorf("%d to %d: %v", i, j, err)
				}
				continue
			}
			p, err := f.ConsistencyProof(t.Context(), o.Size, n.Size)
			if err != nil {
				t.Fatal(err)
			}
			if err := CheckConsistency(o, n, p); err != nil {
				t.Errorf("%d to %d: %v", i, j, err)
			}
			if o.Size == 0 {
				continue
			}
			o.Hash[3] ^= 1
			if err := CheckConsistency(o, n, p); !errors.Is(err, ErrTampered) {
				t.Errorf("%d to %d with another root: %v", i, j, err)
			}
			o.Hash[3] ^= 1
		}
	}
	if _, err := f.ConsistencyProof(t.Context(), 3, 12); err == nil {
		t.Error("a proof past the end")
	}
	other := heads[3]
	other.Origin = "x"
	if err := CheckConsistency(other, heads[4], nil); !errors.Is(err, ErrTampered) {
		t.Errorf("another log: %v", err)
	}
}

func TestAppendsTogether(t *testing.T) {
	f := open(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				if _, err := f.Append(context.Background(), Entry{Act: "login", Who: Who{ID: "p"}}); err != nil {
					t.Error(err)
				}
				if _, err := f.Verify(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if r, err := f.Verify(t.Context()); err != nil || r.Size != 80 {
		t.Fatal(r, err)
	}
}

func FuzzParseHead(f *testing.F) {
	seed := make([]byte, ed25519.SeedSize)
	s, vkey, err := newSigner("log", ed25519.NewKeyFromSeed(seed))
	if err != nil {
		f.Fatal(err)
	}
	good, err := s.checkpoint(7, [32]byte{1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("log\n7\n\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHead(b, vkey)
		if err == nil && (h.Size != 7 || h.Hash != [32]byte{1}) {
			t.Fatalf("%q was taken as %+v", b, h)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	_, private, _ := ed25519.GenerateKey(nil)
	l, err := Open(b.Context(), Options{Path: filepath.Join(b.TempDir(), "a.db"), Key: keys.New(), Name: "n", Signing: private, Clock: clock.System{}})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	for b.Loop() {
		if _, err := l.Append(b.Context(), Entry{Act: "footage.view", Who: Who{ID: "p", Name: "Bo Dam"}, About: map[string]string{"case": "C"}}); err != nil {
			b.Fatal(err)
		}
	}
}
