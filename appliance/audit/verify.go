package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"veilbox/internal/keys"
)

// A Report is what Verify found.
type Report struct {
	Origin string    `json:"origin"`
	Size   int64     `json:"size"` // entries that the head signs
	Hash   string    `json:"hash"` // root, base64
	OK     bool      `json:"ok"`
	First  time.Time `json:"first,omitzero"` // time of the first entry
	Last   time.Time `json:"last,omitzero"`
	// Pruned is how many entries, from the first on, have lost their body to a
	// prune on record. Their hashes are checked, what they said cannot be.
	Pruned int64 `json:"pruned,omitempty"`
	// BadSeq is the first entry that is not as it was written, 0 where it is not
	// an entry or nothing is wrong.
	BadSeq int64  `json:"bad_seq"`
	Bad    string `json:"bad,omitempty"` // what is wrong
}

// Verify recomputes every hash from the entries and checks them against the
// stored tree, the head and its signature, and that each head of known (kept
// elsewhere, such as by the extranet) is a state that this log went through. It
// returns an error that wraps ErrTampered where the log is not as it was
// written, with a Report that names the first bad entry.
func (l *Log) Verify(ctx context.Context, known ...Head) (r Report, err error) {
	err = l.reading(ctx, func(q querier) error {
		r, err = verify(ctx, q, l.key, l.vkey, known)
		return err
	})
	return r, err
}

// reading calls f within one transaction, so that an append meanwhile is not
// seen halfway; deferred, so that it does not keep appends waiting.
func (l *Log) reading(ctx context.Context, f func(querier) error) error {
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	defer func() { _ = conn.Close() }() // back to the pool
	if _, err := conn.ExecContext(ctx, "BEGIN DEFERRED"); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	err = f(conn)
	if _, e := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); e != nil {
		err = errors.Join(err, fmt.Errorf("audit: %w", e))
	}
	return err
}

// VerifyFile is Verify on a file, which it only reads: for an auditor with the
// key that seals the entries and the verifier key that checks the heads.
func VerifyFile(ctx context.Context, path string, key keys.Key, verifierKey string, known ...Head) (r Report, err error) {
	err = readingFile(ctx, path, func(q querier) error {
		r, err = verify(ctx, q, entryKey(key), verifierKey, known)
		return err
	})
	return r, err
}

// readingFile is reading of a file, which is not changed.
func readingFile(ctx context.Context, path string, f func(querier) error) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	q := url.Values{"mode": {"ro"}, "_query_only": {"on"}, "_busy_timeout": {"10000"}}
	if _, err := os.Stat(path + "-wal"); errors.Is(err, fs.ErrNotExist) {
		// Nobody has it open: a copy, it may be on a medium that takes nothing.
		q.Set("immutable", "1")
	}
	db, err := sql.Open("sqlite3", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String())
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return errors.Join(fmt.Errorf("audit: open %s: %w", path, err), db.Close())
	}
	err = f(tx)
	_ = tx.Rollback() // it only read
	return errors.Join(err, db.Close())
}

// verify turns what check finds into a report.
func verify(ctx context.Context, q querier, key keys.Key, vkey string, known []Head) (Report, error) {
	var r Report
	err := check(ctx, q, key, vkey, known, &r)
	if err != nil && ctx.Err() == nil {
		// Whatever keeps the log from being read whole is a finding: a damaged
		// page and a changed one are told apart by a person, not by this.
		r.Bad = err.Error()
		if !errors.Is(err, ErrTampered) {
			err = fmt.Errorf("%w: %w", err, ErrTampered)
		}
	}
	r.OK = err == nil
	return r, err
}

