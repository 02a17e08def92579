package daemon

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"veilbox/internal/clock"
)

// A secondClock says what the time is by something else than the box's clock:
// whoever sets that clock wrong must not thereby have the recording deleted.
//
// Where the extranet answers, its word counts alone: it comes over a connection
// that only it can hold. A box that has never spoken to an extranet, or not for
// a day, goes by whether the machine's own time service says that the clock is
// synchronised.
type secondClock struct {
	clock  clock.Clock
	synced func() bool

	mu   sync.Mutex
	told time.Time // by the extranet
	at   time.Time // when it was told, on the box's clock with its monotonic reading
}

// tellsFor is how long the extranet's last word is worth something.
const tellsFor = 24 * time.Hour

// heard takes the extranet's time.
func (s *secondClock) heard(t time.Time) {
	if t.IsZero() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told, s.at = t, s.clock.Now()
}

// now returns the time by the second clock, and false where there is none.
func (s *secondClock) now() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	if !s.told.IsZero() {
		// Sub goes by the monotonic reading: a step since does not count.
		if since := now.Sub(s.at); since >= 0 && since <= tellsFor {
			return s.told.Add(since), true
		}
	}
	if s.synced() {
		return now, true
	}
	return time.Time{}, false
}

// syncMark is what systemd-timesyncd leaves once it has set the clock.
const syncMark = "/run/systemd/timesync/synchronized"

// kernelSynced reports whether a time service keeps the kernel's clock.
func kernelSynced() bool {
	var t unix.Timex
	// Asking takes no right, but the service's own filter may refuse the call.
	if state, err := unix.Adjtimex(&t); err == nil {
		return state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
	}
	_, err := os.Stat(syncMark)
	return err == nil
}
