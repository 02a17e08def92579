package audit

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"veilbox/internal/clock"
	"veilbox/internal/keys"
	"veilbox/internal/sqlitedb"
)

const day = 24 * time.Hour

// aged is a log of 12 entries, one a day, and then 6 that are 400 days younger.
func aged(t *testing.T) (fixture, Head) {
	t.Helper()
	f := open(t)
	add := func(n int) {
		for i := range n {
			if _, err := f.Append(t.Context(), Entry{Act: "footage.view", Who: Who{ID: "p", Name: "Bo Dam"}, Why: fmt.Sprint("no. ", i)}); err != nil {
				t.Fatal(err)
			}
			f.clock.Advance(day)
		}
	}
	add(12)
	h, err := f.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(400 * day)
	add(6)
	return f, h
}

func TestPrune(t *testing.T) {
	f, old := aged(t)
	// Nothing of a prefix is older than that.
	if r, err := f.Prune(t.Context(), start.Add(-day)); err != nil || r != (PruneReport{}) {
		t.Fatalf("%+v %v", r, err)
	}
	if r, err := f.Prune(t.Context(), start.Add(5*day)); err != nil || r != (PruneReport{Seq: 19, Upto: 5, Dropped: 5}) {
		t.Fatalf("%+v %v", r, err)
	}
	check := func(size, gone int64) {
		t.Helper()
		if r, err := f.Verify(t.Context(), old); err != nil || !r.OK || r.Size != size || r.Pruned != gone || !r.First.Equal(start.Truncate(time.Microsecond)) {
			t.Fatalf("%+v %v", r, err)
		}
	}
	check(19, 5)
	// Asked for more than MinKeep allows: the six young ones stay.
	if r, err := f.Prune(t.Context(), start.Add(1000*day)); err != nil || r != (PruneReport{Seq: 20, Upto: 12, Dropped: 7}) {
		t.Fatalf("%+v %v", r, err)
	}
	check(20, 12)
	// Again: nothing happens and nothing is recorded.
	if r, err := f.Prune(t.Context(), start.Add(1000*day)); err != nil || r != (PruneReport{Upto: 12}) {
		t.Fatalf("%+v %v", r, err)
	}
	all, err := f.Entries(t.Context(), Filter{})
	if err != nil || len(all) != 8 || all[0].Seq != 13 || all[7].Act != ActPrune || all[7].About["upto"] != "12" || all[7].Who.ID != "clock" {
		t.Fatalf("%+v %v", all, err)
	}
	if h, err := ParseHead([]byte(all[7].About["checkpoint"]), f.VerifierKey()); err != nil || h.Size != 19 {
		t.Errorf("%+v %v", h, err)
	}
	now, err := f.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	proof, err := f.ConsistencyProof(t.Context(), old.Size, now.Size)
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckConsistency(old, now, proof); err != nil {
		t.Error(err)
	}
	if _, err := f.Append(t.Context(), Entry{Act: ActPrune, Who: Who{ID: "p"}}); err == nil {
		t.Error("a prune was recorded that did not happen")
	}
	f.Close()
	l, err := Open(t.Context(), f.o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f.clock.Advance(400 * day)
	if r, err := l.Prune(t.Context(), f.clock.Now()); err != nil || r != (PruneReport{Seq: 21, Upto: 20, Dropped: 8}) {
		t.Fatalf("%+v %v", r, err)
	}
	if r, err := VerifyFile(t.Context(), f.o.Path, f.o.Key, l.VerifierKey(), old, now); err != nil || r.Pruned != 20 || r.Size != 21 {
		t.Fatalf("%+v %v", r, err)
	}
}

func TestPrunedAndTampered(t *testing.T) {
	f, _ := aged(t)
	unpruned := copyOf(t, f.o.Path) // before it, without what the write-ahead log has
	if _, err := f.Prune(t.Context(), start.Add(8*day)); err != nil {
		t.Fatal(err)
	}
	f.Close()
	for _, c := range []struct {
		name, query string
		bad         int64
	}{
		{"a body dropped outside the range", "UPDATE entries SET body = NULL WHERE seq = 9", 9},
		{"a body dropped in the middle", "UPDATE entries SET body = NULL WHERE seq = 15", 15},
		{"all bodies up to the prune dropped", "UPDATE entries SET body = NULL WHERE seq < 19", 9},
		{"the record of the prune dropped too", "UPDATE entries SET body = NULL", 1},
		{"a body put in place of a dropped one", "UPDATE entries SET body = (SELECT body FROM entries WHERE seq = 9) WHERE seq = 8", 8},
		{"an empty body", "UPDATE entries SET body = x'' WHERE seq = 3", 3},
		{"a time of a dropped entry moved", "UPDATE entries SET at = at + 1 WHERE seq = 2", 1},
		{"a dropped entry made young", fmt.Sprintf("UPDATE entries SET at = %d WHERE seq = 2", f.clock.Now().UnixMicro()), 2},
		{"a dropped entry gone", "DELETE FROM entries WHERE seq = 2", 2},
		{"a dropped entry's hash changed", "UPDATE hashes SET hash = (SELECT hash FROM hashes WHERE idx = 0) WHERE idx = 1", 2},
		{"a dropped entry's hash gone", "DELETE FROM hashes WHERE idx = 1", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := copyOf(t, f.o.Path)
			alter(t, path, c.query)
			r, err := VerifyFile(t.Context(), path, f.o.Key, f.VerifierKey())
			if !errors.Is(err, ErrTampered) || r.OK || r.Bad == "" || r.BadSeq != c.bad {
				t.Fatalf("%+v, %v; want entry %d", r, err, c.bad)
			}
		})
	}
	t.Run("dropped without a record", func(t *testing.T) {
		alter(t, unpruned, "UPDATE entries SET body = NULL WHERE seq < 5")
		if r, err := VerifyFile(t.Context(), unpruned, f.o.Key, f.VerifierKey()); !errors.Is(err, ErrTampered) || r.OK {
			t.Fatalf("%+v %v", r, err)
		}
	})
}

