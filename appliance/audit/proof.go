package audit

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"veilbox/internal/keys"
)

// maxProof bounds a proof that comes from outside, in bytes of JSON.
const maxProof = 256 << 10

// ErrPruned says that an entry's body was dropped: what it said cannot be shown.
var ErrPruned = errors.New("the entry's body was pruned")

// A Proof shows one entry and that a signed head covers it, to somebody who has
// the verifier key and nothing else of the log.
type Proof struct {
	Entry string           `json:"entry"` // the canonical JSON that is hashed
	Head  string           `json:"head"`  // the signed checkpoint
	Path  tlog.RecordProof `json:"path"`  // RFC 6962, section 2.1.1
}

// Prove returns the proof of the entry seq under the present head.
func (l *Log) Prove(ctx context.Context, seq int64) (p Proof, err error) {
	err = l.reading(ctx, func(q querier) error {
		p, err = prove(ctx, q, l.key, l.vkey, seq)
		return err
	})
	return p, err
}

// ProveFile is Prove on a file, which it only reads.
func ProveFile(ctx context.Context, path string, key keys.Key, verifierKey string, seq int64) (p Proof, err error) {
	err = readingFile(ctx, path, func(q querier) error {
		p, err = prove(ctx, q, entryKey(key), verifierKey, seq)
		return err
	})
	return p, err
}

func prove(ctx context.Context, q querier, key keys.Key, vkey string, seq int64) (Proof, error) {
	h, err := readHead(ctx, q, vkey)
	if err != nil {
		return Proof{}, err
	}
	if seq < 1 || seq > h.Size {
		return Proof{}, fmt.Errorf("audit: there is no entry %d: the log has %d", seq, h.Size)
	}
	var body []byte
	if err := q.QueryRowContext(ctx, "SELECT body FROM entries WHERE seq = ?", seq).Scan(&body); errors.Is(err, sql.ErrNoRows) {
		return Proof{}, fmt.Errorf("audit: entry %d is missing: %w", seq, ErrTampered)
	} else if err != nil {
		return Proof{}, fmt.Errorf("audit: %w", err)
	}
	if body == nil {
		return Proof{}, fmt.Errorf("audit: entry %d: %w", seq, ErrPruned)
	}
	plain, _, err := openEntry(key, h.Origin, seq, body)
	if err != nil {
		return Proof{}, err
	}
	path, err := tlog.ProveRecord(h.Size, seq-1, hashReader(ctx, q))
	if err != nil {
		return Proof{}, fmt.Errorf("audit: %w", err)
	}
	p := Proof{Entry: string(plain), Head: string(h.Note), Path: path}
	if _, _, err := p.Check(vkey); err != nil {
		return Proof{}, fmt.Errorf("%w: %w", err, ErrTampered)
	}
	return p, nil
}

// ParseProof reads a proof's JSON, as json.Marshal writes it. It checks nothing
// but the form.
func ParseProof(b []byte) (Proof, error) {
	if len(b) > maxProof {
		return Proof{}, fmt.Errorf("audit: a proof is at most %d bytes", maxProof)
	}
	var p Proof
	if err := json.Unmarshal(b, &p); err != nil {
		return Proof{}, fmt.Errorf("audit: this is no proof: %w", err)
	}
	return p, nil
}

// Check checks the proof against the log's verifier key, which must come from
// elsewhere than the proof, and returns the entry and the head that covers it.
func (p Proof) Check(verifierKey string) (Entry, Head, error) {
	h, err := ParseHead([]byte(p.Head), verifierKey)
	if err != nil {
		return Entry{}, Head{}, err
	}
	var e Entry
	if err := json.Unmarshal([]byte(p.Entry), &e); err != nil {
		return Entry{}, Head{}, fmt.Errorf("audit: proof: the entry cannot be read: %w", err)
	}
	// One spelling only, so that what is shown is all that was hashed.
	if b, err := e.canonical(); err != nil || string(b) != p.Entry {
		return Entry{}, Head{}, errors.New("audit: proof: the entry is not in its canonical form: give the proof as it was written")
	}
	if e.Seq < 1 || e.Seq > h.Size {
		return Entry{}, Head{}, fmt.Errorf("audit: proof: entry %d under a head of %d entries", e.Seq, h.Size)
	}
	if err := tlog.CheckRecord(p.Path, h.Size, h.Hash, e.Seq-1, tlog.RecordHash([]byte(p.Entry))); err != nil {
		return Entry{}, Head{}, fmt.Errorf("audit: proof: the head does not cover this entry: %w", err)
	}
	return e, h, nil
}
