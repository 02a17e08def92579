package casework

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"veilbox/appliance/account"
	"veilbox/appliance/incident"
	"veilbox/capture/clip"
	"veilbox/capture/footage"
)

// caseSpans says which cases a span of a camera touches, without opening the
// sealed rows: a case's clip is set once, when it is made.
type caseSpans struct {
	mu sync.RWMutex
	m  map[footage.CameraID][]caseSpan // by start
}

type caseSpan struct {
	id   incident.CaseID
	span footage.Span
}

func (cs *caseSpans) add(c incident.Case) {
	if c.Clip.Camera == "" {
		return
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.m == nil {
		cs.m = map[footage.CameraID][]caseSpan{}
	}
	list := cs.m[c.Clip.Camera]
	at, _ := slices.BinarySearchFunc(list, c.Clip.Span.From, func(x caseSpan, from footage.Ticks) int { return cmp.Compare(x.span.From, from) })
	cs.m[c.Clip.Camera] = slices.Insert(list, at, caseSpan{c.ID, c.Clip.Span})
}

// drop takes a case out that is deleted.
func (cs *caseSpans) drop(id incident.CaseID) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for cam, list := range cs.m {
		cs.m[cam] = slices.DeleteFunc(list, func(x caseSpan) bool { return x.id == id })
	}
}

// within returns the cases of cam that overlap span. No clip is longer than
// longest, which bounds how far before the span one can begin.
func (cs *caseSpans) within(cam footage.CameraID, span footage.Span, longest footage.Ticks) []TimelineCase {
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	list := cs.m[cam]
	at, _ := slices.BinarySearchFunc(list, span.From-longest, func(x caseSpan, from footage.Ticks) int { return cmp.Compare(x.span.From, from) })
	out := []TimelineCase{}
	for _, x := range list[at:] {
		if x.span.From >= span.To {
			break
		}
		if x.span.Overlaps(span) {
			out = append(out, TimelineCase{x.id, spanView(x.span)})
		}
	}
	return out
}

func spanView(s footage.Span) TimeSpan { return TimeSpan{s.From.Time(), s.To.Time()} }

const (
	maxTimeline = 31 * 24 * time.Hour
	// maxPixels bounds how finely a time line is asked for.
	maxPixels = 8192
)

func checkTimeline(from, to time.Time, px int) error {
	if !from.Before(to) || to.Sub(from) > maxTimeline {
		return badInput("timeline.span", "Vælg højst 31 dage.", "Choose at most 31 days.")
	}
	if px < 0 || px > maxPixels {
		return badInput("timeline.px", fmt.Sprintf("Vælg højst %d punkter.", maxPixels), fmt.Sprintf("Choose at most %d pixels.", maxPixels))
	}
	return nil
}

// Timeline returns what is recorded of a camera between two times. With px over
// 0 the spans are merged where less than a pixel lies between them.
func (s *Service) Timeline(ctx context.Context, a Actor, cam footage.CameraID, from, to time.Time, px int) (Timeline, error) {
	if err := s.allow(a, account.ViewFootage); err != nil {
		return Timeline{}, err
	}
	if err := checkTimeline(from, to, px); err != nil {
		return Timeline{}, err
	}
	return s.timeline(ctx, cam, footage.SpanOf(from, to), px)
}

// Timelines returns the time lines of all cameras that the box records.
func (s *Service) Timelines(ctx context.Context, a Actor, from, to time.Time, px int) ([]Timeline, error) {
	if err := s.allow(a, account.ViewFootage); err != nil {
		return nil, err
	}
	if err := checkTimeline(from, to, px); err != nil {
		return nil, err
	}
	cams, err := s.o.Store.Cameras(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Timeline, 0, len(cams))
	for _, c := range cams {
		t, err := s.timeline(ctx, c.ID, footage.SpanOf(from, to), px)
		if err != nil {
			return nil, err
		}
		t.Name = c.Name
		all = append(all, t)
	}
	return all, nil
}

func (s *Service) timeline(ctx context.Context, cam footage.CameraID, span footage.Span, px int) (Timeline, error) {
	runs, err := s.o.Ring.Timeline(ctx, cam, span)
	if err != nil {
		return Timeline{}, fmt.Errorf("casework: %w", err)
	}
	t := Timeline{Camera: cam, Gaps: max(0, len(runs)-1), Cases: s.spans.within(cam, span, footage.TicksIn(clip.MaxSpan))}
	if px > 0 {
		runs = merge(runs, (span.To-span.From)/footage.Ticks(px))
	}
	t.Recorded = make([]TimeSpan, 0, len(runs))
	for _, r := range runs {
		t.Recorded = append(t.Recorded, spanView(r))
	}
	return t, nil
}

// merge joins runs that lie less than least apart. A gap of that length or more
// stays to be seen.
func merge(runs []footage.Span, least footage.Ticks) []footage.Span {
	out := runs[:0]
	for _, r := range runs {
		if n := len(out); n > 0 && r.From-out[n-1].To < least {
			out[n-1].To = max(out[n-1].To, r.To)
			continue
		}
		out = append(out, r)
	}
	return out
}
