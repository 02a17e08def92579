// Package outbox is the durable queue of what a box owes the extranet:
// disclosures with their ciphertext, withdrawals, documented police reports,
// reassessments, narrowings, and records of deletion.
//
// Its store is outbox.db and the folder outbox in Dir; bodies are sealed, and
// the video is ciphertext already. An item stays until the extranet has answered
// and the callback has returned nil, so each callback comes at least once.
//
// What cannot be sent now is tried again after 5 s, then twice as long each
// time, up to 15 minutes, for as long as it takes. An answer that trying again
// cannot change refuses the item. A withdrawal takes its disclosure out of the
// queue and overtakes everything else. A circle that is narrowed before its
// disclosure has arrived is narrowed before anybody can see it. The same act queued
// twice counts once.
//
// The upload is tus 1.0: ask for the offset, then send 1 MiB at a time. Times in
// the store are Unix milliseconds.
package outbox

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"veilbox/appliance/incident"
	"veilbox/internal/clock"
	"veilbox/internal/durable"
	"veilbox/internal/keys"
	"veilbox/internal/problem"
	"veilbox/internal/sqlitedb"
	"veilbox/uplink/link"
	"veilbox/uplink/wire"
)

// Backoff of an item that could not be sent.
const (
	backoffFirst = 5 * time.Second
	backoffMost  = 15 * time.Minute
	keepDone     = 30 * 24 * time.Hour
)

var migrations = []sqlitedb.Migration{`
CREATE TABLE item (
	id         INTEGER PRIMARY KEY,
	kind       TEXT NOT NULL,    -- a Kind
	disclosure TEXT NOT NULL,
	state      TEXT NOT NULL,    -- queued, done, refused, cancelled
	body       BLOB,             -- sealed JSON; gone once done
	size       INTEGER NOT NULL, -- bytes of the file
	sent       INTEGER NOT NULL,
	tries      INTEGER NOT NULL,
	next       INTEGER NOT NULL,
	waiting    TEXT NOT NULL,    -- the problem as JSON
	created    INTEGER NOT NULL,
	ended      INTEGER
) STRICT;
CREATE UNIQUE INDEX item_once ON item (disclosure) WHERE kind = 'disclose';
CREATE INDEX item_due ON item (state, next);
`, `
-- what makes two items the same act; empty: older than this column
ALTER TABLE item ADD COLUMN same TEXT NOT NULL DEFAULT '';
CREATE INDEX item_same ON item (disclosure, kind, same);
`}

// A Kind is what an item does.
type Kind string

const (
	Disclose Kind = "disclose"
	Withdraw Kind = "withdraw"
	Report   Kind = "report"
	Reassess Kind = "reassess" // and narrowing
	Deleted  Kind = "deleted"  // what another member shared was deleted here
)

// A State is where an item stands.
type State string

const (
	Queued    State = "queued"
	Done      State = "done"
	Refused   State = "refused"
	Cancelled State = "cancelled" // a withdrawal overtook it
)

// A Receipt says that the extranet holds a disclosure.
type Receipt struct {
	Disclosure incident.DisclosureID
	At         time.Time
	Ends       time.Time
}

// A Refusal says that the extranet refused an item, and why.
type Refusal struct {
	Kind       Kind
	Disclosure incident.DisclosureID
	Problem    *problem.Problem
}

// Options of an Outbox.
type Options struct {
	Dir   string
	Key   keys.Key
	Clock clock.Clock
	Log   *slog.Logger
	// Link returns the connection, or why there is none (fleet.ErrNotEnrolled).
	Link func() (*link.Client, error)
	// OnReceipt and OnRefused are called at least once each; an error makes the
	// outbox call again later.
	OnReceipt func(context.Context, Receipt) error
	OnRefused func(context.Context, Refusal) error
}

// An Outbox is safe for concurrent use.
type Outbox struct {
	o      Options
	db     *sql.DB
	folder string
	wake   [2]chan struct{} // one a worker
}

// Open opens the outbox and removes files that no item names.
func Open(ctx context.Context, o Options) (*Outbox, error) {
	b := &Outbox{o: o, folder: filepath.Join(o.Dir, "outbox"), wake: [2]chan struct{}{make(chan struct{}, 1), make(chan struct{}, 1)}}
	if err := os.MkdirAll(b.folder, 0o700); err != nil {
		return nil, fmt.Errorf("outbox: make the folder: %w", err)
	}
	var err error
	if b.db, err = sqlitedb.Open(ctx, filepath.Join(o.Dir, "outbox.db"), migrations); err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	if err := b.tidy(ctx); err != nil {
		_ = b.db.Close() // the first error is the one to act on
		return nil, err
	}
	return b, nil
}

// Close closes the store.
func (b *Outbox) Close() error { return b.db.Close() }

