package track

import (
	"math"
	"slices"

	"veilbox/redact/shape"
)

// How flags spread.
const (
	// doubtTime is how long before and after somebody else was near a frame is
	// flagged too: bodies melt into one a moment before that can be seen.
	doubtTime = 0.3 // seconds
	lowTime   = 0.2 // seconds: the same for a low match
	// grownTime is how far around a frame its usual size is looked for.
	grownTime = 1.5 // seconds
	// A region taller or larger than usual by these may hold more than the
	// subject: on real footage a walker's height stays within 5 %, the area,
	// with the legs, within 40 %.
	grownTall  = 1.12
	grownLarge = 1.6
)

// settle flags what only the whole tracks tell, and where subjects overlap.
func (t *Tracker) settle(subjects [][]Region) {
	for i, regions := range subjects {
		t.grown(regions)
		t.detected(regions)
		for _, other := range subjects[:i] {
			for f := range regions {
				a, b := &regions[f], &other[f]
				if a.State == Shown && b.State == Shown && shape.Overlap(a.Shape, b.Shape) {
					a.Flags |= FlagCrowded
					b.Flags |= FlagCrowded
				}
			}
		}
	}
	for _, regions := range subjects {
		t.spread(regions)
	}
}

// spread flags the frames close to one where somebody else was near, or where
// the subject was half hidden.
func (t *Tracker) spread(regions []Region) {
	near := make([]Flags, len(regions))
	for flag, reach := range map[Flags]float64{FlagCrowded: doubtTime, FlagLow: lowTime} {
		mark := func(from, to, dir int) {
			last, seen := 0., false
			for i := from; i != to; i += dir {
				at := t.e.src.Time(i)
				if regions[i].State == Shown && regions[i].Flags&flag != 0 {
					last, seen = at, true
				}
				if seen && math.Abs(at-last) <= reach+1e-9 {
					near[i] |= flag
				}
			}
		}
		mark(0, len(regions), 1)
		mark(len(regions)-1, -1, -1)
	}
	for i := range regions {
		if regions[i].State == Shown {
			regions[i].Flags |= near[i]
		}
	}
}

// grown flags the regions that are larger than those around them usually are.
func (t *Tracker) grown(regions []Region) {
	var tall, large []float64
	size := make([][2]float64, len(regions))
	for i, r := range regions {
		if r.State == Shown {
			size[i] = [2]float64{float64(r.Shape.Bounds().Dy()), float64(r.Shape.Blocks())}
		}
	}
	first := 0
	for i := range regions {
		r := &regions[i]
		if r.State != Shown || r.Reason == ReasonGiven {
			continue
		}
		at := t.e.src.Time(i)
		for t.e.src.Time(first) < at-grownTime {
			first++
		}
		tall, large = tall[:0], large[:0]
		for j := first; j < len(regions) && t.e.src.Time(j) <= at+grownTime; j++ {
			if regions[j].State == Shown {
				tall, large = append(tall, size[j][0]), append(large, size[j][1])
			}
		}
		// A block more is noise.
		if size[i][0] > grownTall*middle(tall)+1 || size[i][1] > grownLarge*middle(large)+4 {
			r.Flags |= FlagGrown
		}
	}
}

// middle returns the middle of v, which it sorts; infinity where v is empty.
func middle(v []float64) float64 {
	if len(v) == 0 {
		return math.Inf(1)
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// detected flags the frames in which a detector found somebody else within the
// region. The one that fits the subject best is the subject.
func (t *Tracker) detected(regions []Region) {
	if t.people == nil {
		return
	}
	for i := range regions {
		r := &regions[i]
		if r.State != Shown {
			continue
		}
		people := t.people(i)
		b := boxOf(r.Rect, t.e.w, t.e.h)
		best, fit := -1, 0.2
		for k, p := range people {
			if q := boxOf(p.Rect, t.e.w, t.e.h).iou(b); q > fit {
				best, fit = k, q
			}
		}
		for k, p := range people {
			if k == best || p.Rect.Check() != nil {
				continue
			}
			// A detector's box has air around the body.
			air := p.Rect
			air.X, air.W = air.X+0.15*air.W, 0.7*air.W
			air.Y, air.H = air.Y+0.05*air.H, 0.9*air.H
			theirs := t.e.outline.grid.Cover(air)
			if !shape.Overlap(r.Shape, theirs) {
				continue
			}
			r.Flags |= FlagDetected | FlagCrowded
			// What lies in both boxes may be either's; a person's own frame stays.
			core := b
			core.w *= 0.8
			theirs = shape.Minus(nil, theirs, t.e.shapeOf(core))
			if rest := shape.Minus(nil, r.Shape, theirs); r.Reason != ReasonGiven && !rest.Empty() && rest.Blocks() < r.Shape.Blocks() {
				r.Shape, r.Flags = rest, r.Flags|FlagCut
			}
		}
	}
}
