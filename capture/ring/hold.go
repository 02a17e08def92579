package ring

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
	"unicode/utf8"

	"veilbox/capture/footage"
)

// A Hold keeps a span of a camera beyond its time, because a concrete case
// needs it. It ends by Release alone; Review is when a person must look whether
// it is still needed.
type Hold struct {
	ID     string // 1 to 64 of a-z, A-Z, 0-9, - and _
	Camera footage.CameraID
	Span   footage.Span
	Reason string
	Person string
	Review time.Time
}

// Bounds of a hold.
const (
	MaxHold   = 24 * time.Hour
	MaxReview = 366 * 24 * time.Hour
	maxReason = 2000
	maxPerson = 200
)

var holdID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

type holdWords struct {
	Reason   string `json:"reason"`
	Person   string `json:"person"`
	Released string `json:"released,omitempty"` // by whom
}

func words(s string, limit int) bool { return s != "" && len(s) <= limit && utf8.ValidString(s) }

// Hold puts h on. The same hold twice is no error; another with its ID is.
func (r *Ring) Hold(ctx context.Context, h Hold) error {
	now := r.opt.Clock.Now()
	_, badCamera := footage.ParseCameraID(string(h.Camera))
	switch {
	case !holdID.MatchString(h.ID):
		return fmt.Errorf("ring: %w: its identifier is not 1 to 64 of a-z, A-Z, 0-9, - and _", ErrHold)
	case badCamera != nil:
		return fmt.Errorf("ring: %w: %w", ErrHold, badCamera)
	case h.Span.Empty() || h.Span.From <= 0 || h.Span.To > maxTicks || h.Span.Duration() > MaxHold:
		return fmt.Errorf("ring: %w: a hold covers at most %v and more than nothing", ErrHold, MaxHold)
	case !words(h.Reason, maxReason) || !words(h.Person, maxPerson):
		return fmt.Errorf("ring: %w: a reason and a person are needed", ErrHold)
	case !h.Review.After(now) || h.Review.Sub(now) > MaxReview:
		return fmt.Errorf("ring: %w: the review must lie ahead, within a year", ErrHold)
	}
	b, err := json.Marshal(holdWords{Reason: h.Reason, Person: h.Person})
	if err != nil {
		return fmt.Errorf("ring: %w", err)
	}
	r.expire.Lock()
	defer r.expire.Unlock()
	var n int64
	err = r.tx(ctx, r.wdb, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO hold (id, camera, start, finish, review, sealed)
			VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
			h.ID, h.Camera, h.Span.From, h.Span.To, footage.TicksOf(h.Review), r.master.Seal("ring hold "+h.ID, b))
		if err == nil {
			n, err = res.RowsAffected()
		}
		return err
	})
	if err != nil || n == 1 {
		return failureOf("write the index", err)
	}
	have, err := r.Holds(ctx)
	if err != nil {
		return err
	}
	for _, o := range have {
		if o.ID == h.ID && o.Camera == h.Camera && o.Span == h.Span && o.Reason == h.Reason && o.Person == h.Person {
			return nil
		}
	}
	return fmt.Errorf("ring: %w: there is or was another hold called %s", ErrHold, h.ID)
}

// Release ends a hold. What it alone kept goes at the next Expire.
func (r *Ring) Release(ctx context.Context, id, person string) error {
	if !words(person, maxPerson) {
		return fmt.Errorf("ring: %w: who releases it is needed", ErrHold)
	}
	r.expire.Lock()
	defer r.expire.Unlock()
	var sealed []byte
	err := r.wdb.QueryRowContext(ctx, "SELECT sealed FROM hold WHERE id = ? AND released = 0", id).Scan(&sealed)
	if err != nil {
		return fmt.Errorf("ring: %w: no hold is called %q: %w", ErrHold, id, err)
	}
	w, err := r.openWords(id, sealed)
	if err != nil {
		return err
	}
	w.Released = person
	b, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("ring: %w", err)
	}
	err = r.tx(ctx, r.wdb, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE hold SET released = ?, sealed = ? WHERE id = ?",
			footage.TicksOf(r.opt.Clock.Now()), r.master.Seal("ring hold "+id, b), id)
		return err
	})
	return failureOf("write the index", err)
}

