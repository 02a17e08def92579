package audit

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"veilbox/internal/clock"
	"veilbox/internal/keys"
	"veilbox/internal/sqlitedb"
)

//go:embed upgrades/*.sql
var upgrades embed.FS

var migrations = []sqlitedb.Migration{upgrade("001"), upgrade("002")}

func upgrade(name string) sqlitedb.Migration {
	b, err := upgrades.ReadFile("upgrades/" + name + ".sql")
	if err != nil {
		panic(err) // a name above that is not among the embedded files
	}
	return sqlitedb.Migration(b)
}

// Options are what a Log needs.
type Options struct {
	Path    string   // the SQLite file
	Key     keys.Key // seals the entries
	Name    string   // the log's origin, such as "veilbox-box-k3x"; no spaces, no "+"
	Signing ed25519.PrivateKey
	Clock   clock.Clock
}

// A Log is safe for concurrent use. One process writes to a file.
type Log struct {
	db     *sql.DB
	key    keys.Key
	signer signer
	vkey   string
	clock  clock.Clock

	mu   sync.Mutex // one append at a time; guards size
	size int64
}

// Open opens the log, or makes an empty one with a signed head. It checks the
// head's signature and that head, tree and number of entries fit together;
// Verify checks every entry.
func Open(ctx context.Context, o Options) (*Log, error) {
	if o.Path == "" || o.Key.IsZero() || o.Clock == nil {
		return nil, errors.New("audit: path, key and clock are needed")
	}
	s, vkey, err := newSigner(o.Name, o.Signing)
	if err != nil {
		return nil, err
	}
	db, err := sqlitedb.Open(ctx, o.Path, migrations)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	l := &Log{db: db, key: entryKey(o.Key), signer: s, vkey: vkey, clock: o.Clock}
	if err := l.start(ctx); err != nil {
		_ = db.Close() // the first error is the one to act on
		return nil, err
	}
	return l, nil
}

func entryKey(k keys.Key) keys.Key { return k.Derive("veilbox audit entries 1") }

func (l *Log) start(ctx context.Context) error {
	return sqlitedb.Tx(ctx, l.db, func(tx *sql.Tx) error {
		h, err := readHead(ctx, tx, l.vkey)
		if errors.Is(err, sql.ErrNoRows) {
			var n int64
			if err := tx.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM entries) + (SELECT count(*) FROM hashes)").Scan(&n); err != nil {
				return fmt.Errorf("audit: %w", err)
			}
			if n != 0 {
				return fmt.Errorf("audit: the log has entries and no head: run the audit verification, and compare with the extranet's head: %w", ErrTampered)
			}
			return l.putHead(ctx, tx, 0)
		}
		if err != nil {
			return err
		}
		if err := fits(ctx, tx, h); err != nil {
			return err
		}
		l.size = h.Size
		return nil
	})
}

// A querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// readHead returns the stored head, or an error that wraps sql.ErrNoRows.
func readHead(ctx context.Context, q querier, vkey string) (Head, error) {
	var b []byte
	if err := q.QueryRowContext(ctx, "SELECT note FROM head WHERE id = 1").Scan(&b); err != nil {
		return Head{}, fmt.Errorf("audit: read the head: %w", err)
	}
	h, err := ParseHead(b, vkey)
	if err != nil {
		return Head{}, fmt.Errorf("%w: %w", err, ErrTampered)
	}
	return h, nil
}

// fits checks that the tree has h's root and that there are h.Size entries.
func fits(ctx context.Context, q querier, h Head) error {
	var entries, hashes int64
	var last sql.NullInt64
	if err := q.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM entries), (SELECT max(seq) FROM entries), (SELECT count(*) FROM hashes)").Scan(&entries, &last, &hashes); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if entries != h.Size || entries > 0 && last.Int64 != h.Size {
		return fmt.Errorf("audit: the head says %d entries, the file has %d: %w", h.Size, entries, ErrTampered)
	}
	if want := tlog.StoredHashCount(h.Size); hashes != want {
		return fmt.Errorf("audit: the tree of %d entries has %d hashes, the file has %d: %w", h.Size, want, hashes, ErrTampered)
	}
	root, err := tlog.TreeHash(h.Size, hashReader(ctx, q))
	if err != nil {
		return fmt.Errorf("audit: %w: %w", err, ErrTampered)
	}
	if root != h.Hash {
		return fmt.Errorf("audit: the tree's root is not the signed one: %w", ErrTampered)
	}
	return nil
}

func hashReader(ctx context.Context, q querier) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			var b []byte
			if err := q.QueryRowContext(ctx, "SELECT hash FROM hashes WHERE idx = ?", x).Scan(&b); err != nil {
				return nil, fmt.Errorf("hash %d: %w", x, err)
			}
			if len(b) != tlog.HashSize {
				return nil, fmt.Errorf("hash %d has %d bytes", x, len(b))
			}
			copy(out[i][:], b)
		}
		return out, nil
	})
}

