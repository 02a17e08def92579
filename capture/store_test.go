package capture_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"veilbox/capture"
	"veilbox/capture/camera/simulate"
	"veilbox/capture/footage"
)

// A slow store takes its time for a call, whatever is in it, or hangs.
type slow struct {
	memory
	mu    sync.Mutex
	calls int
	most  int           // parts in a call
	open  chan struct{} // calls wait for it to be closed; nil for none
}

func (s *slow) AppendAll(ctx context.Context, parts []*footage.Part) (int, error) {
	s.mu.Lock()
	s.calls++
	s.most = max(s.most, len(parts))
	open := s.open
	s.mu.Unlock()
	if open != nil {
		<-open
	}
	return s.memory.AppendAll(ctx, parts)
}

func (s *slow) gate() func() {
	c := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = c
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open = nil
		close(c)
	}
}

// What waits for a slow store goes to it in one call, and nothing is lost.
func TestSlowStore(t *testing.T) {
	t.Parallel()
	sim := simulated(t, simulate.Options{})
	store := &slow{}
	open := store.gate()
	s := supervise(t, capture.Options{Store: store})
	if err := s.Add("c", source(sim)); err != nil {
		t.Fatal(err)
	}
	poll(t, "pictures of four seconds", func() bool { return s.Health()[0].Counters.Units > 60 })
	open()
	poll(t, "six parts", func() bool { return s.Health()[0].Counters.Parts >= 6 })
	c := s.Health()[0].Counters
	store.mu.Lock()
	calls, most := store.calls, store.most
	store.mu.Unlock()
	if most < 3 || calls > int(c.Parts)-1 || c.DroppedGOPs+c.UnstoredUnits+c.StorageErrors != 0 {
		t.Errorf("%d parts in %d calls, %d at once; %+v", c.Parts, calls, most, c)
	}
	parts := store.all()
	for i, p := range parts[1:] {
		if p.Start != parts[i].Span().To {
			t.Errorf("part %d begins %d ticks after the last ended", i+1, p.Start-parts[i].Span().To)
		}
	}
}

// Where the store hangs, that is shown, memory stays bounded, whole GOPs are
// left out and counted, and the recording goes on by itself.
func TestStoreHangs(t *testing.T) {
	t.Parallel()
	sim := simulated(t, simulate.Options{})
	store := &slow{}
	s := supervise(t, capture.Options{Store: store, Pending: 100 << 10})
	if err := s.Add("c", source(sim)); err != nil {
		t.Fatal(err)
	}
	poll(t, "a part", func() bool { return s.Health()[0].Counters.Parts > 0 })
	open := store.gate()
	poll(t, "the state", func() bool {
		h := s.Health()[0]
		return h.State == capture.Unwritten && errors.Is(h.Problem, capture.ErrUnwritten)
	})
	h := s.Health()[0]
	if d := time.Since(h.Since); d < 15*time.Second || h.Counters.DroppedGOPs == 0 || h.Counters.UnstoredUnits < 15 || h.Counters.StorageErrors != 0 {
		t.Errorf("since %v, %+v", d, h.Counters)
	}
	n := h.Counters.Parts
	open()
	poll(t, "the recording to go on", func() bool {
		h := s.Health()[0]
		return h.State == capture.Recording && h.Problem == nil && h.Counters.Parts >= n+4
	})
	s.Close()
	parts := store.all()
	for i, p := range parts {
		if i > 0 && p.Start < parts[i-1].Span().To || p.Continues && p.Start != parts[i-1].Span().To {
			t.Errorf("part %d begins %d ticks after the last ended, continues %v", i, p.Start-parts[i-1].Span().To, p.Continues)
		}
	}
}

// A part that the store cannot take is given up in the end, with what continues
// it, and counted picture by picture.
func TestPartIsGivenUp(t *testing.T) {
	t.Parallel()
	k := newStepped(t, simulate.Options{FPS: 5, GOP: 10 * time.Second})
	k.loose = true
	k.run(8*time.Second, 400*time.Millisecond)
	k.store.refuse(errors.New("input/output error"))
	for range 60 {
		k.run(800*time.Millisecond, 400*time.Millisecond)
		// The writer asks the clock for its next attempt.
		<-time.After(5 * time.Millisecond)
	}
	if h := k.s.Health()[0]; h.State != capture.Storage || h.Counters.DroppedParts == 0 || h.Counters.StorageErrors < 3 {
		t.Fatalf("%s, %+v", h.State, h.Counters)
	}
	k.store.refuse(nil)
	k.run(20*time.Second, 400*time.Millisecond)
	poll(t, "the recording to go on", func() bool {
		k.run(800*time.Millisecond, 400*time.Millisecond)
		return k.s.Health()[0].State == capture.Recording
	})
	k.run(20*time.Second, 400*time.Millisecond)
	c := k.close()
	units := uint64(0)
	var last *footage.Part
	k.parts(func(p *footage.Part) {
		units += uint64(len(p.Samples))
		if p.Continues && p.Start != last.Span().To {
			t.Errorf("a part continues another that is missing")
		}
		last = p
	})
	if units+c.UnstoredUnits != k.got || c.UnstoredUnits == 0 {
		t.Errorf("%d pictures sent, %d stored, %d not", k.got, units, c.UnstoredUnits)
	}
}

// The certificate that a camera shows first is told, once, and insisted on.
func TestPinIsTold(t *testing.T) {
	t.Parallel()
	sim := simulated(t, simulate.Options{TLS: true})
	var mu sync.Mutex
	told := map[footage.CameraID][]string{}
	s := supervise(t, capture.Options{Store: &memory{}, Pinned: func(cam footage.CameraID, pin string) {
		mu.Lock()
		defer mu.Unlock()
		told[cam] = append(told[cam], pin)
	}})
	if err := s.Add("c", source(sim)); err != nil {
		t.Fatal(err)
	}
	for n := range uint64(2) {
		poll(t, "a session", func() bool {
			h := s.Health()[0]
			return h.Counters.Sessions == n+1 && h.State == capture.Recording
		})
		if n == 0 {
			sim.Drop()
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if got := told["c"]; len(got) != 1 || got[0] != sim.Pin() {
		t.Errorf("told %v, the certificate is %s", told, sim.Pin())
	}
}
