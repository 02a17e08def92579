package track

import (
	"math"

	"veilbox/redact/shape"
	"veilbox/redact/subject"
)

// Between returns the region of a frame that was left out of the planes, t of
// the way (0 to 1) from the one of a to the one of b. The body is taken to move
// straight; where somebody else is near, only what both agree on is shown.
func Between(a, b Region, t float64, g shape.Grid) Region {
	r := Region{Reason: ReasonBetween, Confidence: min(a.Confidence, b.Confidence)}
	t = clampTo(t)
	if math.IsNaN(t) {
		return r
	}
	switch {
	case a.State == Gone && b.State == Gone:
		r.State = Gone
		return r
	case a.State != Shown || b.State != Shown:
		return r
	}
	mix := func(x, y float64) float64 { return x + (y-x)*t }
	r.Rect = subject.Rect{X: mix(a.Rect.X, b.Rect.X), Y: mix(a.Rect.Y, b.Rect.Y), W: mix(a.Rect.W, b.Rect.W), H: mix(a.Rect.H, b.Rect.H)}
	r.Flags = a.Flags | b.Flags
	from, to := move(a, r, g), move(b, r, g)
	if r.Flags&(FlagCrowded|FlagCut|FlagDetected) != 0 {
		r.Shape = shape.Intersect(nil, from, to)
	} else {
		r.Shape = shape.Union(nil, from, to)
	}
	if r.Shape.Empty() {
		return Region{Rect: r.Rect, Reason: ReasonBetween, Confidence: r.Confidence}
	}
	r.State = Shown
	return r
}

// move returns the shape of a moved by whole blocks to where r is.
func move(a, r Region, g shape.Grid) shape.Shape {
	blocks := func(v float64, n int) int { return int(math.Round(v * float64(n) / float64(g.Block))) }
	dx := blocks(r.Rect.X+r.Rect.W/2-a.Rect.X-a.Rect.W/2, g.W)
	dy := blocks(r.Rect.Y+r.Rect.H/2-a.Rect.Y-a.Rect.H/2, g.H)
	var out shape.Shape
	for _, run := range a.Shape {
		row, from, to := int(run.Row)+dy, max(0, int(run.From)+dx), min(g.Cols(), int(run.To)+dx)
		if row >= 0 && row < g.Rows() && from < to {
			out = append(out, shape.Run{Row: uint16(row), From: uint16(from), To: uint16(to)})
		}
	}
	return out
}
