package daemon

import (
	"testing"
	"time"

	"veilbox/internal/clock"
)

func TestSecondClock(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c := clock.NewFake(start)
	synced := false
	s := &secondClock{clock: c, synced: func() bool { return synced }}

	if at, ok := s.now(); ok {
		t.Fatalf("nothing has told the time, yet it says %v", at)
	}
	synced = true
	if at, ok := s.now(); !ok || !at.Equal(start) {
		t.Fatalf("a synchronised clock says %v, %v", at, ok)
	}
	// The extranet's word goes before that of the machine's time service.
	s.heard(start.Add(-time.Hour))
	c.Advance(time.Minute)
	if at, ok := s.now(); !ok || !at.Equal(start.Add(-59*time.Minute)) {
		t.Fatalf("the extranet's clock says %v, %v", at, ok)
	}
	s.heard(time.Time{})
	if at, ok := s.now(); !ok || !at.Equal(start.Add(-59*time.Minute)) {
		t.Fatalf("an answer without a time was taken: %v, %v", at, ok)
	}
	c.Advance(tellsFor)
	if at, ok := s.now(); !ok || !at.Equal(c.Now()) {
		t.Fatalf("an old word is still taken: %v, %v", at, ok)
	}
	synced = false
	if at, ok := s.now(); ok {
		t.Fatalf("neither tells, yet it says %v", at)
	}
}
