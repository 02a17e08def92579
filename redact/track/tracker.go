package track

import (
	"context"
	"fmt"

	"veilbox/redact/shape"
	"veilbox/redact/subject"
)

// keepCalls is for how many calls of Track a walk that is not asked for any
// more is kept: a person undoes a correction.
const keepCalls = 4

// A Tracker tracks through one clip. It is for one goroutine at a time.
type Tracker struct {
	e      *engine
	people func(int) []Person
	walks  map[origin]*walk
	call   int
	walked int // frames, since New
}

// New learns the background of a clip. The planes are asked of src again in
// each call of Track.
func New(ctx context.Context, src Source, o Options) (*Tracker, error) {
	n := src.Len()
	if n < 1 || n > MaxFrames {
		return nil, fmt.Errorf("track: a clip of %d frames: give 1 to %d", n, MaxFrames)
	}
	p := src.Plane(0)
	if p.W < MinPlane || p.H < MinPlane || p.W > MaxPlane || p.H > MaxPlane {
		return nil, fmt.Errorf("track: planes of %dx%d: give %d to %d pixels each way", p.W, p.H, MinPlane, MaxPlane)
	}
	if err := o.Grid.Check(); err != nil {
		return nil, fmt.Errorf("track: %w", err)
	}
	e := &engine{ctx: ctx, src: src, w: p.W, h: p.H, total: n}
	e.outline.init(o.Grid, p.W, p.H)
	if err := e.bg.learn(e); err != nil {
		return nil, err
	}
	return &Tracker{e: e, people: o.People, walks: map[origin]*walk{}}, nil
}

// Track returns a region for each subject and frame. Progress, if not nil, is
// called with the frames done of all. What was tracked in an earlier call from
// the same keyframe is not tracked again; the result is the same as if it were.
// The error is ctx's, or says what is wrong with a subject.
func (t *Tracker) Track(ctx context.Context, subjects []subject.Subject, progress func(done, total int)) ([][]Region, error) {
	placed := make([][]key, len(subjects))
	for i, s := range subjects {
		if err := s.Check(); err != nil {
			return nil, fmt.Errorf("track: %w", err)
		}
		keys, err := place(t.e.src, s)
		if err != nil {
			return nil, err
		}
		placed[i] = keys
	}
	t.call++
	t.e.begin(ctx, progress, t.workOf(placed))
	out := make([][]Region, len(subjects))
	for i, keys := range placed {
		var err error
		if out[i], err = t.one(keys); err != nil {
			return nil, err
		}
	}
	t.settle(out)
	for o, w := range t.walks {
		if t.call-w.used >= keepCalls {
			delete(t.walks, o)
		}
	}
	if progress != nil {
		progress(t.e.total, t.e.total)
	}
	return out, nil
}

// one returns the regions of one subject, before they are settled.
func (t *Tracker) one(keys []key) ([]Region, error) {
	out := make([]Region, t.e.total)
	first := keys[0]
	if first.rect == nil {
		for i := range first.frame {
			out[i] = Region{State: Unsure, Reason: ReasonNoKeyframe}
		}
	} else {
		back, err := t.from(first, -1, 0)
		if err != nil {
			return nil, err
		}
		for i := range first.frame {
			t.put(out, i, back.at(i, 0))
		}
	}
	for i, k := range keys {
		var next *key
		if i+1 < len(keys) {
			next = &keys[i+1]
		}
		if err := t.between(out, k, next); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// between fills the frames from a keyframe until the next one, or the end.
func (t *Tracker) between(out []Region, k key, next *key) error {
	to := t.e.total
	if next != nil {
		to = next.frame
	}
	if k.rect == nil {
		for i := k.frame; i < to; i++ {
			out[i] = Region{State: Gone, Confidence: 1, Reason: ReasonGone}
		}
		return nil
	}
	fwd, err := t.from(k, 1, to-1)
	if err != nil {
		return err
	}
	out[k.frame] = Region{State: Shown, Rect: *k.rect, Shape: fwd.given.shape, Flags: fwd.given.flags, Confidence: 1, Reason: ReasonGiven}
	if fwd.given.shape.Empty() {
		out[k.frame].State = Unsure
	}
	from, until := k.frame+1, to-1
	if until < from {
		return nil
	}
	if next == nil || next.rect == nil {
		for i := from; i < to; i++ {
			t.put(out, i, fwd.at(i, until))
		}
		return nil
	}
	back, err := t.from(*next, -1, from)
	if err != nil {
		return err
	}
	// A track that arrives somewhere else than the next keyframe has gone wrong
	// at a time that nobody knows.
	wrong := parted(fwd.at(until, until), boxOf(*next.rect, t.e.w, t.e.h)) || parted(back.at(from, from), boxOf(*k.rect, t.e.w, t.e.h))
	for i := from; i < to; i++ {
		t.put(out, i, reconcile(fwd.at(i, until), back.at(i, from), wrong))
	}
	return nil
}

// put writes a step as a region.
func (t *Tracker) put(out []Region, i int, s step) {
	r := Region{State: s.state, Rect: s.box.rect(t.e.w, t.e.h), Confidence: s.conf, Reason: s.reason}
	if r.State == Shown && (r.Rect == (subject.Rect{}) || s.shape.Empty()) {
		r.State = Unsure
	}
	if r.State == Shown {
		r.Shape, r.Flags = s.shape, s.flags
	}
	out[i] = r
}

// Walked returns how many frames were followed since New: what a correction
// cost is the difference.
func (t *Tracker) Walked() int { return t.walked }

// workOf returns how many frames have to be walked, at most.
func (t *Tracker) workOf(placed [][]key) int {
	n := 0
	for _, keys := range placed {
		for i, k := range keys {
			if k.rect == nil {
				continue
			}
			if i == 0 {
				n += t.missing(k, -1, 0)
			}
			if i+1 == len(keys) {
				n += t.missing(k, 1, t.e.total-1)
				continue
			}
			n += t.missing(k, 1, keys[i+1].frame-1)
			if keys[i+1].rect != nil {
				n += t.missing(keys[i+1], -1, k.frame+1)
			}
		}
	}
	return n
}

// shapeOf returns the shape of a box that a person drew.
func (e *engine) shapeOf(b box) shape.Shape {
	return e.outline.grid.Inside(b.rect(e.w, e.h))
}
