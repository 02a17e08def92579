package work

import (
	"math"
	"slices"

	"veilbox/capture/footage"
	"veilbox/redact/mask"
	"veilbox/redact/track"
)

// People who pass close together melt into one blob for a moment, before or
// after the tracker says so, and then the region holds both. What is not sure is
// therefore widened in time, and a region that has grown at once is not sure.
const (
	// doubtTime is how long before and after a frame that is not sure nothing
	// is shown.
	doubtTime = footage.TicksPerSecond / 2
	// grownTime is how far around a frame its usual size is looked for.
	grownTime = 3 * footage.TicksPerSecond / 2
	// A region taller or larger than usual by these holds more than the
	// subject: on real footage a walker's height stays within 5 %, the area,
	// with the legs, within 40 %.
	grownTall  = 1.09
	grownLarge = 1.6
)

// doubt veils what has grown at once and what lies close to a frame that is not
// sure, but for the frames that a person marked.
func doubt(m *mask.Mask) {
	given := mask.ReasonOf(track.ReasonGiven)
	sure := make([]bool, len(m.Frames))
	for i, grown := range grown(m) {
		sure[i] = m.Frames[i].State != mask.Unsure && (!grown || m.Frames[i].Reason == given)
	}
	near := make([]bool, len(m.Frames))
	mark := func(from, to, dir int) {
		var last footage.Ticks
		seen := false
		for i := from; i != to; i += dir {
			at := m.Frames[i].At
			if !sure[i] {
				last, seen = at, true
			}
			near[i] = near[i] || seen && (at-last)*footage.Ticks(dir) <= doubtTime
		}
	}
	mark(0, len(m.Frames), 1)
	mark(len(m.Frames)-1, -1, -1)
	for i := range m.Frames {
		f := &m.Frames[i]
		if near[i] && f.State == mask.Shown && f.Reason != given {
			f.State, f.Rects, f.Reason = mask.Unsure, nil, mask.ReasonOf("near-doubt")
		}
	}
}

// grown reports, for each frame, whether its region is larger than those around
// it usually are.
func grown(m *mask.Mask) []bool {
	out := make([]bool, len(m.Frames))
	var tall, large []float64
	first := 0
	for i := range m.Frames {
		f := &m.Frames[i]
		if f.State != mask.Shown {
			continue
		}
		for m.Frames[first].At < f.At-grownTime {
			first++
		}
		tall, large = tall[:0], large[:0]
		for j := first; j < len(m.Frames) && m.Frames[j].At <= f.At+grownTime; j++ {
			if g := &m.Frames[j]; g.State == mask.Shown {
				tall = append(tall, g.Rects[0].H)
				large = append(large, g.Rects[0].H*g.Rects[0].W)
			}
		}
		r := f.Rects[0]
		out[i] = r.H > grownTall*median(tall) || r.H*r.W > grownLarge*median(large)
	}
	return out
}

// median returns the middle of v, which it sorts; infinity where v is empty.
func median(v []float64) float64 {
	if len(v) == 0 {
		return math.Inf(1)
	}
	slices.Sort(v)
	return v[len(v)/2]
}