// The record of a prune is held against what is there even where somebody with
// the keys wrote it.
func TestPruneRecordThatDoesNotFit(t *testing.T) {
	young := func(f fixture) (int64, []byte) {
		upto, sum, err := older(t.Context(), f.db, f.clock.Now().Add(-3*day))
		if err != nil {
			t.Fatal(err)
		}
		return upto, sum
	}
	for name, forge := range map[string]func(f fixture, about map[string]string) int64{
		"younger than a year": func(f fixture, about map[string]string) int64 {
			upto, sum := young(f)
			about[pruneUpto], about[pruneTimes] = fmt.Sprint(upto), fmt.Sprintf("%x", sum)
			return 13
		},
		"no number":         func(_ fixture, about map[string]string) int64 { about[pruneUpto] = "all"; return 19 },
		"no checkpoint":     func(_ fixture, about map[string]string) int64 { delete(about, pruneCheckpoint); return 19 },
		"an old checkpoint": func(_ fixture, about map[string]string) int64 { about[pruneCheckpoint] = about["old"]; return 19 },
	} {
		t.Run(name, func(t *testing.T) {
			f, old := aged(t)
			upto, sum, err := older(t.Context(), f.db, start.Add(100*day))
			if err != nil {
				t.Fatal(err)
			}
			h, err := f.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			about := map[string]string{pruneUpto: fmt.Sprint(upto), pruneTimes: fmt.Sprintf("%x", sum), pruneCheckpoint: string(h.Note), "old": string(old.Note)}
			bad := forge(f, about)
			var n int64
			fmt.Sscan(about[pruneUpto], &n)
			err = sqlitedb.Tx(t.Context(), f.db, func(tx *sql.Tx) error {
				if _, err := tx.Exec("UPDATE entries SET body = NULL WHERE seq <= ?", max(n, upto)); err != nil {
					return err
				}
				return f.insert(t.Context(), tx, Entry{Seq: 19, At: f.clock.Now().UTC().Truncate(time.Microsecond), Act: ActPrune, Who: pruner, About: about})
			})
			if err != nil {
				t.Fatal(err)
			}
			if r, err := f.Verify(t.Context()); !errors.Is(err, ErrTampered) || r.BadSeq != bad {
				t.Fatalf("%+v %v; want entry %d", r, err, bad)
			}
		})
	}
}