func (b *Outbox) tidy(ctx context.Context) error {
	if _, err := b.db.ExecContext(ctx, "DELETE FROM item WHERE state <> 'queued' AND ended < ?", ms(b.o.Clock.Now().Add(-keepDone))); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	files, err := os.ReadDir(b.folder)
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	for _, f := range files {
		id, _ := strings.CutSuffix(f.Name(), ".sealed")
		var n int
		if err := b.db.QueryRowContext(ctx, "SELECT count(*) FROM item WHERE kind = 'disclose' AND state = 'queued' AND disclosure = ?", id).Scan(&n); err != nil {
			return fmt.Errorf("outbox: %w", err)
		}
		if n > 0 {
			continue
		}
		if err := durable.Remove(filepath.Join(b.folder, f.Name())); err != nil {
			return fmt.Errorf("outbox: remove a left-over file: %w", err)
		}
	}
	return nil
}

// A File takes the ciphertext of one disclosure, as dst of parcel.Seal.
type File struct {
	f *os.File
}

// NewFile makes a file in the outbox. Give it to Disclose, or Discard it.
func (b *Outbox) NewFile() (*File, error) {
	f, err := os.CreateTemp(b.folder, "new-*")
	if err != nil {
		return nil, fmt.Errorf("outbox: make a file: %w", err)
	}
	return &File{f}, nil
}

// Write appends to the file.
func (f *File) Write(p []byte) (int, error) { return f.f.Write(p) }

// Discard removes the file; after Disclose it does nothing.
func (f *File) Discard() error {
	if f.f == nil {
		return nil
	}
	name := f.f.Name()
	err := errors.Join(f.f.Close(), os.Remove(name))
	f.f = nil
	return err
}

func (b *Outbox) path(id incident.DisclosureID) string {
	return filepath.Join(b.folder, string(id)+".sealed")
}

type disclosure struct {
	Manifest wire.SignedManifest `json:"manifest"`
	Envelope wire.Envelope       `json:"envelope"`
}

// Disclose queues a sealed copy. When it returns nil, the disclosure survives a
// power cut and will be sent.
func (b *Outbox) Disclose(ctx context.Context, sm wire.SignedManifest, env wire.Envelope, f *File) error {
	m, err := sm.Parse()
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	if err := env.Check(m); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	if f.f == nil {
		return errors.New("outbox: the file was given away already")
	}
	same := b.mac(Disclose, m.Challenge())
	switch had, err := b.queued(ctx, m.Disclosure); {
	case err != nil:
		return err
	case had == same:
		return nil // the caller discards its file
	case had != "":
		return fmt.Errorf("outbox: disclosure %s was queued before, and is another or has ended: approve the case anew", m.Disclosure)
	}
	name := f.f.Name()
	if err := f.f.Sync(); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	info, err := f.f.Stat()
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	if info.Size() != m.Content.Size {
		return fmt.Errorf("outbox: the ciphertext is %d bytes, the manifest says %d", info.Size(), m.Content.Size)
	}
	if err := os.Rename(name, b.path(m.Disclosure)); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	if err := durable.SyncDir(b.folder); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	// What was written is synced; closing can lose nothing.
	_ = f.f.Close()
	f.f = nil
	return b.put(ctx, Disclose, m.Disclosure, disclosure{sm, env}, m.Content.Size, same)
}

// Withdraw queues a withdrawal, and stops the disclosure where it is still on
// its way.
func (b *Outbox) Withdraw(ctx context.Context, id incident.DisclosureID, r wire.WithdrawRequest) error {
	if err := r.Check(); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	return b.put(ctx, Withdraw, id, r, 0, b.mac(Withdraw, nil))
}

// Report queues the documentation of a police report.
func (b *Outbox) Report(ctx context.Context, id incident.DisclosureID, r wire.ReportRequest) error {
	if err := r.Check(); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	return b.put(ctx, Report, id, r, 0, b.mac(Report, []byte(r.Number.String()+r.At.UTC().Format(time.RFC3339Nano))))
}

// Reassess queues a reassessment, or a narrowing of the circle.
func (b *Outbox) Reassess(ctx context.Context, id incident.DisclosureID, r wire.ReassessRequest) error {
	if err := r.Check(); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	act := r
	act.At = time.Time{} // the same act done again has another time
	j, err := json.Marshal(act)
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	return b.put(ctx, Reassess, id, r, 0, b.mac(Reassess, j))
}

// Deleted queues the record that this shop has deleted what it had of another's
// disclosure.
func (b *Outbox) Deleted(ctx context.Context, id incident.DisclosureID, r wire.DeletedRequest) error {
	if err := r.Check(); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	return b.put(ctx, Deleted, id, r, 0, b.mac(Deleted, []byte(r.Person)))
}

