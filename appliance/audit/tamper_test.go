package audit

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"veilbox/internal/sqlitedb"
)

// alter changes a closed log's file behind its back.
func alter(t *testing.T, path, query string, args ...any) {
	t.Helper()
	db, err := sqlitedb.Open(t.Context(), path, migrations)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(query, args...); err != nil {
		t.Fatal(err)
	}
}

// copyOf returns a copy of the file at path.
func copyOf(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestTampering(t *testing.T) {
	f := open(t)
	f.fill(t, 13)
	old, err := f.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Append(t.Context(), Entry{Act: "login", Who: Who{ID: "p"}}); err != nil {
		t.Fatal(err)
	}
	f.Close()
	forged := Entry{Seq: 4, At: start, Act: "login", Who: Who{ID: "someone-else"}}
	plain, err := forged.canonical()
	if err != nil {
		t.Fatal(err)
	}
	key := entryKey(f.o.Key)
	for _, c := range []struct {
		name, query string
		args        []any
		bad         int64
	}{
		{"an entry sealed anew by who has the key", "UPDATE entries SET body = ? WHERE seq = 4", []any{key.Seal(f.context(4), plain)}, 4},
		{"an entry gone", "DELETE FROM entries WHERE seq = 7", nil, 7},
		{"the first entry gone", "DELETE FROM entries WHERE seq = 1", nil, 1},
		{"the last entry gone", "DELETE FROM entries WHERE seq = 14", nil, 14},
		{"two entries swapped", "UPDATE entries SET body = (SELECT body FROM entries AS o WHERE o.seq = 15 - entries.seq) WHERE seq IN (7, 8)", nil, 7},
		{"an entry inserted", "INSERT INTO entries SELECT 15, at, body FROM entries WHERE seq = 14", nil, 15},
		{"an entry moved", "UPDATE entries SET seq = 99 WHERE seq = 14", nil, 14},
		{"a time moved", "UPDATE entries SET at = at + 1 WHERE seq = 9", nil, 9},
		{"a hash gone", "DELETE FROM hashes WHERE idx = 3", nil, 3},
		{"a hash more", "INSERT INTO hashes SELECT 1000, hash FROM hashes WHERE idx = 1", nil, 0},
		{"a hash of another", "UPDATE hashes SET hash = (SELECT hash FROM hashes WHERE idx = 0) WHERE idx = 1", nil, 2},
		{"no head", "DELETE FROM head", nil, 0},
		{"an old head", "UPDATE head SET note = ?", []any{old.Note}, 14},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := copyOf(t, f.o.Path)
			alter(t, path, c.query, c.args...)
			r, err := VerifyFile(t.Context(), path, f.o.Key, f.VerifierKey())
			if !errors.Is(err, ErrTampered) || r.OK || r.Bad == "" || r.BadSeq != c.bad {
				t.Fatalf("%+v, %v; want entry %d", r, err, c.bad)
			}
		})
	}
}

