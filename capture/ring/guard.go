package ring

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"veilbox/capture/footage"
)

// How far the wall clock may be ahead of what the ring expects before its word
// is doubted.
const (
	// MaxJump is how far while the ring is open: beyond what the monotonic clock
	// says has passed.
	MaxJump = 24 * time.Hour
	// MaxAway is how far at Open: beyond the last time that was known. A box that
	// was off for longer has to be confirmed.
	MaxAway = 7 * 24 * time.Hour
	// MaxDoubt is how long, in running time, a clock that nothing contradicts is
	// doubted. Then it is believed, or footage would be kept for ever.
	MaxDoubt = 48 * time.Hour
	// Agree is how near a second clock must be to confirm the first.
	Agree = time.Hour

	saveEvery = 10 * time.Minute
)

// Doubt says that the wall clock jumped ahead and is not believed yet. Until it
// is, footage is deleted for its age by the time from before the jump.
type Doubt struct {
	Since time.Time     // on the doubted clock; zero where there is no doubt
	Jump  time.Duration // how far it is ahead of what was expected
}

// guard keeps the wall clock from deleting footage by a mistake of its own.
type guard struct {
	mu    sync.Mutex
	base  time.Time     // a wall time that is believed
	at    time.Duration // the monotonic time of base
	allow time.Duration // how far ahead is believed
	doubt Doubt
	ran   time.Duration // how long it has been doubted without contradiction
	ranAt time.Duration
	saved time.Duration // monotonic time of the last save
}

// clockState is the guard as the index keeps it.
type clockState struct {
	Seen  footage.Ticks `json:"seen"` // the time believed when it was saved
	Since footage.Ticks `json:"since,omitempty"`
	Jump  time.Duration `json:"jump,omitempty"`
	Ran   time.Duration `json:"ran,omitempty"`
}

const clockMeta = "clock"

// believed returns the time that footage is aged by. g.mu is held.
func (g *guard) believed(now time.Time, m time.Duration) time.Time {
	expected := g.base.Add(m - g.at)
	if g.doubt != (Doubt{}) || now.Sub(expected) > g.allow {
		return expected
	}
	return now
}

// look takes the clocks' readings in and reports whether a doubt began or ended.
// A clock that is behind is followed as it is: nothing goes early by it. confirm
// is asked only in doubt.
func (g *guard) look(now time.Time, m time.Duration, confirm func() (time.Time, bool)) (began, ended bool) {
	now = now.Round(0) // without its monotonic reading
	expected := g.base.Add(m - g.at)
	ahead := now.Sub(expected)
	if g.doubt == (Doubt{}) {
		if ahead <= g.allow {
			if ahead >= 0 && g.allow > MaxJump {
				g.base, g.at, g.allow = now, m, MaxJump
			}
			return false, false
		}
		g.doubt, g.ran, g.ranAt, began = Doubt{Since: now, Jump: ahead}, 0, m, true
	}
	if ahead <= g.allow {
		g.doubt = Doubt{} // it went back by itself
		return began, true
	}
	contradicted := false
	if confirm != nil {
		if t, ok := confirm(); ok {
			if d := t.Sub(now); d.Abs() <= Agree {
				g.believe(now, m)
				return began, true
			}
			// Footage ages by the second clock meanwhile, so nothing is kept for
			// ever however long the two disagree.
			contradicted = true
			if t = t.Round(0); t.After(expected) && t.Before(now) {
				g.base, g.at = t, m
			}
		}
	}
	if !contradicted {
		g.ran += m - g.ranAt
	}
	g.ranAt = m
	if g.ran >= MaxDoubt {
		g.believe(now, m)
		return began, true
	}
	return began, false
}

func (g *guard) believe(now time.Time, m time.Duration) {
	g.base, g.at, g.allow, g.doubt, g.ran = now.Round(0), m, MaxJump, Doubt{}, 0
}

// now returns the time that footage is aged by.
func (r *Ring) now() time.Time {
	now, m := r.opt.Clock.Now(), r.mono()
	r.guard.mu.Lock()
	defer r.guard.mu.Unlock()
	return r.guard.believed(now, m)
}

// trusted is now, after the clocks were looked at.
func (r *Ring) trusted(ctx context.Context) (time.Time, error) {
	g := &r.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	now, m := r.opt.Clock.Now(), r.mono()
	jump := g.doubt.Jump
	began, ended := g.look(now, m, r.opt.Confirm)
	if began {
		r.opt.Log.Warn("the clock jumped ahead; footage is deleted by the time from before until it is confirmed", "jump", g.doubt.Jump)
	}
	if ended && !began {
		r.opt.Log.Info("the clock is believed again", "jump", jump)
	}
	t := g.believed(now, m)
	if !began && !ended && m-g.saved < saveEvery {
		return t, nil
	}
	return t, r.saveClock(ctx, t, m, ended)
}

// ConfirmClock says that a person has looked at the clock and it is right.
func (r *Ring) ConfirmClock(ctx context.Context) error {
	g := &r.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	now, m := r.opt.Clock.Now(), r.mono()
	g.believe(now, m)
	return r.saveClock(ctx, now, m, true)
}

// saveClock makes what the guard knows last. What was recorded during a doubt
// that has ended is as old as it says, where it does not say that it is from
// times to come.
func (r *Ring) saveClock(ctx context.Context, t time.Time, m time.Duration, ended bool) error {
	g := &r.guard
	s := clockState{Seen: footage.TicksOf(t)}
	if g.doubt != (Doubt{}) {
		s.Since, s.Jump, s.Ran = footage.TicksOf(g.doubt.Since), g.doubt.Jump, g.ran
	}
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("ring: %w", err)
	}
	err = r.tx(ctx, r.wdb, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2", clockMeta, b); err != nil {
			return err
		}
		if !ended {
			return nil
		}
		_, err := tx.ExecContext(ctx, "UPDATE segment SET made = start WHERE start > made + ?1 AND start < ?2 + ?1", footage.TicksIn(MaxJump), s.Seen)
		return err
	})
	if err != nil {
		return failure("write the index", err)
	}
	g.saved = m
	return nil
}

// loadClock takes up what the ring knew when it was last open.
func (r *Ring) loadClock(ctx context.Context) error {
	g := &r.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	now, m := r.opt.Clock.Now(), r.mono()
	g.believe(now, m)
	g.ranAt, g.saved = m, m-saveEvery
	var b []byte
	var s clockState
	err := r.wdb.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?", clockMeta).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		// The newest footage is the last that is known of the time.
		err = r.wdb.QueryRowContext(ctx, "SELECT coalesce(max(finish), 0) FROM run").Scan(&s.Seen)
	} else if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return failure("read the index", err)
	}
	if s.Seen == 0 {
		return nil
	}
	g.base, g.allow = s.Seen.Time(), MaxAway
	if s.Since != 0 {
		g.doubt, g.ran, g.allow = Doubt{Since: s.Since.Time(), Jump: s.Jump}, s.Ran, MaxJump
	}
	return nil
}
