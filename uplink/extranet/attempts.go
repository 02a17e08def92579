package extranet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// How fast log-ins may fail. A bucket holds burst attempts and gets one back every
// refill; a success gives its own back, so that only failures count.
//
// Nobody can lock another out: the bucket of an account for all addresses does not
// hold for one from which the account has logged in before, which has its own. A
// passkey cannot be guessed, and asks for no bucket of the account.
type rateOf struct {
	burst  float64
	refill time.Duration
}

var (
	rateHere    = rateOf{5, 30 * time.Second}  // one account from one address
	rateAddress = rateOf{30, 6 * time.Second}  // one address, any account
	rateAway    = rateOf{30, 20 * time.Second} // one account from addresses new to it
	rateCode    = rateOf{5, time.Minute}       // codes from an address that the account knows
	rateCodeNew = rateOf{5, 10 * time.Minute}  // codes from all others
	rateProof   = rateOf{10, 20 * time.Second} // fresh proofs of one session
)

const (
	maxBuckets = 20_000
	knownFor   = 90 * 24 * time.Hour
)

type bucket struct {
	rate   rateOf
	tokens float64
	at     time.Time
}

func (b *bucket) fill(now time.Time) {
	if d := now.Sub(b.at); d > 0 {
		b.tokens = min(b.rate.burst, b.tokens+float64(d)/float64(b.rate.refill))
		b.at = now
	}
}

type attempts struct {
	mu sync.Mutex
	m  map[string]*bucket
}

// An attempt was counted; good gives it back.
type attempt struct {
	of    *attempts
	taken []*bucket
}

// take counts an attempt in each of the buckets, or in none and returns errBusy.
func (a *attempts) take(now time.Time, want map[string]rateOf) (*attempt, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.m == nil {
		a.m = map[string]*bucket{}
	}
	if len(a.m) > maxBuckets {
		a.prune(now)
	}
	t := &attempt{of: a}
	for name, r := range want {
		b := a.m[name]
		if b == nil {
			b = &bucket{r, r.burst, now}
			a.m[name] = b
		}
		b.fill(now)
		if b.tokens < 1 {
			t.giveBack()
			return nil, errBusy
		}
		b.tokens--
		t.taken = append(t.taken, b)
	}
	return t, nil
}

func (t *attempt) giveBack() {
	for _, b := range t.taken {
		b.tokens = min(b.rate.burst, b.tokens+1)
	}
}

func (t *attempt) good() {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	t.giveBack()
	t.taken = nil
}

// prune forgets full buckets, which say nothing; where too many are left, those of
// single addresses, and the ones of whole accounts stay.
func (a *attempts) prune(now time.Time) {
	for name, b := range a.m {
		if b.fill(now); b.tokens >= b.rate.burst {
			delete(a.m, name)
		}
	}
	for name, b := range a.m {
		if len(a.m) > maxBuckets && (b.rate == rateHere || b.rate == rateAddress) {
			delete(a.m, name)
		}
	}
	if len(a.m) > maxBuckets {
		clear(a.m)
	}
}

// place is what of an address counts: IPv6 by its /64, which is one customer.
func place(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host[:min(len(host), 64)]
	}
	a = a.Unmap().WithZone("")
	if p, err := a.Prefix(64); a.Is6() && err == nil {
		return p.String()
	}
	return a.String()
}

// attemptPassword counts an attempt at name's password.
func (s *Server) attemptPassword(ctx context.Context, name, at string) (*attempt, error) {
	want := map[string]rateOf{"here\x00" + name + "\x00" + at: rateHere, "address\x00" + at: rateAddress}
	known, err := s.knows(ctx, name, at)
	if err != nil {
		return nil, err
	}
	if !known {
		want["away\x00"+name] = rateAway
	}
	return s.attempts.take(s.now(), want)
}

// attemptCode counts an attempt at name's code, once the password was right.
func (s *Server) attemptCode(ctx context.Context, name, at string) (*attempt, error) {
	known, err := s.knows(ctx, name, at)
	if err != nil {
		return nil, err
	}
	if known {
		return s.attempts.take(s.now(), map[string]rateOf{"code\x00" + name + "\x00" + at: rateCode})
	}
	return s.attempts.take(s.now(), map[string]rateOf{"codes\x00" + name: rateCodeNew})
}

// attemptPasskey counts an attempt with a passkey, of the address alone and of none
// that is known.
func (s *Server) attemptPasskey(ctx context.Context, at string) (*attempt, error) {
	known, err := s.knows(ctx, "", at)
	if err != nil {
		return nil, err
	}
	if known {
		return &attempt{of: &s.attempts}, nil
	}
	return s.attempts.take(s.now(), map[string]rateOf{"address\x00" + at: rateAddress})
}

// knows reports whether name, or where it is empty anybody, has logged in at place.
func (s *Server) knows(ctx context.Context, name, at string) (bool, error) {
	var n int
	err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM operator_place WHERE place = ? AND (operator = ? OR ? = '') AND at >= ?", hashOf(at), name, name, ms(s.now().Add(-knownFor))).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("extranet: %w", err)
	}
	return n > 0, nil
}
