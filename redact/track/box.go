package track

import (
	"math"

	"veilbox/redact/subject"
)

// A box is a rectangle by its middle and size, in pixels of the plane.
type box struct{ cx, cy, w, h float64 }

func boxOf(r subject.Rect, w, h int) box {
	fw, fh := float64(w), float64(h)
	return box{(r.X + r.W/2) * fw, (r.Y + r.H/2) * fh, r.W * fw, r.H * fh}
}

func (b box) left() float64   { return b.cx - b.w/2 }
func (b box) right() float64  { return b.cx + b.w/2 }
func (b box) top() float64    { return b.cy - b.h/2 }
func (b box) bottom() float64 { return b.cy + b.h/2 }

// rect returns b in fractions, clamped to the frame; zero if nothing is left.
func (b box) rect(w, h int) subject.Rect {
	x0, x1 := clampTo(b.left()/float64(w)), clampTo(b.right()/float64(w))
	y0, y1 := clampTo(b.top()/float64(h)), clampTo(b.bottom()/float64(h))
	if !(x1 > x0 && y1 > y0) {
		return subject.Rect{}
	}
	return subject.Rect{X: x0, Y: y0, W: x1 - x0, H: y1 - y0}
}

func clampTo(v float64) float64 { return math.Max(0, math.Min(1, v)) }

// inside returns the share of b that lies within a frame of w by h.
func (b box) inside(w, h int) float64 {
	return b.overlap(box{float64(w) / 2, float64(h) / 2, float64(w), float64(h)}) / (b.w * b.h)
}

func (b box) overlap(c box) float64 {
	x := math.Min(b.right(), c.right()) - math.Max(b.left(), c.left())
	y := math.Min(b.bottom(), c.bottom()) - math.Max(b.top(), c.top())
	return math.Max(0, x) * math.Max(0, y)
}

// iou returns the overlap of b and c over their union.
func (b box) iou(c box) float64 {
	o := b.overlap(c)
	if u := b.w*b.h + c.w*c.h - o; u > 0 {
		return o / u
	}
	return 0
}
