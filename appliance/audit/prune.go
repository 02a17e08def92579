package audit

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"veilbox/internal/sqlitedb"
)

// MinKeep is how long an entry is kept at least: the permission of 28-02-2020
// asks that logs are kept for a year.
const MinKeep = 365 * 24 * time.Hour

// ActPrune is the act of an entry that records a prune. Only Prune writes it.
const ActPrune = "audit.prune"

// What an entry of ActPrune says in About.
const (
	pruneUpto       = "upto"       // the last entry whose body was dropped, decimal
	pruneBefore     = "before"     // entries older than this (RFC 3339)
	pruneTimes      = "times"      // SHA-256, hex, of the times of entries 1 to upto
	pruneCheckpoint = "checkpoint" // the signed head just before
)

var pruner = Who{ID: "clock", Name: "clock", Role: "system"}

// A PruneReport says what Prune did.
type PruneReport struct {
	Seq     int64 `json:"seq"`     // the entry that records it; 0 where nothing was old enough
	Upto    int64 `json:"upto"`    // entries 1 to Upto have no body any more
	Dropped int64 `json:"dropped"` // how many of them lost it now
}

// Prune drops the bodies of the first entries, up to the first one that is not
// older than before, or than MinKeep. Their numbers, times and hashes stay, so
// that every head given out earlier still holds. The prune is an entry itself,
// written in the same transaction: bodies that are missing without one are
// tampering. Where nothing is old enough nothing is written.
func (l *Log) Prune(ctx context.Context, before time.Time) (PruneReport, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now().UTC().Truncate(time.Microsecond)
	if oldest := now.Add(-MinKeep); before.After(oldest) {
		before = oldest
	}
	before = before.UTC().Truncate(time.Microsecond)
	var r PruneReport
	err := sqlitedb.Tx(ctx, l.db, func(tx *sql.Tx) error {
		r = PruneReport{}
		var have int64
		if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) FROM entries WHERE body IS NULL").Scan(&have); err != nil {
			return fmt.Errorf("audit: prune: %w", err)
		}
		r.Upto = have
		upto, sum, err := older(ctx, tx, before)
		if err != nil || upto <= have {
			return err
		}
		h, err := readHead(ctx, tx, l.vkey)
		if err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, "UPDATE entries SET body = NULL WHERE seq <= ? AND body IS NOT NULL", upto)
		if err != nil {
			return fmt.Errorf("audit: prune: %w", err)
		}
		if r.Dropped, err = res.RowsAffected(); err != nil {
			return fmt.Errorf("audit: prune: %w", err)
		}
		r.Upto, r.Seq = upto, l.size+1
		return l.insert(ctx, tx, Entry{Seq: r.Seq, At: now, Act: ActPrune, Who: pruner, About: map[string]string{
			pruneUpto: strconv.FormatInt(upto, 10), pruneBefore: before.Format(time.RFC3339Nano),
			pruneTimes: hex.EncodeToString(sum), pruneCheckpoint: string(h.Note),
		}})
	})
	if err != nil {
		return PruneReport{}, err
	}
	if r.Seq > 0 {
		l.size++
	}
	// The file zeroes what it frees; the write-ahead log has the old pages until
	// it is cut. Also where nothing was dropped: an earlier prune may have been
	// stopped before this.
	var busy, pages, moved int
	if err := l.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved); err != nil {
		return r, fmt.Errorf("audit: prune: the bodies are dropped, and the write-ahead log still has them: %w: prune again", err)
	}
	if busy != 0 {
		return r, errors.New("audit: prune: the bodies are dropped, and the write-ahead log still has them because somebody is reading: prune again")
	}
	return r, nil
}

// older returns the last entry of the longest prefix of entries before the time
// given, and the sum of that prefix's times.
func older(ctx context.Context, q querier, before time.Time) (upto int64, sum []byte, err error) {
	rows, err := q.QueryContext(ctx, "SELECT seq, at FROM entries ORDER BY seq")
	if err != nil {
		return 0, nil, fmt.Errorf("audit: prune: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	h := sha256.New()
	for rows.Next() {
		var seq, at int64
		if err := rows.Scan(&seq, &at); err != nil {
			return 0, nil, fmt.Errorf("audit: prune: %w", err)
		}
		if at >= before.UnixMicro() {
			break
		}
		upto = seq
		addTime(h, at)
	}
	return upto, h.Sum(nil), rows.Err()
}

func addTime(h hash.Hash, at int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(at))
	h.Write(b[:])
}

// pruned is what Verify has seen of dropped bodies.
type pruned struct {
	times []int64 // of the entries without a body, from entry 1 on
	last  Entry   // the latest entry of ActPrune
}

// add takes the entry seq, whose body is gone, and returns its leaf and inner
// hashes. A gap in what is gone cannot be a prune, which takes a prefix.
func (p *pruned) add(seq, at int64, stored *sql.Rows, first int64, reader tlog.HashReader) ([]tlog.Hash, error) {
	if seq != int64(len(p.times))+1 {
		return nil, errors.New("its body is gone and that of an earlier one is not")
	}
	leaf, err := next(stored, first)
	if err != nil {
		return nil, err
	}
	hashes, err := tlog.StoredHashesForRecordHash(seq-1, leaf, reader)
	if err != nil {
		return nil, err
	}
	p.times = append(p.times, at)
	return hashes, compare(stored, first+1, hashes[1:])
}

// check holds what is gone against the latest prune on record. It returns the
// first entry that is not as that says.
func (p *pruned) check(vkey string, reader tlog.HashReader) (bad int64, err error) {
	n := int64(len(p.times))
	if p.last.Seq == 0 {
		if n > 0 {
			return 1, errors.New("its body is gone, and no prune is on record")
		}
		return 0, nil
	}
	upto, err := strconv.ParseInt(p.last.About[pruneUpto], 10, 64)
	if err != nil {
		return p.last.Seq, fmt.Errorf("it records a prune up to %q", p.last.About[pruneUpto])
	}
	switch {
	case n > upto:
		return upto + 1, fmt.Errorf("its body is gone, and the prune on record goes up to entry %d", upto)
	case n < upto:
		return n + 1, fmt.Errorf("it has a body, and the prune on record dropped those up to entry %d", upto)
	}
	oldest := p.last.At.Add(-MinKeep).UnixMicro()
	sum := sha256.New()
	for i, at := range p.times {
		if at >= oldest {
			return int64(i) + 1, fmt.Errorf("its body was dropped before it was %d days old", MinKeep/(24*time.Hour))
		}
		addTime(sum, at)
	}
	if hex.EncodeToString(sum.Sum(nil)) != p.last.About[pruneTimes] {
		return 1, errors.New("the times of the entries without a body are not those that the prune recorded")
	}
	h, err := ParseHead([]byte(p.last.About[pruneCheckpoint]), vkey)
	if err != nil {
		return p.last.Seq, err
	}
	if h.Size != p.last.Seq-1 {
		return p.last.Seq, fmt.Errorf("its checkpoint is of %d entries", h.Size)
	}
	root, err := tlog.TreeHash(h.Size, reader)
	if err != nil {
		return p.last.Seq, err
	}
	if root != h.Hash {
		return p.last.Seq, errors.New("the tree is not what its checkpoint says")
	}
	return 0, nil
}
