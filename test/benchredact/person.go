package main

import (
	"context"
	"fmt"
	"image"
	"math"
	"slices"
	"time"

	"veilbox/redact/mask"
	"veilbox/redact/subject"
)

const (
	maxCorrections = 20
	// goal is the share of the frames in which the subject can be seen that a
	// person wants to see it in.
	goal = 0.95
	// A person does not set two keyframes closer than this, in seconds: where
	// one did not help, the next frame will not either.
	apartLeast = 0.25
)

// A tracker is what the person works with: it follows the subject through the
// clip and says what of each frame is shown.
type tracker interface {
	track(ctx context.Context, s subject.Subject) (*mask.Mask, error)
	// produce makes the copy and says what of each of its frames is shown.
	produce(ctx context.Context, s subject.Subject) (*mask.Mask, error)
	close()
}

// A Round is one try: what the person said, what came of it, and how long it
// took.
type Round struct {
	Keys   []subject.Keyframe
	Mask   *mask.Mask
	Frames []Frame
	Took   time.Duration
}

// work does what a person does: one box, a look at all that came of it, and a
// keyframe at the first thing that is wrong, then where most is veiled, until the
// goal is reached or the person has had enough.
func work(ctx context.Context, t *Truth, with tracker) ([]Round, error) {
	first, err := t.first()
	if err != nil {
		return nil, err
	}
	keys := []subject.Keyframe{first}
	var rounds []Round
	for {
		said := subject.Subject{Version: subject.Version, Keyframes: keys}
		begun := time.Now()
		m, err := with.track(ctx, said)
		if err != nil {
			return nil, fmt.Errorf("benchredact: %s: %w", t.Name, err)
		}
		r := Round{Keys: keys, Mask: m, Took: time.Since(begun)}
		if err := fits(t, m); err != nil {
			return nil, err
		}
		r.Frames = judgeAll(t, m)
		rounds = append(rounds, r)
		next, ok := correction(t, r.Frames, keys)
		if !ok || len(rounds) > maxCorrections {
			made, err := with.produce(ctx, said)
			if err != nil {
				return nil, fmt.Errorf("benchredact: %s: copy: %w", t.Name, err)
			}
			if mask.Hash(made.Encode()) != mask.Hash(m.Encode()) {
				return nil, fmt.Errorf("benchredact: %s: the copy does not show what was tracked", t.Name)
			}
			return rounds, nil
		}
		keys = append(slices.Clone(keys), next...)
		slices.SortFunc(keys, func(a, b subject.Keyframe) int {
			if a.At < b.At {
				return -1
			}
			return 1
		})
	}
}

// fits makes sure that a frame of the mask is the frame of the footage that the
// truth means.
func fits(t *Truth, m *mask.Mask) error {
	if len(m.Frames) != t.To-t.From || m.Subjects != 1 || m.Grid.W != t.Width || m.Grid.H != t.Height {
		return fmt.Errorf("benchredact: %s: a mask of %d frames of %dx%d with %d subjects, want %d of %dx%d with one",
			t.Name, len(m.Frames), m.Grid.W, m.Grid.H, m.Subjects, t.To-t.From, t.Width, t.Height)
	}
	for i, f := range m.Frames {
		if d := float64(f.At)/90000 - float64(i)/float64(t.FPS); d > 0.004 || d < -0.004 {
			return fmt.Errorf("benchredact: %s: frame %d is at %d ticks, which is not its time at %d frames a second", t.Name, i, f.At, t.FPS)
		}
	}
	return nil
}

func (t *Truth) seconds(f int) float64 { return float64(f-t.From) / float64(t.FPS) }

// keyframe returns the box b in frame f as the person draws it.
func (t *Truth) keyframe(f int, b image.Rectangle) subject.Keyframe {
	more := func(side int) int { return int(math.Round(t.loose * float64(side))) }
	b = grown(b, more(b.Dx()), more(b.Dy())).Intersect(image.Rect(0, 0, t.Width, t.Height))
	w, h := float64(t.Width), float64(t.Height)
	return subject.Keyframe{At: t.seconds(f), Rect: &subject.Rect{
		X: float64(b.Min.X) / w, Y: float64(b.Min.Y) / h, W: float64(b.Dx()) / w, H: float64(b.Dy()) / h}}
}

// free reports whether the subject is seen whole in m and nobody touches it.
func (m Mark) free() bool {
	return m.Sight == Full && !slices.ContainsFunc(m.Others, func(o Other) bool { return o.Box.rect().Overlaps(m.Box.rect()) })
}

// first returns the box that the person begins with: the first in which the
// subject is seen whole, best with nobody near.
func (t *Truth) first() (subject.Keyframe, error) {
	for _, like := range []func(Mark) bool{Mark.free, func(m Mark) bool { return m.Sight == Full }} {
		if i := slices.IndexFunc(t.Marks, like); i >= 0 {
			return t.keyframe(t.Marks[i].Frame, t.Marks[i].Box.rect()), nil
		}
	}
	return subject.Keyframe{}, fmt.Errorf("benchredact: %s: no mark shows the whole subject", t.Name)
}

