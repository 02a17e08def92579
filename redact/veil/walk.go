package veil

import (
	"math/bits"

	"veilbox/redact/shape"
)

// rows are the blocks of a grid, a bit each.
type rows struct {
	cols, n, words int
	bits           []uint64 // by row
	or             []uint64
}

func (r *rows) take(g shape.Grid, shapes ...shape.Shape) {
	r.cols, r.n = g.Cols(), g.Rows()
	r.words = (r.cols + 63) / 64
	if n := r.words * r.n; cap(r.bits) < n {
		r.bits = make([]uint64, n)
	} else {
		r.bits = r.bits[:n]
		clear(r.bits)
	}
	if cap(r.or) < r.words {
		r.or = make([]uint64, r.words)
	}
	r.or = r.or[:r.words]
	for _, s := range shapes {
		for _, x := range s {
			line := r.bits[int(x.Row)*r.words:]
			for at := int(x.From); at < int(x.To); {
				i, from := at/64, at%64
				n := min(64-from, int(x.To)-at)
				line[i] |= ^uint64(0) >> (64 - n) << from
				at += n
			}
		}
	}
}

// A run is the samples [from, to) of a line.
type run struct{ from, to int }

// near appends to dst what lies on line y, within pad samples of a block, on a
// plane of the width pw where a block has a side of block. It holds until the
// line next returns.
func (r *rows) near(dst []run, y, block, pad, pw int) []run {
	first := max(0, floorDiv(y-pad, block))
	last := min(r.n-1, (y+pad)/block)
	clear(r.or)
	some := uint64(0)
	for b := first; b <= last; b++ {
		for i, w := range r.bits[b*r.words : (b+1)*r.words] {
			r.or[i] |= w
			some |= w
		}
	}
	if some == 0 {
		return dst
	}
	n := len(dst)
	for i, w := range r.or {
		for w != 0 {
			from := bits.TrailingZeros64(w)
			k := bits.TrailingZeros64(^(w >> from))
			to := from + k
			if to >= 64 {
				w = 0
			} else {
				w &^= 1<<to - 1
			}
			x0, x1 := max(0, (i*64+from)*block-pad), min(pw, (i*64+to)*block+pad)
			if m := len(dst); m > n && dst[m-1].to >= x0 {
				dst[m-1].to = x1
			} else {
				dst = append(dst, run{x0, x1})
			}
		}
	}
	return dst
}

// next returns the first line after y where near may be different.
func next(y, block, pad int) int {
	return min((floorDiv(y+pad, block)+1)*block-pad, (floorDiv(y-pad, block)+1)*block+pad)
}

func floorDiv(a, b int) int {
	if a < 0 {
		return -((b - 1 - a) / b)
	}
	return a / b
}

// A piece is the samples [x0, x1) of a line, within one cell.
type piece struct {
	x0, x1, cell int
	i0, i1       int // of the cell's inside
	ring         bool
}

// plane measures plane p.
func (c *Checker) plane(rep *Report, f *Frame, p int, pix []byte, block, cell, cols, rows int) {
	pw, ph := planeSize(p, f.W, f.H)
	margin, pad, ring := CellMargin, ShownMargin, RingMargin
	if p != 0 {
		block, margin, pad, ring = block/2, margin/2, pad/2, ring/2
	}
	for r := range rows {
		y0, y1 := edge(p, r, rows, cell, ph), edge(p, r+1, rows, cell, ph)
		for i := range c.cells[:cols] {
			c.cells[i] = empty
		}
		for y := y0; y < y1; {
			end := min(y1, next(y, block, pad), next(y, block, ring))
			c.wide = c.seen.near(c.wide[:0], y, block, pad, pw)
			c.narrow = c.narrow[:0]
			if len(c.wide) > 0 {
				c.narrow = c.seen.near(c.narrow, y, block, ring, pw)
			}
			c.cut(p, pw, margin, cell, cols)
			if p == 0 {
				rep.Skipped += (end - y) * c.skipped(y, block, pw)
			}
			for ; y < end; y++ {
				line := pix[y*pw : (y+1)*pw]
				mid := y >= y0+margin && y < y1-margin
				for i := range c.pieces {
					q := &c.pieces[i]
					if q.ring {
						c.cells[q.cell].ring(line[q.x0:q.x1])
					} else {
						c.cells[q.cell].run(line, q.x0, q.x1, mid && q.i0 < q.i1, q.i0, q.i1)
					}
				}
			}
		}
		for i := range c.cells[:cols] {
			t := &c.cells[i]
			inner, all, energy := t.result()
			rep.Deviation.take(inner, i, r, p)
			rep.Edge.take(all, i, r, p)
			rep.Energy.take(energy, i, r, p)
			rep.Ring.take(t.about(), i, r, p)
		}
	}
}

// skipped returns how many samples of line y are near what is seen and not seen.
// It overwrites c.narrow, which the pieces have already.
func (c *Checker) skipped(y, block, pw int) int {
	if len(c.wide) == 0 {
		return 0
	}
	n := 0
	for _, s := range c.wide {
		n += s.to - s.from
	}
	c.narrow = c.seen.near(c.narrow[:0], y, block, 0, pw)
	for _, s := range c.narrow {
		n -= s.to - s.from
	}
	return n
}

// cut makes the pieces of a line: what is outside wide, and the ring between
// wide and narrow, each divided by cells.
func (c *Checker) cut(p, pw, margin, cell, cols int) {
	c.pieces = c.pieces[:0]
	x, k := 0, 0
	for _, s := range c.wide {
		c.add(p, pw, margin, cell, cols, x, s.from, false)
		for x = s.from; k < len(c.narrow) && c.narrow[k].from < s.to; k++ {
			c.add(p, pw, margin, cell, cols, x, c.narrow[k].from, true)
			x = c.narrow[k].to
		}
		c.add(p, pw, margin, cell, cols, x, s.to, true)
		x = s.to
	}
	c.add(p, pw, margin, cell, cols, x, pw, false)
}

func (c *Checker) add(p, pw, margin, cell, cols, from, to int, ring bool) {
	side := cell
	if p != 0 {
		side /= 2
	}
	for x := from; x < to; {
		i := min(x/side, cols-1)
		a, b := edge(p, i, cols, cell, pw), edge(p, i+1, cols, cell, pw)
		e := min(to, b)
		c.pieces = append(c.pieces, piece{x, e, i, a + margin, b - margin, ring})
		x = e
	}
}
