package account

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"veilbox/appliance/incident"
	"veilbox/appliance/store"
	"veilbox/internal/place"
)

// How fast attempts may fail. Each bucket holds burst attempts and gets one back
// every refill; a success gives its attempt back, so that only failures count.
//
// Nobody can lock another out: the buckets of an account for all addresses do
// not hold for an address from which the account has logged in before, and that
// address has its own. A code of an authenticator app, of which three of a
// million fit at a time, is counted by itself: a stranger who knows the password
// has about 150 attempts a day. A passkey cannot be guessed and asks for no
// bucket of the account.
//
// What fails, and the places known, are kept sealed in the store, so that a
// restart gives no new attempts. A disk that takes nothing costs only that.
var rates = map[kind]rate{
	here:     {burst: 5, refill: 30 * time.Second},
	address:  {burst: 30, refill: 6 * time.Second},
	away:     {burst: 30, refill: 20 * time.Second},
	self:     {burst: 10, refill: 20 * time.Second},
	codeHere: {burst: 5, refill: time.Minute},
	codeAway: {burst: 5, refill: 10 * time.Minute},
}

// A kind is the first letter of a bucket's name.
type kind string

const (
	here     kind = "h" // one account from one address
	address  kind = "a" // one address, any account
	away     kind = "w" // one account from addresses new to it
	self     kind = "p" // re-authentication of a logged-in person
	codeHere kind = "c" // codes of one account from an address it knows
	codeAway kind = "t" // codes of one account from addresses new to it
	knowing  kind = "k" // not a bucket: an account and an address of a log-in that worked
)

const (
	maxBuckets = 20_000
	knownFor   = 90 * 24 * time.Hour
)

func (k kind) of(parts ...string) string { return string(k) + "\x00" + strings.Join(parts, "\x00") }

type rate struct {
	burst  float64
	refill time.Duration
}

type bucket struct {
	rate   rate
	tokens float64
	at     time.Time
	kept   bool // it has a row in the store
}

// fill brings b up to now. A clock that went back fills nothing.
func (b *bucket) fill(now time.Time) {
	if d := now.Sub(b.at); d > 0 {
		b.tokens = min(b.rate.burst, b.tokens+float64(d)/float64(b.rate.refill))
	}
	b.at = now
}

// limits holds the buckets in memory and what failed in the store as well.
type limits struct {
	store *store.Store // nil: memory only

	mu      sync.Mutex
	buckets map[string]*bucket
	known   map[string]time.Time // by name of kind knowing
}

// attemptBody is what the store keeps of a bucket, or of a known place.
type attemptBody struct {
	Name   string  `json:"n"`
	Tokens float64 `json:"t,omitempty"`
}

// newLimits reads what st has kept.
func newLimits(st *store.Store, now time.Time) (*limits, error) {
	l := &limits{store: st, buckets: map[string]*bucket{}, known: map[string]time.Time{}}
	if st == nil {
		return l, nil
	}
	rows, err := st.Attempts(context.Background(), maxBuckets)
	if err != nil {
		return nil, fmt.Errorf("account: %w", err)
	}
	for _, row := range rows {
		var b attemptBody
		if err := json.Unmarshal(row.Body, &b); err != nil {
			continue // a row of another version counts as none
		}
		k, _, _ := strings.Cut(b.Name, "\x00")
		if r, ok := rates[kind(k)]; ok && b.Tokens >= 0 && b.Tokens <= r.burst {
			l.buckets[b.Name] = &bucket{rate: r, tokens: b.Tokens, at: row.At, kept: true}
		} else if kind(k) == knowing && now.Sub(row.At) <= knownFor {
			l.known[b.Name] = row.At
		}
	}
	return l, nil
}

// sweep drops from the store what says nothing any more.
func (l *limits) sweep(ctx context.Context, now time.Time) error {
	l.mu.Lock()
	for name, at := range l.known {
		if now.Sub(at) > knownFor {
			delete(l.known, name)
		}
	}
	var gone []store.Attempt
	for name, b := range l.buckets {
		if b.fill(now); b.tokens >= b.rate.burst {
			if b.kept {
				gone = append(gone, store.Attempt{Name: name})
			}
			delete(l.buckets, name)
		}
	}
	l.mu.Unlock()
	if err := l.store.SaveAttempts(ctx, gone); err != nil {
		return err
	}
	return l.store.DropAttempts(ctx, now.Add(-knownFor), 2*maxBuckets)
}

// A try is one attempt that was counted. end must be called; where good was not,
// the attempt failed and is kept.
type try struct {
	l       *limits
	taken   map[string]*bucket
	now     time.Time
	done    bool
	brief   bool   // a failure is counted in memory alone
	at      string // the place of a log-in
	changed []store.Attempt
}

// login takes an attempt with a password, or is ErrSlow.
func (l *limits) login(login, from string, now time.Time) (*try, error) {
	at := place.Of(from)
	want := []string{here.of(login, at), address.of(at)}
	if !l.knows(login, at, now) {
		want = append(want, away.of(login))
	}
	return l.try(at, now, want...)
}