// correction returns the keyframes that mend the first fault: the subject is
// veiled for more than a second although it can be seen, or something else is
// shown.
func correction(t *Truth, frames []Frame, keys []subject.Keyframe) ([]subject.Keyframe, bool) {
	for i := 0; i < len(frames); {
		from, to, ok := fault(frames[i:], t.FPS)
		if !ok {
			break
		}
		from, to = from+i, to+i
		next := t.mend(frames[from].At, frames[to-1].At, frames[from].leaks())
		if next = slices.DeleteFunc(next, func(k subject.Keyframe) bool { return near(keys, k.At) }); len(next) > 0 {
			return next, true
		}
		// One keyframe did not help: the rest of the run may take another.
		i = max(from+1, min(to, from+t.FPS/2))
	}
	return t.more(frames, keys)
}

// more returns a box in the longest run of frames in which the subject is veiled
// although it can be seen, while too little of it is shown on the whole.
func (t *Truth) more(frames []Frame, keys []subject.Keyframe) ([]subject.Keyframe, bool) {
	count, shown := 0, 0
	for _, f := range frames {
		if f.Counts {
			count++
			if f.Shown {
				shown++
			}
		}
	}
	if float64(shown) >= goal*float64(count) {
		return nil, false
	}
	type run struct{ from, to int }
	var runs []run
	for i, f := range frames {
		switch {
		case !f.Counts || f.Shown:
		case len(runs) > 0 && runs[len(runs)-1].to == i:
			runs[len(runs)-1].to++
		default:
			runs = append(runs, run{i, i + 1})
		}
	}
	slices.SortStableFunc(runs, func(a, b run) int { return (b.to - b.from) - (a.to - a.from) })
	for _, r := range runs {
		// The middle helps both ways.
		for _, from := range []int{(r.from + r.to) / 2, r.from} {
			for _, k := range t.box(frames[from].At, frames[r.to-1].At) {
				if !near(keys, k.At) {
					return []subject.Keyframe{k}, true
				}
			}
		}
	}
	return nil, false
}

func near(keys []subject.Keyframe, at float64) bool {
	return slices.ContainsFunc(keys, func(k subject.Keyframe) bool { return k.At-at < apartLeast && at-k.At < apartLeast })
}

// fault returns the first run of frames [from, to) with a fault. Frames that do
// not count neither lengthen nor end a run in which the subject is veiled.
func fault(frames []Frame, fps int) (from, to int, ok bool) {
	start, missed := -1, 0
	for i, f := range frames {
		if f.leaks() {
			if missed > fps {
				return start, i, true
			}
			end := i + 1
			for end < len(frames) && frames[end].leaks() {
				end++
			}
			return i, end, true
		}
		switch {
		case !f.Counts:
		case f.Shown:
			if missed > fps {
				return start, i, true
			}
			start, missed = -1, 0
		default:
			if start < 0 {
				start = i
			}
			missed++
		}
	}
	return start, len(frames), missed > fps
}

// mend returns what the person says of the frames [from, to] of the footage: the
// box of the first mark in which the subject is seen whole with nobody near,
// else of a frame in which nobody stands before it. A box where somebody
// does would show them as well. Where there is no such frame, the person lets the
// subject stay veiled; if something else is shown, that it is gone, and where it
// is as soon as nobody stands before it any more.
func (t *Truth) mend(from, to int, leak bool) []subject.Keyframe {
	for _, m := range t.Marks {
		if m.Frame >= from && m.Frame <= to && m.free() {
			return []subject.Keyframe{t.keyframe(m.Frame, m.Box.rect())}
		}
	}
	// What is shown that must not be is mended where it begins.
	last := to
	if leak {
		last = from
	}
	if say := t.box(from, last); say != nil || !leak {
		return say
	}
	return append([]subject.Keyframe{{At: t.seconds(from), Gone: true}}, t.box(to+1, min(t.To-1, to+2*t.FPS))...)
}

// box returns the box of the first frame of [from, to] in which the subject is
// seen whole and nobody stands before it, else of the first in which it is seen
// in part and nobody does.
func (t *Truth) box(from, to int) []subject.Keyframe {
	var say []subject.Keyframe
	for f := from; f <= to; f++ {
		m := t.At(f)
		if !m.Known || !m.Sight.visible() || slices.ContainsFunc(m.Others, func(o Other) bool { return o.Front && o.Box.rect().Overlaps(m.Box) }) {
			continue
		}
		if m.Sight == Full {
			return []subject.Keyframe{t.keyframe(f, m.Box)}
		}
		if say == nil {
			say = []subject.Keyframe{t.keyframe(f, m.Box)}
		}
	}
	return say
}