// putHead signs and stores the head of the tree of size entries.
func (l *Log) putHead(ctx context.Context, tx *sql.Tx, size int64) error {
	root, err := tlog.TreeHash(size, hashReader(ctx, tx))
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	b, err := l.signer.checkpoint(size, root)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO head (id, note) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET note = excluded.note", b); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// Append records e with the next sequence number and the time of now, and
// returns the number. When it returns, e and the new head are on the disk.
func (l *Log) Append(ctx context.Context, e Entry) (int64, error) {
	if e.Act == ActPrune {
		return 0, fmt.Errorf("audit: %s is recorded by a prune alone", ActPrune)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Seq, e.At = l.size+1, l.clock.Now().UTC().Truncate(time.Microsecond)
	if err := sqlitedb.Tx(ctx, l.db, func(tx *sql.Tx) error { return l.insert(ctx, tx, e) }); err != nil {
		return 0, err
	}
	l.size++
	return e.Seq, nil
}

// insert writes e, its hashes and the new head.
func (l *Log) insert(ctx context.Context, tx *sql.Tx, e Entry) error {
	if err := e.check(); err != nil {
		return err
	}
	plain, err := e.canonical()
	if err != nil {
		return err
	}
	hashes, err := tlog.StoredHashes(e.Seq-1, plain, hashReader(ctx, tx))
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO entries (seq, at, body) VALUES (?, ?, ?)", e.Seq, e.At.UnixMicro(), l.key.Seal(l.context(e.Seq), plain)); err != nil {
		return fmt.Errorf("audit: append: %w", err)
	}
	first := tlog.StoredHashIndex(0, e.Seq-1)
	for i, h := range hashes {
		if _, err := tx.ExecContext(ctx, "INSERT INTO hashes (idx, hash) VALUES (?, ?)", first+int64(i), h[:]); err != nil {
			return fmt.Errorf("audit: append: %w", err)
		}
	}
	return l.putHead(ctx, tx, e.Seq)
}

func (l *Log) context(seq int64) string { return sealContext(l.signer.Name(), seq) }

// sealContext ties a sealed entry to its log and place.
func sealContext(name string, seq int64) string {
	return "audit/" + name + "/" + strconv.FormatInt(seq, 10)
}

// Head returns the signed head.
func (l *Log) Head(ctx context.Context) (Head, error) { return readHead(ctx, l.db, l.vkey) }

// VerifierKey returns the text form of the public key that checks the heads.
func (l *Log) VerifierKey() string { return l.vkey }

// Close closes the file.
func (l *Log) Close() error { return l.db.Close() }

// ConsistencyProof proves that the tree of newSize entries extends that of
// oldSize, for CheckConsistency. It is empty where there is nothing to prove.
func (l *Log) ConsistencyProof(ctx context.Context, oldSize, newSize int64) (tlog.TreeProof, error) {
	h, err := l.Head(ctx)
	if err != nil {
		return nil, err
	}
	if oldSize < 0 || oldSize > newSize || newSize > h.Size {
		return nil, fmt.Errorf("audit: no proof from %d to %d: the log has %d entries", oldSize, newSize, h.Size)
	}
	if oldSize == 0 {
		return tlog.TreeProof{}, nil
	}
	p, err := tlog.ProveTree(newSize, oldSize, hashReader(ctx, l.db))
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return p, nil
}

// Entries returns the entries that f chooses.
func (l *Log) Entries(ctx context.Context, f Filter) ([]Entry, error) {
	limit := f.Limit
	if limit <= 0 || limit > MaxEntries {
		limit = MaxEntries
	}
	var out []Entry
	err := l.scan(ctx, f, func(e Entry) (bool, error) {
		out = append(out, e)
		return len(out) < limit, nil
	})
	return out, err
}

// scan calls each with the entries that f chooses until it returns false.
func (l *Log) scan(ctx context.Context, f Filter, each func(Entry) (bool, error)) (err error) {
	query, args := "SELECT seq, body FROM entries WHERE body IS NOT NULL", []any{}
	order := " ORDER BY seq"
	switch {
	case f.After > 0 && f.Newest:
		query, args = query+" AND seq < ?", append(args, f.After)
	case f.After > 0:
		query, args = query+" AND seq > ?", append(args, f.After)
	}
	if !f.From.IsZero() {
		query, args = query+" AND at >= ?", append(args, f.From.UnixMicro())
	}
	if !f.To.IsZero() {
		query, args = query+" AND at < ?", append(args, f.To.UnixMicro())
	}
	if f.Newest {
		order += " DESC"
	}
	rows, err := l.db.QueryContext(ctx, query+order, args...)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var seq int64
		var body sql.RawBytes
		if err := rows.Scan(&seq, &body); err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		_, e, err := openEntry(l.key, l.signer.Name(), seq, body)
		if err != nil {
			return err
		}
		if !f.match(&e) {
			continue
		}
		more, err := each(e)
		if err != nil || !more {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// openEntry unseals the entry at seq and returns its canonical JSON too.
func openEntry(k keys.Key, name string, seq int64, body []byte) ([]byte, Entry, error) {
	plain, err := k.Open(sealContext(name, seq), body)
	if err != nil {
		return nil, Entry{}, fmt.Errorf("audit: entry %d: %w: %w", seq, err, ErrTampered)
	}
	var e Entry
	if err := json.Unmarshal(plain, &e); err != nil {
		return nil, Entry{}, fmt.Errorf("audit: entry %d: %w: %w", seq, err, ErrTampered)
	}
	return plain, e, nil
}