// Extend gives a hold another review date. Who asked for it, and why, is for the
// caller to put on record.
func (r *Ring) Extend(ctx context.Context, id string, review time.Time) error {
	now := r.opt.Clock.Now()
	if !review.After(now) || review.Sub(now) > MaxReview {
		return fmt.Errorf("ring: %w: the review must lie ahead, within a year", ErrHold)
	}
	r.expire.Lock()
	defer r.expire.Unlock()
	var n int64
	err := r.tx(ctx, r.wdb, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE hold SET review = ? WHERE id = ? AND released = 0", footage.TicksOf(review), id)
		if err == nil {
			n, err = res.RowsAffected()
		}
		return err
	})
	if err != nil {
		return failureOf("write the index", err)
	}
	if n == 0 {
		return fmt.Errorf("ring: %w: no hold is called %q", ErrHold, id)
	}
	return nil
}

func (r *Ring) openWords(id string, sealed []byte) (holdWords, error) {
	var w holdWords
	b, err := r.master.Open("ring hold "+id, sealed)
	if err == nil {
		err = json.Unmarshal(b, &w)
	}
	if err != nil {
		return w, fmt.Errorf("ring: hold %s: %w: restore the index from the backup: %w", id, ErrDamaged, err)
	}
	return w, nil
}

// Holds returns the holds that hold, the one to review first in front.
func (r *Ring) Holds(ctx context.Context) ([]Hold, error) {
	rows, err := r.rdb.QueryContext(ctx, "SELECT id, camera, start, finish, review, sealed FROM hold WHERE released = 0 ORDER BY review, id")
	if err != nil {
		return nil, failure("read the index", err)
	}
	defer rows.Close()
	var out []Hold
	for rows.Next() {
		var h Hold
		var review footage.Ticks
		var sealed []byte
		if err := rows.Scan(&h.ID, &h.Camera, &h.Span.From, &h.Span.To, &review, &sealed); err != nil {
			return nil, failure("read the index", err)
		}
		w, err := r.openWords(h.ID, sealed)
		if err != nil {
			return nil, err
		}
		h.Reason, h.Person, h.Review = w.Reason, w.Person, review.Time()
		out = append(out, h)
	}
	if err := rows.Err(); err != nil {
		return nil, failure("read the index", err)
	}
	return out, nil
}

// HoldsDue returns the holds whose review date has passed: a person must say of
// each whether it is still needed.
func (r *Ring) HoldsDue(ctx context.Context) ([]Hold, error) {
	all, err := r.Holds(ctx)
	if err != nil {
		return nil, err
	}
	now := r.opt.Clock.Now()
	for i, h := range all {
		if h.Review.After(now) {
			return all[:i], nil
		}
	}
	return all, nil
}

// held returns the spans of a camera that must stay, with the keyframes that
// they need.
func (r *Ring) held(ctx context.Context, cam int64, name footage.CameraID) ([]footage.Span, error) {
	rows, err := r.rdb.QueryContext(ctx, "SELECT start, finish FROM hold WHERE camera = ? AND released = 0", name)
	if err != nil {
		return nil, failure("read the index", err)
	}
	var out []footage.Span
	for rows.Next() {
		var s footage.Span
		if err := rows.Scan(&s.From, &s.To); err != nil {
			return nil, errors.Join(failure("read the index", err), rows.Close())
		}
		out = append(out, s)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, failure("read the index", err)
	}
	for i := range out {
		if out[i].From, err = r.decodeFrom(ctx, cam, out[i].From); err != nil {
			return nil, err
		}
	}
	return out, nil
}
