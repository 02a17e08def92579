package track

import "math"

// How a drawn box is fitted to the body.
const (
	snapMost   = 0.22 // of the drawn side: the most that a side moves in
	snapLeast  = 0.15 // of the box: less foreground within it says nothing
	snapColumn = 0.10 // of the fullest column: up to here it is a gap between bodies, or a rim
	snapRow    = 0.08 // of the fullest row: the same
)

// snap returns the box of the body in a box that a person drew around it, which
// may be too large or a little off: the columns and rows from the middle outwards
// up to the first gap in the foreground. Where the subject does not stand out
// from the background, or a side would have to move in further than anybody draws
// too large (legs have the colour of the ground), it stays where it was drawn.
func (e *engine) snap(b box) box {
	s := &e.seen
	x0, y0 := max(s.window.Min.X, int(math.Round(b.left()))), max(s.window.Min.Y, int(math.Round(b.top())))
	x1, y1 := min(s.window.Max.X, int(math.Round(b.right()))), min(s.window.Max.Y, int(math.Round(b.bottom())))
	if x1-x0 < 6 || y1-y0 < 8 {
		return b
	}
	cols, rows := make([]int, x1-x0), make([]int, y1-y0)
	all := 0
	for y := y0; y < y1; y++ {
		for x, v := range s.fg[y*s.w+x0 : y*s.w+x1] {
			if v >= solid {
				cols[x]++
				all++
			}
		}
	}
	if float64(all) < snapLeast*b.w*b.h {
		return b
	}
	l, r := span(cols, snapColumn)
	for y := y0; y < y1; y++ {
		for _, v := range s.fg[y*s.w+x0+l : y*s.w+x0+r] {
			if v >= solid {
				rows[y-y0]++
			}
		}
	}
	t, d := span(rows, snapRow)
	in := func(drawn, found, size float64) float64 {
		if math.Abs(found-drawn) > snapMost*size {
			return drawn
		}
		return found
	}
	left, right := in(b.left(), float64(x0+l), b.w), in(b.right(), float64(x0+r), b.w)
	top, bottom := in(b.top(), float64(y0+t), b.h), in(b.bottom(), float64(y0+d), b.h)
	return box{(left + right) / 2, (top + bottom) / 2, right - left, bottom - top}
}

// span returns the run of n around its heaviest part that is free of gaps: of
// values up to a share of the largest. The heaviest part is looked for in the
// middle half.
func span(n []int, share float64) (from, to int) {
	most, at := 0, len(n)/2
	for i := len(n) / 4; i < len(n)-len(n)/4; i++ {
		if n[i] > most {
			most, at = n[i], i
		}
	}
	gap := max(1, int(share*float64(most)))
	from, to = at, at+1
	for from > 0 && n[from-1] > gap {
		from--
	}
	for to < len(n) && n[to] > gap {
		to++
	}
	return from, to
}
