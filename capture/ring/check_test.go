package ring

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"veilbox/capture/footage"
)

func TestCheckNamesFilesAndKeys(t *testing.T) {
	for name, c := range map[string]struct {
		do     func(t *testing.T, r *Ring, path string)
		kinds  []Kind
		hurt   int
		always bool // also once the ring was opened again
	}{
		"nothing": {do: func(*testing.T, *Ring, string) {}},
		"missing": {do: func(t *testing.T, r *Ring, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, kinds: []Kind{KindMissing}, hurt: 3, always: true},
		"short": {do: func(t *testing.T, r *Ring, path string) {
			if err := os.Truncate(path, 100); err != nil {
				t.Fatal(err)
			}
		}, kinds: []Kind{KindShort}, hurt: 3, always: true},
		"header": {do: func(t *testing.T, r *Ring, path string) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b[10] ^= 1
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}, kinds: []Kind{KindHeader}, always: true},
		"stray": {do: func(t *testing.T, r *Ring, path string) {
			if err := os.WriteFile(filepath.Join(filepath.Dir(path), "x.seg"), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, kinds: []Kind{KindStray}},
		"key": {do: func(t *testing.T, r *Ring, path string) {
			if _, err := r.wdb.Exec("UPDATE day_key SET wrapped = x'01' WHERE camera = (SELECT id FROM camera WHERE name = 'a')"); err != nil {
				t.Fatal(err)
			}
			r.mu.Lock()
			clear(r.aeads)
			r.mu.Unlock()
		}, kinds: []Kind{KindKey}, hurt: 3, always: true},
	} {
		t.Run(name, func(t *testing.T) {
			opt := testOptions(t, t.TempDir())
			r := openTest(t, opt, disk{})
			fill(t, r, "a", start(), 3, 500)
			fill(t, r, "b", start(), 2, 500)
			r.mu.Lock()
			cam := r.cameras["a"]
			r.mu.Unlock()
			cam.mu.Lock()
			err := r.closeSegment(t.Context(), cam)
			cam.mu.Unlock()
			if err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(opt.Dir, "segments", "a", "*", "*"))
			if err != nil || len(files) != 1 {
				t.Fatal(files, err)
			}
			c.do(t, r, files[0])
			for again := range 2 {
				rep, err := r.Check(t.Context())
				if err != nil || rep.Segments != 2 || rep.Keys != 2 || len(rep.Damaged) != c.hurt {
					t.Fatalf("%+v, %v", rep, err)
				}
				want := c.kinds
				if again == 1 && !c.always {
					want = nil
				}
				var got []Kind
				for _, f := range rep.Faults {
					got = append(got, f.Kind)
					if f.Camera != "a" || f.Err == nil || f.Kind != KindStray && !f.Span.Overlaps(footage.Span{From: start(), To: start() + 1}) ||
						f.Kind != KindKey && !strings.HasPrefix(f.File, "a/20260314/") {
						t.Errorf("%+v", f)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("faults %v, want %v", got, want)
				}
				if again == 0 {
					if err := r.Close(); err != nil {
						t.Fatal(err)
					}
					r = openTest(t, opt, disk{})
				}
			}
		})
	}
}