func TestPrunedBytesAreGone(t *testing.T) {
	f, _ := aged(t)
	var bodies [][]byte
	rows, err := f.db.Query("SELECT body FROM entries WHERE seq <= 12")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, b)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	onDisk := func() (n int) {
		var all []byte
		for _, suffix := range []string{"", "-wal"} {
			b, err := os.ReadFile(f.o.Path + suffix)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
		for _, b := range bodies {
			if bytes.Contains(all, b[len(b)-32:]) {
				n++
			}
		}
		return n
	}
	if n := onDisk(); n != 12 {
		t.Fatalf("%d of 12 bodies are in the files before", n)
	}
	if _, err := f.Prune(t.Context(), f.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if n := onDisk(); n != 0 {
		t.Errorf("%d bodies are in the files after", n)
	}
}

// A reader keeps the write-ahead log from being cut. That is said, and the next
// prune does it.
func TestPruneBesideAReader(t *testing.T) {
	f, _ := aged(t)
	err := f.reading(t.Context(), func(q querier) error {
		var n int
		if err := q.QueryRowContext(t.Context(), "SELECT count(*) FROM entries").Scan(&n); err != nil {
			return err
		}
		// On the connection that is free beside the reader's.
		if _, err := f.db.Exec("PRAGMA busy_timeout = 10"); err != nil {
			return err
		}
		r, err := f.Prune(t.Context(), f.clock.Now())
		if err == nil || r.Dropped != 12 {
			t.Errorf("%+v %v", r, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := f.Prune(t.Context(), f.clock.Now()); err != nil || r != (PruneReport{Upto: 12}) {
		t.Errorf("%+v %v", r, err)
	}
	if r, err := f.Verify(t.Context()); err != nil || r.Pruned != 12 {
		t.Errorf("%+v %v", r, err)
	}
}

// TestMain lets a child process append and prune until it is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv("VEILBOX_AUDIT_CHILD"); path != "" {
		if err := churn(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func childOptions(path string, c clock.Clock) Options {
	key, err := keys.FromBytes(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		panic(err)
	}
	return Options{Path: path, Key: key, Name: "n", Signing: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32)), Clock: c}
}

func churn(path string) error {
	ctx := context.Background()
	at := start
	for n := 0; ; n++ {
		c := clock.NewFake(at)
		l, err := Open(ctx, childOptions(path, c))
		if err != nil {
			return err
		}
		if h, err := l.Head(ctx); err != nil {
			return err
		} else if n == 0 {
			c.Advance(time.Duration(h.Size) * 100 * day) // on from an earlier life
		}
		for range 3 {
			c.Advance(100 * day)
			if _, err := l.Append(ctx, Entry{Act: "login", Who: Who{ID: "p"}}); err != nil {
				return err
			}
		}
		if _, err := l.Prune(ctx, c.Now()); err != nil {
			return err
		}
		fmt.Println("pruned")
		at = c.Now()
		if err := l.Close(); err != nil {
			return err
		}
	}
}

func TestPruneSurvivesKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.db")
	var last Report
	for round := range 8 {
		c := exec.CommandContext(t.Context(), os.Args[0])
		c.Env = append(os.Environ(), "VEILBOX_AUDIT_CHILD="+path)
		c.Stderr = os.Stderr
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 2 + round {
			if !lines.Scan() {
				t.Fatal("the child ended by itself")
			}
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // it was killed
		o := childOptions(path, clock.NewFake(start))
		l, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		r, err := l.Verify(t.Context())
		if err != nil || r.Size <= last.Size || r.Pruned <= last.Pruned {
			t.Fatalf("round %d: %+v after %+v: %v", round, r, last, err)
		}
		last = r
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func dump(t *testing.T, path string, m ...sqlitedb.Migration) []string {
	t.Helper()
	db, err := sqlitedb.Open(t.Context(), path, m)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT type, name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var kind, name, text string
		if err := rows.Scan(&kind, &name, &text); err != nil {
			t.Fatal(err)
		}
		out = append(out, kind+" "+name+" "+strings.Join(strings.Fields(text), " "))
	}
	return out
}

func TestUpgradedEqualsFresh(t *testing.T) {
	text, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	fresh := dump(t, filepath.Join(t.TempDir(), "fresh.db"), sqlitedb.Migration(text))
	up := dump(t, filepath.Join(t.TempDir(), "up.db"), migrations...)
	if !slices.Equal(up, fresh) || len(fresh) < 4 {
		t.Errorf("the upgrades make\n%s\nschema.sql says\n%s", strings.Join(up, "\n"), strings.Join(fresh, "\n"))
	}
}

// A log of the first version goes on, with all its entries.
func TestUpgradeKeepsTheEntries(t *testing.T) {
	f := open(t)
	f.fill(t, 7)
	h, err := f.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(t.TempDir(), "old.db")
	db, err := sqlitedb.Open(t.Context(), old, migrations[:1])
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"ATTACH '" + f.o.Path + "' AS new", "INSERT INTO entries SELECT * FROM new.entries", "INSERT INTO hashes SELECT * FROM new.hashes", "INSERT INTO head SELECT * FROM new.head"} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err := VerifyFile(t.Context(), old, f.o.Key, f.VerifierKey(), h); err != nil || r.Size != 7 {
		t.Fatalf("before: %+v %v", r, err)
	}
	o := f.o
	o.Path = old
	l, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if r, err := l.Verify(t.Context(), h); err != nil || r.Size != 7 {
		t.Fatalf("after: %+v %v", r, err)
	}
	if seq, err := l.Append(t.Context(), Entry{Act: "login", Who: Who{ID: "p"}}); err != nil || seq != 8 {
		t.Fatal(seq, err)
	}
}