// mac names an act without saying what it is.
func (b *Outbox) mac(k Kind, act []byte) string {
	h := hmac.New(sha256.New, b.o.Key.Derive("outbox same").Bytes())
	h.Write([]byte(string(k) + "\x00"))
	h.Write(act)
	return hex.EncodeToString(h.Sum(nil))
}

// queued returns the mac of the item that sends a disclosure; "?" where it is older
// than these, or was refused or cancelled; "" where there is none.
func (b *Outbox) queued(ctx context.Context, id incident.DisclosureID) (same string, err error) {
	err = b.db.QueryRowContext(ctx, "SELECT iif(same = '' OR state NOT IN ('queued', 'done'), '?', same) FROM item WHERE kind = 'disclose' AND disclosure = ?", id).Scan(&same)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("outbox: %w", err)
	}
	return same, nil
}

func label(k Kind, id incident.DisclosureID) string {
	return "outbox/" + string(k) + "/" + string(id)
}

func (b *Outbox) put(ctx context.Context, k Kind, id incident.DisclosureID, body any, size int64, same string) error {
	if !wire.ValidID(string(id)) {
		return fmt.Errorf("outbox: %q is no disclosure", id)
	}
	j, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	now := ms(b.o.Clock.Now())
	err = sqlitedb.Tx(ctx, b.db, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM item WHERE disclosure = ? AND kind = ? AND same = ? AND state IN ('queued', 'done')", id, k, same).Scan(&n); err != nil || n > 0 {
			return err
		}
		if k == Withdraw {
			if _, err := tx.ExecContext(ctx, "UPDATE item SET state = 'cancelled', body = NULL, ended = ? WHERE disclosure = ? AND state = 'queued'", now, id); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO item (kind, disclosure, state, body, size, sent, tries, next, waiting, created, same) VALUES (?,?,'queued',?,?,0,0,?,'',?,?)",
			k, id, b.o.Key.Seal(label(k, id), j), size, now, now, same)
		return err
	})
	if err != nil {
		return fmt.Errorf("outbox: queue: %w", err)
	}
	b.Wake()
	return nil
}

// Wake makes the workers look again at once: an item was queued, or the network
// came back.
func (b *Outbox) Wake() {
	for _, c := range b.wake {
		select {
		case c <- struct{}{}:
		default: // woken already
		}
	}
}

// An Item is how the page shows one thing on its way.
type Item struct {
	Kind       Kind                  `json:"kind"`
	Disclosure incident.DisclosureID `json:"disclosure"`
	State      State                 `json:"state"`
	Sent       int64                 `json:"sent"` // bytes the extranet has confirmed
	Size       int64                 `json:"size"`
	Tries      int                   `json:"tries"`
	Next       time.Time             `json:"next"`
	Created    time.Time             `json:"created"`
	// Cause and Remedy say why it waits or was refused; empty: nothing is wrong.
	Code   string       `json:"code,omitempty"`
	Cause  problem.Text `json:"cause"`
	Remedy problem.Text `json:"remedy"`
}

type waiting struct {
	Code   string       `json:"code"`
	Status int          `json:"status"`
	Cause  problem.Text `json:"cause"`
	Remedy problem.Text `json:"remedy"`
}

// Status returns the newest items of the last 30 days, 1000 at most.
func (b *Outbox) Status(ctx context.Context) ([]Item, error) {
	return b.items(ctx, "ORDER BY id DESC LIMIT 1000")
}

// Disclosure returns the item that sends a disclosure; ok is false where it was
// never queued, or was done more than 30 days ago.
func (b *Outbox) Disclosure(ctx context.Context, id incident.DisclosureID) (it Item, ok bool, err error) {
	items, err := b.items(ctx, "WHERE kind = 'disclose' AND disclosure = ?", id)
	if err != nil || len(items) == 0 {
		return Item{}, false, err
	}
	return items[0], true, nil
}

func (b *Outbox) items(ctx context.Context, rest string, args ...any) ([]Item, error) {
	rows, err := b.db.QueryContext(ctx, "SELECT kind, disclosure, state, sent, size, tries, next, created, waiting FROM item "+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	defer rows.Close()
	var out []Item
	for rows.Next() {
		var it Item
		var next, created int64
		var wait string
		if err := rows.Scan(&it.Kind, &it.Disclosure, &it.State, &it.Sent, &it.Size, &it.Tries, &next, &created, &wait); err != nil {
			return nil, fmt.Errorf("outbox: %w", err)
		}
		it.Next, it.Created = at(next), at(created)
		if wait != "" {
			var w waiting
			if err := json.Unmarshal([]byte(wait), &w); err != nil {
				return nil, fmt.Errorf("outbox: %w", err)
			}
			it.Code, it.Cause, it.Remedy = w.Code, w.Cause, w.Remedy
		}
		out = append(out, it)
	}
	return out, rows.Err()
}

func ms(t time.Time) int64  { return t.UnixMilli() }
func at(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
