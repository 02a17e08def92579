package work

import (
	"math"
	"slices"

	"veilbox/capture/footage"
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
func doubt(rs []track.Region, times []footage.Ticks) {
	sure := make([]bool, len(rs))
	for i, grown := range grown(rs, times) {
		sure[i] = rs[i].State != track.Unsure && (!grown || rs[i].Reason == track.ReasonGiven)
	}
	near := make([]bool, len(rs))
	mark := func(from, to, dir int) {
		var last footage.Ticks
		seen := false
		for i := from; i != to; i += dir {
			at := times[i]
			if !sure[i] {
				last, seen = at, true
			}
			near[i] = near[i] || seen && (at-last)*footage.Ticks(dir) <= doubtTime
		}
	}
	mark(0, len(rs), 1)
	mark(len(rs)-1, -1, -1)
	for i := range rs {
		if r := &rs[i]; near[i] && r.State == track.Shown && r.Reason != track.ReasonGiven {
			r.State, r.Reason = track.Unsure, "near-doubt"
		}
	}
}

// grown reports, for each frame, whether its region is larger than those around
// it usually are.
func grown(rs []track.Region, times []footage.Ticks) []bool {
	out := make([]bool, len(rs))
	var tall, large []float64
	first := 0
	for i := range rs {
		if rs[i].State != track.Shown {
			continue
		}
		for times[first] < times[i]-grownTime {
			first++
		}
		tall, large = tall[:0], large[:0]
		for j := first; j < len(rs) && times[j] <= times[i]+grownTime; j++ {
			if g := &rs[j]; g.State == track.Shown {
				tall = append(tall, g.Rect.H)
				large = append(large, g.Rect.H*g.Rect.W)
			}
		}
		r := rs[i].Rect
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
