package casework

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sort"
	"strings"
	"sync"
	"time"

	"veilbox/appliance/incident"
	"veilbox/capture/footage"
	"veilbox/internal/problem"
	"veilbox/redact"
	"veilbox/redact/mask"
	"veilbox/redact/proof"
	"veilbox/redact/subject"
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
		return SheetView{}, errCopyOld.With(err)
	}
	m, err := mask.Decode(r.Mask)
	if err != nil {
		return SheetView{}, errCopyOld.With(err)
	}
	seconds := func(t footage.Ticks) float64 { return t.Duration().Seconds() }
	v := SheetView{Hash: p.Sheet, Pictures: []SheetPicture{}, Flagged: []SheetFlag{}, Unsure: []ClipSpan{},
		Sound: m.Sound, Subjects: m.Subjects, Duration: seconds(p.Figures.Duration)}
	if m.Mode == subject.BlurEverything {
		v.Subjects = 0
	}
	for i, pic := range r.Pictures {
		v.Pictures = append(v.Pictures, SheetPicture{At: seconds(pic.At), Subject: pic.Subject, Kind: string(pic.Kind), Flags: flagNames(pic.Flags), Rect: pic.Rect,
			URL: fmt.Sprintf("/api/v1/cases/%s/sheet/%d.jpg", id, i)})
	}
	for _, u := range m.Unsure(p.Figures.Duration) {
		v.Unsure = append(v.Unsure, ClipSpan{From: seconds(u.From), To: seconds(u.To)})
	}
	for _, u := range m.Flagged(p.Figures.Duration) {
		v.Flagged = append(v.Flagged, flagOf(m, u))
	}
	for _, u := range m.Runs(p.Figures.Duration, func(i int) bool { return m.State(i) == mask.Shown }) {
		v.Shown += seconds(u.To - u.From)
	}
	return v, nil
}

func flagNames(f mask.Flags) []string {
	if n := f.Names(); n != nil {
		return n
	}
	return []string{}
}

// flagOf says why a stretch is flagged, and of whom.
func flagOf(m *mask.Mask, span footage.Span) SheetFlag {
	out := SheetFlag{From: span.From.Duration().Seconds(), To: span.To.Duration().Seconds(), Subjects: []int{}}
	var flags mask.Flags
	of := make([]bool, m.Subjects)
	first := sort.Search(len(m.Frames), func(i int) bool { return m.Frames[i].At >= span.From })
	for _, f := range m.Frames[first:] {
		if f.At >= span.To {
			break
		}
		for k, s := range f.Subjects {
			if s.State == mask.Shown && s.Flags != 0 {
				flags |= s.Flags
				of[k] = true
			}
		}
	}
	for k, ok := range of {
		if ok {
			out.Subjects = append(out.Subjects, k)
		}
	}
	out.Flags = flagNames(flags)
	return out
}

var errCopyOld = problem.New(409, "copy.old",
	problem.Text{DA: "Kopien er lavet af en tidligere udgave af programmet og kan ikke vurderes mere.", EN: "The copy was made by an earlier version of the program and can no longer be assessed."},
	problem.Text{DA: "Lav den slørede kopi igen; klippet og markeringen er der stadig.", EN: "Make the veiled copy again; the clip and the marking are still there."})

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