// A file cut back together with its head, as an older backup is, fits together.
// Only a head kept elsewhere shows it, and it must.
func TestCutBackWithItsHead(t *testing.T) {
	f := open(t)
	f.fill(t, 9)
	old, err := f.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Append(t.Context(), Entry{Act: "footage.view", Who: Who{ID: "thief"}}); err != nil {
		t.Fatal(err)
	}
	kept, err := f.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	path := copyOf(t, f.o.Path)
	alter(t, path, "DELETE FROM entries WHERE seq = 10")
	alter(t, path, "DELETE FROM hashes WHERE idx >= ?", tlog.StoredHashCount(9))
	alter(t, path, "UPDATE head SET note = ?", old.Note)
	if r, err := VerifyFile(t.Context(), path, f.o.Key, f.VerifierKey()); err != nil {
		t.Fatalf("the forgery does not fit together: %+v %v", r, err)
	}
	if _, err := VerifyFile(t.Context(), path, f.o.Key, f.VerifierKey(), kept); !errors.Is(err, ErrTampered) {
		t.Errorf("cut back: %v", err)
	}
	// Grown again to the same length with another act in that place.
	o := f.o
	o.Path = path
	l, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Append(t.Context(), Entry{Act: "login", Who: Who{ID: "nobody"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Verify(t.Context(), old, kept); !errors.Is(err, ErrTampered) {
		t.Errorf("rewritten: %v", err)
	}
}

func TestOpenRefusesWhatDoesNotFit(t *testing.T) {
	f := open(t)
	f.fill(t, 5)
	f.Close()
	for _, query := range []string{
		"DELETE FROM entries WHERE seq = 5", "DELETE FROM head", "UPDATE head SET note = x'00'", "DELETE FROM hashes WHERE idx = 0",
		"UPDATE hashes SET hash = zeroblob(32) WHERE idx = 7",
	} {
		o := f.o
		o.Path = copyOf(t, f.o.Path)
		alter(t, o.Path, query)
		if _, err := Open(t.Context(), o); !errors.Is(err, ErrTampered) {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// TestEveryByteOfTheData flips each byte of every entry, hash and head.
func TestEveryByteOfTheData(t *testing.T) {
	f := open(t)
	f.fill(t, 5)
	f.Close()
	db, err := sqlitedb.Open(t.Context(), f.o.Path, migrations)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("PRAGMA synchronous = OFF"); err != nil {
		t.Fatal(err)
	}
	flips := 0
	for _, col := range []struct{ table, id, value string }{{"entries", "seq", "body"}, {"hashes", "idx", "hash"}, {"head", "id", "note"}} {
		rows, err := db.Query("SELECT " + col.id + ", " + col.value + " FROM " + col.table)
		if err != nil {
			t.Fatal(err)
		}
		values := map[int64][]byte{}
		for rows.Next() {
			var id int64
			var v []byte
			if err := rows.Scan(&id, &v); err != nil {
				t.Fatal(err)
			}
			values[id] = v
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		for id, v := range values {
			for i := range v {
				if col.table == "entries" && i%7 != int(id)%7 {
					continue // a seventh of them, another one in each entry
				}
				flips++
				v[i] ^= 1 << (i % 8)
				put(t, db, col.table, col.value, col.id, id, v)
				tx, err := db.Begin()
				if err != nil {
					t.Fatal(err)
				}
				r, err := verify(t.Context(), tx, entryKey(f.o.Key), f.VerifierKey(), nil)
				tx.Rollback()
				if !errors.Is(err, ErrTampered) {
					t.Fatalf("byte %d of %s %d: %+v %v", i, col.table, id, r, err)
				}
				v[i] ^= 1 << (i % 8)
				put(t, db, col.table, col.value, col.id, id, v)
			}
		}
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := verify(t.Context(), tx, entryKey(f.o.Key), f.VerifierKey(), nil); err != nil {
		t.Fatalf("put back as it was: %v", err)
	}
	if flips < 500 {
		t.Fatalf("only %d bytes were flipped", flips)
	}
}

func put(t *testing.T, db *sql.DB, table, value, id string, n int64, v []byte) {
	t.Helper()
	if _, err := db.Exec("UPDATE "+table+" SET "+value+" = ? WHERE "+id+" = ?", v, n); err != nil {
		t.Fatal(err)
	}
}

// TestBytesOfTheFile flips bytes of the file itself. Either it shows, or the
// byte holds nothing of the log: every entry and the head are still the same.
func TestBytesOfTheFile(t *testing.T) {
	f := open(t)
	f.fill(t, 40)
	f.Close()
	want := contents(t, f.o.Path)
	b, err := os.ReadFile(f.o.Path)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.db")
	found, quiet := 0, 0
	for i := 0; i < len(b); i += 37 {
		b[i] ^= 0x10
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		b[i] ^= 0x10
		r, err := VerifyFile(t.Context(), path, f.o.Key, f.VerifierKey())
		if err != nil {
			found++
			continue
		}
		quiet++
		if r.Size != 40 || !reflect.DeepEqual(contents(t, path), want) {
			t.Fatalf("byte %d changed the log and it verifies", i)
		}
	}
	if found < 100 || found < quiet/20 {
		t.Fatalf("%d flips were found, %d held nothing: the test flips too little of the log", found, quiet)
	}
	t.Logf("%d flips found, %d of bytes that hold nothing", found, quiet)
}

// contents reads what the log says, in order.
func contents(t *testing.T, path string) []string {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro&immutable=1")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var out []string
	for _, q := range []string{"SELECT seq || ' ' || at || ' ' || hex(body) FROM entries ORDER BY seq", "SELECT hex(note) FROM head"} {
		rows, err := db.Query(q)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				t.Fatal(err)
			}
			out = append(out, s)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// A box whose file is put back to an older state goes on as if nothing had been.
// Whoever keeps its newest head, as the extranet does, sees it at the next head:
// a shorter log, or one that does not extend the head known. A prune between
// changes nothing in that.
func TestPutBackFile(t *testing.T) {
	for name, prune := range map[string]bool{"plain": false, "pruned": true} {
		t.Run(name, func(t *testing.T) {
			f, _ := aged(t)
			f.Close()
			older := copyOf(t, f.o.Path)
			l, err := Open(t.Context(), f.o)
			if err != nil {
				t.Fatal(err)
			}
			if prune {
				if _, err := l.Prune(t.Context(), f.clock.Now()); err != nil {
					t.Fatal(err)
				}
			}
			for range 3 {
				if _, err := l.Append(t.Context(), Entry{Act: "footage.view", Who: Who{ID: "thief"}}); err != nil {
					t.Fatal(err)
				}
			}
			kept, err := l.Head(t.Context()) // at the extranet
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
			o := f.o
			o.Path = older
			back, err := Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer back.Close()
			for range 6 {
				h, err := back.Head(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				var proof tlog.TreeProof
				if h.Size >= kept.Size {
					if proof, err = back.ConsistencyProof(t.Context(), kept.Size, h.Size); err != nil {
						t.Fatal(err)
					}
				}
				if err := CheckConsistency(kept, h, proof); !errors.Is(err, ErrTampered) {
					t.Errorf("%d entries after %d: %v", h.Size, kept.Size, err)
				}
				if _, err := back.Verify(t.Context(), kept); !errors.Is(err, ErrTampered) {
					t.Errorf("%d entries after %d, verified: %v", h.Size, kept.Size, err)
				}
				if _, err := back.Append(t.Context(), Entry{Act: "login", Who: Who{ID: "p"}}); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