func check(ctx context.Context, q querier, key keys.Key, vkey string, known []Head, r *Report) (err error) {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return fmt.Errorf("audit: verifier key: %w", err)
	}
	h, err := readHead(ctx, q, vkey)
	if err != nil {
		return err
	}
	r.Origin, r.Size, r.Hash = h.Origin, h.Size, h.Hash.String()
	rows, err := q.QueryContext(ctx, "SELECT seq, at, body FROM entries ORDER BY seq")
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	// The tree is built anew in memory, 64 bytes an entry, from the entries
	// alone; the stored one is only compared with it.
	tree := make([]tlog.Hash, 0, tlog.StoredHashCount(min(h.Size, 1<<20)))
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			if x < 0 || x >= int64(len(tree)) {
				return nil, fmt.Errorf("hash %d is missing", x)
			}
			out[i] = tree[x]
		}
		return out, nil
	})
	stored, err := q.QueryContext(ctx, "SELECT idx, hash FROM hashes ORDER BY idx")
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	defer func() { err = errors.Join(err, stored.Close()) }()
	var gone pruned
	seq := int64(1)
	for ; rows.Next(); seq++ {
		var n, at int64
		var body sql.RawBytes
		if err := rows.Scan(&n, &at, &body); err != nil {
			r.BadSeq = seq
			return fmt.Errorf("audit: entry %d: %w", seq, err)
		}
		var hashes []tlog.Hash
		e := Entry{At: time.UnixMicro(at).UTC()}
		switch {
		case n != seq:
			err = fmt.Errorf("it is missing, number %d follows", n)
		case body == nil:
			hashes, err = gone.add(seq, at, stored, int64(len(tree)), reader)
		default:
			if hashes, e, err = checkEntry(key, v.Name(), seq, at, body, reader); err == nil {
				err = compare(stored, int64(len(tree)), hashes)
			}
		}
		if err != nil {
			r.BadSeq = seq
			return fmt.Errorf("audit: entry %d: %w: %w", seq, err, ErrTampered)
		}
		tree = append(tree, hashes...)
		if seq == 1 {
			r.First = e.At
		}
		r.Last = e.At
		if e.Act == ActPrune {
			gone.last = e
		}
	}
	if err := rows.Err(); err != nil {
		r.BadSeq = seq
		return fmt.Errorf("audit: entry %d: %w", seq, err)
	}
	size := seq - 1
	if size != h.Size {
		r.BadSeq = min(size, h.Size) + 1
		return fmt.Errorf("audit: the signed head says %d entries, the file has %d: %w", h.Size, size, ErrTampered)
	}
	if stored.Next() {
		return fmt.Errorf("audit: the tree has more hashes than the entries give: %w", ErrTampered)
	}
	if err := stored.Err(); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	root, err := tlog.TreeHash(size, reader)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if root != h.Hash {
		return fmt.Errorf("audit: the entries do not give the signed root: %w", ErrTampered)
	}
	r.Pruned = int64(len(gone.times))
	if bad, err := gone.check(vkey, reader); err != nil {
		r.BadSeq = bad
		return fmt.Errorf("audit: entry %d: %w: %w", bad, err, ErrTampered)
	}
	return checkKnown(h, known, reader)
}

// checkEntry checks the entry seq and returns the hashes that it adds to the tree.
func checkEntry(key keys.Key, name string, seq, at int64, body []byte, reader tlog.HashReader) ([]tlog.Hash, Entry, error) {
	plain, e, err := openEntry(key, name, seq, body)
	if err != nil {
		return nil, e, err
	}
	if e.Seq != seq || e.At.UnixMicro() != at {
		return nil, e, errors.New("its number or time is not what was sealed")
	}
	hashes, err := tlog.StoredHashes(seq-1, plain, reader)
	return hashes, e, err
}

// next reads the stored hash idx, which must be the next one.
func next(stored *sql.Rows, idx int64) (h tlog.Hash, err error) {
	if !stored.Next() {
		return h, errors.Join(fmt.Errorf("hash %d of the tree is missing", idx), stored.Err())
	}
	var at int64
	var b sql.RawBytes
	if err := stored.Scan(&at, &b); err != nil {
		return h, err
	}
	if at != idx || len(b) != len(h) {
		return h, fmt.Errorf("hash %d of the tree is missing", idx)
	}
	copy(h[:], b)
	return h, nil
}

// compare reads as many stored hashes as want has and compares them.
func compare(stored *sql.Rows, first int64, want []tlog.Hash) error {
	for i, w := range want {
		idx := first + int64(i)
		h, err := next(stored, idx)
		if err != nil {
			return err
		}
		if h != w {
			return fmt.Errorf("hash %d of the tree is not that of the entries", idx)
		}
	}
	return nil
}

// checkKnown checks that the log went through every head of known.
func checkKnown(h Head, known []Head, reader tlog.HashReader) error {
	for _, k := range known {
		if k.Origin != "" && k.Origin != h.Origin {
			return fmt.Errorf("audit: the head kept elsewhere is of log %q, this is %q: %w", k.Origin, h.Origin, ErrTampered)
		}
		if k.Size > h.Size {
			return fmt.Errorf("audit: a head kept elsewhere has %d entries, this log %d: the last entries are gone: %w", k.Size, h.Size, ErrTampered)
		}
		root, err := tlog.TreeHash(k.Size, reader)
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		if root != k.Hash {
			return fmt.Errorf("audit: the log at %d entries is not what the head kept elsewhere says: it was rewritten: %w", k.Size, ErrTampered)
		}
	}
	return nil
}
