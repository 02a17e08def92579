package capture_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"veilbox/capture"
	"veilbox/capture/camera/simulate"
	"veilbox/capture/footage"
	"veilbox/capture/ring"
	"veilbox/internal/clock"
	"veilbox/internal/keys"
)

// A store that will never take a part is not asked again: the recording goes on
// at the next keyframe.
func TestStoreRefusesForGood(t *testing.T) {
	t.Parallel()
	sim := simulated(t, simulate.Options{})
	store := &memory{fail: fmt.Errorf("test: %w", never{})}
	s := supervise(t, capture.Options{Store: store})
	if err := s.Add("c", source(sim)); err != nil {
		t.Fatal(err)
	}
	poll(t, "three parts to be refused", func() bool {
		h := s.Health()[0]
		return h.State == capture.Storage && errors.Is(h.Problem, capture.ErrRefused) && errors.Is(h.Problem, never{}) && h.Counters.RefusedParts >= 3
	})
	end := footage.TicksOf(time.Now().Add(time.Minute))
	store.mu.Lock()
	tries := store.tries
	store.fail, store.end = nil, end
	store.mu.Unlock()
	if h := s.Health()[0]; uint64(tries) > h.Counters.RefusedParts || h.Counters.StorageErrors != 0 || h.Counters.DroppedGOPs != 0 {
		t.Errorf("%d attempts for %d parts, %d errors, %d dropped", tries, h.Counters.RefusedParts, h.Counters.StorageErrors, h.Counters.DroppedGOPs)
	}
	poll(t, "the recording to go on", func() bool {
		h := s.Health()[0]
		return h.State == capture.Recording && h.Counters.Parts >= 3
	})
	if p := store.all()[0]; p.Continues || !p.Samples[0].Key {
		t.Error("the recording did not go on at a keyframe")
	}
}

type never struct{}

func (never) Error() string   { return "not this part" }
func (never) Permanent() bool { return true }

// The same with the ring itself, for each of the refusals that it knows.
func TestRingRefusesForGood(t *testing.T) {
	for _, err := range []error{ring.ErrPart, ring.ErrChain, ring.ErrOrder} {
		var p interface{ Permanent() bool }
		if !errors.As(fmt.Errorf("test: %w", err), &p) || !p.Permanent() {
			t.Errorf("%v: is not told to be for good", err)
		}
	}
	for _, err := range []error{ring.ErrFull, ring.ErrStorage} {
		var p interface{ Permanent() bool }
		if errors.As(err, &p) && p.Permanent() {
			t.Errorf("%v: is told to be for good", err)
		}
	}
}

// A clock that jumps while a camera is recorded leaves a gap in the recording,
// or is shown as a problem where it was set back; the recording goes on.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	sim := simulated(t, simulate.Options{})
	var c clock.Shifted
	r, err := ring.Open(t.Context(), ring.Options{Dir: t.TempDir(), Key: keys.New(), Quota: 1 << 30, Retention: 720 * time.Hour, Clock: &c, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	s := supervise(t, capture.Options{Store: r, Clock: &c, Log: slog.New(slog.DiscardHandler)})
	if err := s.Add("c", source(sim)); err != nil {
		t.Fatal(err)
	}
	more := func(what string) {
		t.Helper()
		n := s.Health()[0].Counters.Parts
		poll(t, "recording "+what, func() bool { return s.Health()[0].Counters.Parts >= n+3 })
	}
	more("at first")
	from := c.Now().Add(-time.Hour)
	c.Shift(12 * time.Hour)
	more("after 12 h forward")
	runs, err := r.Timeline(t.Context(), "c", footage.SpanOf(from, c.Now().Add(time.Hour)))
	if err != nil || len(runs) != 2 {
		t.Fatalf("runs %v, %v; want two", runs, err)
	}
	if d := (runs[1].From - runs[0].To).Duration(); d < 12*time.Hour-time.Second || d > 12*time.Hour+5*time.Second {
		t.Errorf("the gap is %v, want 12 h", d)
	}
	if h := s.Health()[0]; h.Problem != nil || h.Counters.RefusedParts != 0 || h.Counters.StorageErrors != 0 || h.Counters.Gaps != 1 {
		t.Errorf("problem %v, counters %+v", h.Problem, h.Counters)
	}
	c.Shift(-time.Hour)
	more("after an hour back")
	poll(t, "the problem to be shown", func() bool {
		p := s.Health()[0].Problem
		return p != nil && p.Code == "capture.ahead"
	})
	h := s.Health()[0]
	if h.State != capture.Recording || h.Counters.RefusedParts != 0 || !strings.Contains(h.Problem.Cause.EN, "36") || h.Problem.Remedy.DA == "" {
		t.Errorf("state %s, problem %v, counters %+v", h.State, h.Problem, h.Counters)
	}
}
