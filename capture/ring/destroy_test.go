package ring

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"veilbox/capture/footage"
)

func wrappedKeys(t *testing.T, r *Ring) map[int64][]byte {
	t.Helper()
	out := map[int64][]byte{}
	rows, err := r.wdb.Query("SELECT id, wrapped FROM day_key")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var id int64
		var b []byte
		if err := rows.Scan(&id, &b); err != nil {
			t.Fatal(err)
		}
		out[id] = b
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	return out
}

// noneLeft looks for the keys in every byte of the index.
func noneLeft(t *testing.T, dir string, keys [][]byte) {
	t.Helper()
	for _, name := range []string{"ring.db", "ring.db-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		for _, k := range keys {
			// A piece of the ciphertext is enough.
			if bytes.Contains(b, k[13:37]) {
				t.Fatalf("a destroyed key is still in %s", name)
			}
		}
	}
}

func TestDestroyedKeysAreNowhere(t *testing.T) {
	opt := testOptions(t, t.TempDir())
	opt.Retention = 3 * day
	r := openTest(t, opt, disk{})
	fake := fakeOf(opt)
	rnd := rand.New(rand.NewPCG(1, 2))
	cams := []footage.CameraID{"a", "b", "c", "d", "e", "f", "g", "h"}
	known := map[int64][]byte{}
	var dead [][]byte
	for d := range 40 {
		at := start() + footage.Ticks(d)*24*hour
		for _, cam := range cams {
			if rnd.IntN(4) > 0 {
				fill(t, r, cam, at, 2, 200)
			}
		}
		if rnd.IntN(3) == 0 {
			// Held here and there, so that keys go in no order.
			hold(t, r, "h"+time.Duration(d).String(), cams[rnd.IntN(len(cams))], footage.Span{From: at, To: at + second})
		}
		if d > 20 {
			if hs, err := r.Holds(t.Context()); err != nil {
				t.Fatal(err)
			} else if len(hs) > 0 {
				if err := r.Release(t.Context(), hs[rnd.IntN(len(hs))].ID, "p"); err != nil {
					t.Fatal(err)
				}
			}
		}
		for id, k := range wrappedKeys(t, r) {
			known[id] = k
		}
		fake.Advance(day)
		if _, err := r.Expire(t.Context()); err != nil {
			t.Fatal(err)
		}
		left := wrappedKeys(t, r)
		for id, k := range known {
			if left[id] == nil {
				dead = append(dead, k)
				delete(known, id)
			}
		}
		noneLeft(t, opt.Dir, dead)
	}
	if len(dead) < 100 {
		t.Errorf("only %d keys were destroyed", len(dead))
	}
}

// A reader in the way of emptying the log is an error; the log is emptied as soon
// as it is gone, and after a crash.
func TestScrubIsTriedAgain(t *testing.T) {
	opt := testOptions(t, t.TempDir())
	r := openTest(t, opt, disk{})
	fill(t, r, "a", start(), 2, 200)
	var dead [][]byte
	for _, k := range wrappedKeys(t, r) {
		dead = append(dead, k)
	}
	reader, err := r.rdb.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.ExecContext(t.Context(), "BEGIN DEFERRED"); err != nil {
		t.Fatal(err)
	}
	if err := reader.QueryRowContext(t.Context(), "SELECT count(*) FROM part").Scan(new(int)); err != nil {
		t.Fatal(err)
	}
	fakeOf(opt).Advance(MaxRetention)
	if e, err := r.Expire(t.Context()); e.Keys != 1 || !errors.Is(err, ErrStorage) {
		t.Fatalf("with a reader: %+v, %v", e, err)
	}
	_, err = reader.ExecContext(t.Context(), "ROLLBACK")
	if err := errors.Join(err, reader.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	noneLeft(t, opt.Dir, dead)
	if n := count(t, r, "meta WHERE name = 'scrub'"); n != 0 {
		t.Error("it is still to be done")
	}
}

// A key that was made for a segment that came to nothing goes too.
func TestUnusedKeysGo(t *testing.T) {
	opt := testOptions(t, t.TempDir())
	fl := &faulty{}
	r := openTest(t, opt, fl)
	fl.set("create", syscall.EIO)
	if err := r.Append(t.Context(), part("a", start(), 500)); !errors.Is(err, ErrStorage) {
		t.Fatal(err)
	}
	fl.set("", nil)
	if e, err := r.Expire(t.Context()); err != nil || e.Keys != 0 || count(t, r, "day_key") != 1 {
		t.Fatalf("%+v, %v", e, err)
	}
	fakeOf(opt).Advance(MaxRetention + day)
	if e, err := r.Expire(t.Context()); err != nil || e.Keys != 1 || count(t, r, "day_key") != 0 {
		t.Fatalf("%+v, %v", e, err)
	}
}