// code takes an attempt with a code of an authenticator app.
func (l *limits) code(login, from string, now time.Time) (*try, error) {
	at := place.Of(from)
	if l.knows(login, at, now) {
		return l.try("", now, codeHere.of(login, at))
	}
	return l.try("", now, codeAway.of(login))
}

// passkey takes an attempt with a passkey: of the address alone, and of none that
// is known, so that no stranger's attempts are in the way of those who belong.
// There is nothing to guess: a restart may forget it, and a flood writes nothing.
func (l *limits) passkey(from string, now time.Time) (*try, error) {
	at := place.Of(from)
	if l.placeKnown(at, now) {
		return l.try(at, now)
	}
	t, err := l.try(at, now, address.of(at))
	if err == nil {
		t.brief = true
	}
	return t, err
}

// person takes an attempt of a logged-in person to prove the password.
func (l *limits) person(id incident.PersonID, now time.Time) (*try, error) {
	return l.try("", now, self.of(string(id)))
}

func (l *limits) knows(login, at string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, ok := l.known[knowing.of(login, at)]
	return ok && now.Sub(t) <= knownFor
}

// placeKnown reports whether anybody has logged in from that place.
func (l *limits) placeKnown(at string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, t := range l.known {
		if strings.HasSuffix(name, "\x00"+at) && now.Sub(t) <= knownFor {
			return true
		}
	}
	return false
}

// try takes a token of every bucket of want, or of none.
func (l *limits) try(at string, now time.Time, want ...string) (*try, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.buckets) > maxBuckets {
		l.prune(now)
	}
	t := &try{l: l, taken: map[string]*bucket{}, now: now, at: at}
	for _, name := range want {
		k, _, _ := strings.Cut(name, "\x00")
		b := l.buckets[name]
		if b == nil {
			b = &bucket{rate: rates[kind(k)], tokens: rates[kind(k)].burst, at: now}
			l.buckets[name] = b
		}
		b.fill(now)
		if b.tokens < 1 {
			t.giveBack()
			return nil, ErrSlow
		}
		b.tokens--
		t.taken[name] = b
	}
	return t, nil
}

func (t *try) giveBack() {
	for _, b := range t.taken {
		b.tokens = min(b.rate.burst, b.tokens+1)
	}
}

// good says that the attempt did not fail: it costs nothing. login is whose
// log-in it was, from then on known at that place; empty: nobody's.
func (t *try) good(login string) {
	t.l.mu.Lock()
	defer t.l.mu.Unlock()
	t.done = true
	t.giveBack()
	if login == "" || t.at == "" {
		return
	}
	name := knowing.of(login, t.at)
	if was, ok := t.l.known[name]; !ok || t.now.Sub(was) > 24*time.Hour || was.After(t.now) {
		if len(t.l.known) >= maxBuckets {
			t.l.forgetOldest()
		}
		t.l.known[name] = t.now
		t.changed = append(t.changed, kept(name, t.now, 0))
	}
}

func kept(name string, at time.Time, tokens float64) store.Attempt {
	b, err := json.Marshal(attemptBody{Name: name, Tokens: tokens})
	if err != nil {
		panic(err) // a string and a number that is finite
	}
	return store.Attempt{Name: name, At: at, Body: b}
}

// end keeps the attempt where it failed, and a place that is new. Where the disk
// takes nothing it counts in memory.
func (t *try) end(ctx context.Context) {
	t.l.mu.Lock()
	list := t.changed
	t.changed = nil
	if !t.done && !t.brief {
		for name, b := range t.taken {
			b.kept = true
			list = append(list, kept(name, t.now, b.tokens))
		}
	}
	t.l.mu.Unlock()
	if len(list) == 0 || t.l.store == nil {
		return
	}
	// A caller that hangs up must not save itself the count.
	_ = t.l.store.SaveAttempts(context.WithoutCancel(ctx), list) // it counts in memory all the same
}

func (l *limits) forgetOldest() {
	oldest := ""
	for name, at := range l.known {
		if oldest == "" || at.Before(l.known[oldest]) {
			oldest = name
		}
	}
	delete(l.known, oldest)
}

// prune forgets full buckets, which say nothing; where that leaves too many,
// the attempts come from very many addresses, and the buckets of single
// addresses are forgotten: those of whole accounts stay.
func (l *limits) prune(now time.Time) {
	for name, b := range l.buckets {
		if b.fill(now); b.tokens >= b.rate.burst {
			delete(l.buckets, name)
		}
	}
	for _, k := range []kind{address, here} {
		if len(l.buckets) <= maxBuckets {
			return
		}
		for name := range l.buckets {
			if strings.HasPrefix(name, string(k)+"\x00") {
				delete(l.buckets, name)
			}
		}
	}
	if len(l.buckets) > maxBuckets {
		clear(l.buckets)
	}
}
