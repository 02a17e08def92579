package casework

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/redact"
	"veilbox/redact/mask"
	"veilbox/redact/proof"
)

// seenFor is how long one look at one thing by one person counts as the same
// look: a browser asks for a video in many ranges.
const seenFor = 10 * time.Minute

// seen remembers which looks are on record, so that each is recorded once and
// before its first byte.
type seen struct {
	mu sync.Mutex
	m  map[string]time.Time
}

// recordView records a look at footage, once per person, thing and purpose.
func (s *Service) recordView(ctx context.Context, a Actor, act, why string, about map[string]string) error {
	key := strings.Join([]string{act, string(a.Session.Person.ID), a.From, about["case"], about["camera"], about["from"], about["to"], about["copy"], about["export"], why}, "\x00")
	return s.recordOnce(ctx, a, key, seenFor, act, why, about)
}

// recordOnce records an act unless the same key was recorded less than window
// ago.
func (s *Service) recordOnce(ctx context.Context, a Actor, key string, window time.Duration, act, why string, about map[string]string) error {
	now := s.o.Clock.Now()
	s.seen.mu.Lock()
	defer s.seen.mu.Unlock()
	if at, ok := s.seen.m[key]; ok && now.Sub(at) < window && !now.Before(at) {
		return nil
	}
	if err := s.record(ctx, a, act, why, about); err != nil {
		return err
	}
	for k, at := range s.seen.m {
		if now.Sub(at) >= seenFor {
			delete(s.seen.m, k)
		}
	}
	s.seen.m[key] = now
	return nil
}

type seekSizer interface {
	io.ReadSeeker
	Size() int64
}

type nopCloser struct{ seekSizer }

func (nopCloser) Close() error { return nil }

func sheetView(id incident.CaseID, r redact.Record) (SheetView, error) {
	p, err := proof.Parse(r.Proof)
	if err != nil {
		return SheetView{}, fmt.Errorf("casework: %w", err)
	}
	m, err := mask.Decode(r.Mask)
	if err != nil {
		return SheetView{}, fmt.Errorf("casework: %w", err)
	}
	seconds := func(t footage.Ticks) float64 { return t.Duration().Seconds() }
	v := SheetView{Hash: p.Sheet, Pictures: []SheetPicture{}, Unsure: []ClipSpan{}, Duration: seconds(p.Figures.Duration)}
	for i, pic := range r.Pictures {
		v.Pictures = append(v.Pictures, SheetPicture{At: seconds(pic.At), Rect: pic.Rect, URL: fmt.Sprintf("/api/v1/cases/%s/sheet/%d.jpg", id, i)})
	}
	for _, u := range m.Unsure(p.Figures.Duration) {
		v.Unsure = append(v.Unsure, ClipSpan{From: seconds(u.From), To: seconds(u.To)})
	}
	for _, u := range m.Runs(p.Figures.Duration, func(i int) bool { return m.State(i) == mask.Shown }) {
		v.Shown += seconds(u.To - u.From)
	}
	return v, nil
}

func sheetPicture(r redact.Record, n int) ([]byte, bool) {
	if n < 0 || n >= len(r.Pictures) {
		return nil, false
	}
	return bytes.Clone(r.Pictures[n].JPEG), true
}

// A viewing is one open look at an alert's copy.
type viewing struct {
	person incident.PersonID
	open   func() (Media, error)
	until  time.Time
}

// viewings are the looks at alerts that are open on this box.
type viewings struct {
	mu sync.Mutex
	m  map[string]viewing
}

const maxViewings = 64

// add keeps v and forgets those that have run out.
func (vs *viewings) add(id string, v viewing, now time.Time) error {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	for k, old := range vs.m {
		if now.After(old.until) {
			delete(vs.m, k)
		}
	}
	if len(vs.m) >= maxViewings {
		return fmt.Errorf("casework: %d viewings are open on this box: close some pages", len(vs.m))
	}
	vs.m[id] = v
	return nil
}

func (vs *viewings) get(id string, person incident.PersonID, now time.Time) (viewing, bool) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	v, ok := vs.m[id]
	return v, ok && v.person == person && now.Before(v.until)
}
