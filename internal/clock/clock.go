// Package clock is where every package gets its time from, so that a duty with
// a deadline can be tested without waiting for it.
//
// Wall time names things (a recording, a day, a deadline); durations are taken
// with Since, which on the system clock is monotonic and so is not bent by a
// clock step.
package clock

import (
	"context"
	"sync"
	"time"
	_ "time/tzdata" // the box image carries no zoneinfo
)

// Copenhagen is the zone in which people and the law count days.
var Copenhagen = mustLoad("Europe/Copenhagen")

func mustLoad(name string) *time.Location {
	l, err := time.LoadLocation(name)
	if err != nil {
		panic("clock: embedded time zone data is missing " + name)
	}
	return l
}

// A Clock tells the time and waits. Implementations are safe for concurrent use.
type Clock interface {
	// Now returns the wall time; on the system clock it carries a monotonic
	// reading, so that differences of two calls are durations.
	Now() time.Time
	// After delivers the time once d has passed.
	After(d time.Duration) <-chan time.Time
}

// System is the machine's clock.
type System struct{}

func (System) Now() time.Time                         { return time.Now() }
func (System) After(d time.Duration) <-chan time.Time { return time.After(d) }

// Shifted runs with the system's clock at a distance that Shift changes, so that
// a system of many parts can be brought to a deadline while it works. Waits take
// their real time.
type Shifted struct {
	mu sync.Mutex
	by time.Duration
}

func (s *Shifted) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.by)
}

func (s *Shifted) After(d time.Duration) <-chan time.Time { return time.After(d) }

// Shift moves the clock by d and returns the new time.
func (s *Shifted) Shift(d time.Duration) time.Time {
	s.mu.Lock()
	s.by += d
	s.mu.Unlock()
	return s.Now()
}

// Sleep waits for d on c, or until ctx ends, whose cause it then returns.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.After(d):
		return nil
	}
}

// EndOfDay returns the first instant after the Copenhagen day that t falls in.
// The day is 23 or 25 hours long where summer time begins or ends.
func EndOfDay(t time.Time) time.Time {
	y, m, d := t.In(Copenhagen).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, Copenhagen)
}

// Fake is a clock that moves only when told to.
type Fake struct {
	mu      sync.Mutex
	now     time.Time
	waiters []waiter
}

type waiter struct {
	at time.Time
	ch chan time.Time
}

// NewFake returns a Fake that shows t.
func NewFake(t time.Time) *Fake { return &Fake{now: t} }

func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *Fake) After(d time.Duration) <-chan time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	ch := make(chan time.Time, 1)
	if d <= 0 {
		ch <- f.now
		return ch
	}
	f.waiters = append(f.waiters, waiter{f.now.Add(d), ch})
	return ch
}

// Advance moves the clock by d, wakes whoever waited for a time now reached,
// and returns the new time. A negative d is a step backwards and wakes nobody.
func (f *Fake) Advance(d time.Duration) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
	left := f.waiters[:0]
	for _, w := range f.waiters {
		if w.at.After(f.now) {
			left = append(left, w)
			continue
		}
		w.ch <- f.now
	}
	f.waiters = left
	return f.now
}
