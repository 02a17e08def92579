package account

import (
	"net/netip"
	"sync"
	"time"

	"veilbox/appliance/incident"
)

// How fast attempts may fail. Each bucket holds burst attempts and gets one back
// every refill; a success gives its attempt back, so that only failures count.
// Nobody can lock another out: an account's bucket for all addresses does not
// hold for an address from which the account has logged in before, and that
// address has its own.
var (
	rateHere    = rate{burst: 5, refill: 30 * time.Second}  // one account from one address
	rateAddress = rate{burst: 30, refill: 6 * time.Second}  // one address, any account
	rateAway    = rate{burst: 30, refill: 20 * time.Second} // one account from addresses new to it
	rateSelf    = rate{burst: 10, refill: 20 * time.Second} // re-authentication of a logged-in person
	maxBuckets  = 20_000
	knownFor    = 90 * 24 * time.Hour
)

type rate struct {
	burst  float64
	refill time.Duration
}

type bucket struct {
	rate   rate
	tokens float64
	at     time.Time
}

// fill brings b up to now. A clock that went back fills nothing.
func (b *bucket) fill(now time.Time) {
	if d := now.Sub(b.at); d > 0 {
		b.tokens = min(b.rate.burst, b.tokens+float64(d)/float64(b.rate.refill))
	}
	b.at = now
}

// limits holds the buckets in memory; a restart forgets them.
type limits struct {
	mu      sync.Mutex
	buckets map[string]*bucket
	known   map[string]time.Time // account and address of a log-in that worked
}

func newLimits() *limits {
	return &limits{buckets: map[string]*bucket{}, known: map[string]time.Time{}}
}

// place is what of an address counts: IPv6 by its /64, which is one customer.
func place(address string) string {
	if ap, err := netip.ParseAddrPort(address); err == nil {
		address = ap.Addr().String()
	}
	a, err := netip.ParseAddr(address)
	if err != nil {
		if len(address) > 64 {
			address = address[:64]
		}
		return address
	}
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

// login takes an attempt, or is ErrSlow. good must be called where it succeeds.
func (l *limits) login(login, address string, now time.Time) (good func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := place(address)
	here := "h\x00" + login + "\x00" + at
	want := map[string]rate{here: rateHere, "a\x00" + at: rateAddress}
	if t, ok := l.known[here]; !ok || now.Sub(t) > knownFor {
		want["w\x00"+login] = rateAway
	}
	taken, err := l.take(want, now)
	if err != nil {
		return nil, err
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		giveBack(taken)
		if len(l.known) >= maxBuckets {
			clear(l.known)
		}
		l.known[here] = now
	}, nil
}

// person takes an attempt of a logged-in person to prove the password.
func (l *limits) person(id incident.PersonID, now time.Time) (good func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken, err := l.take(map[string]rate{"p\x00" + string(id): rateSelf}, now)
	if err != nil {
		return nil, err
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		giveBack(taken)
	}, nil
}

func giveBack(taken []*bucket) {
	for _, b := range taken {
		b.tokens = min(b.rate.burst, b.tokens+1)
	}
}

// take takes a token of every bucket of want, or of none.
func (l *limits) take(want map[string]rate, now time.Time) ([]*bucket, error) {
	if len(l.buckets) > maxBuckets {
		l.prune(now)
	}
	var taken []*bucket
	for name, r := range want {
		b := l.buckets[name]
		if b == nil {
			b = &bucket{rate: r, tokens: r.burst, at: now}
			l.buckets[name] = b
		}
		b.fill(now)
		if b.tokens < 1 {
			giveBack(taken)
			return nil, ErrSlow
		}
		b.tokens--
		taken = append(taken, b)
	}
	return taken, nil
}

// prune forgets full buckets, which say nothing; where that leaves too many,
// the attempts come from very many addresses and all are forgotten.
func (l *limits) prune(now time.Time) {
	for name, b := range l.buckets {
		if b.fill(now); b.tokens >= b.rate.burst {
			delete(l.buckets, name)
		}
	}
	if len(l.buckets) > maxBuckets {
		clear(l.buckets)
	}
}
