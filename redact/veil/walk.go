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

// A piece is the samples [x0, x1) of a line, within one part of a cell.
type piece struct {
	x0, x1, part int
	i0, i1       int // of the cell's inside
	ring         bool
}

// parts returns how many parts a cell has each way.
func parts(cell int) int { return max(1, min(4, cell/MinCell)) }

// cutAt returns where part k of n begins in [from, to), and for k == n its end.
func cutAt(from, to, k, n int) int { return from + k*(to-from)/n }

// plane measures plane p.
func (c *Checker) plane(rep *Report, f *Frame, p int, pix []byte, block, cell, cols, rows int) {
	pw, ph := planeSize(p, f.W, f.H)
	margin, pad, ring := CellMargin, ShownMargin, RingMargin
	if p != 0 {
		block, margin, pad, ring = block/2, margin/2, pad/2, ring/2
	}
	n := parts(cell)
	for r := range rows {
		y0, y1 := edge(p, r, rows, cell, ph), edge(p, r+1, rows, cell, ph)
		tallies := c.tallies[:cols*n*n]
		for i := range tallies {
			tallies[i] = empty
		}
		for y, k := y0, 0; y < y1; {
			for y >= cutAt(y0, y1, k+1, n) {
				k++
			}
			end := min(cutAt(y0, y1, k+1, n), next(y, block, pad), next(y, block, ring), next(y, block, 0))
			c.wide = c.seen.near(c.wide[:0], y, block, pad, pw)
			c.narrow = c.narrow[:0]
			if len(c.wide) > 0 {
				c.narrow = c.seen.near(c.narrow, y, block, ring, pw)
			}
			c.cut(p, pw, margin, cell, cols, n)
			if p == 0 {
				rep.Skipped += (end - y) * c.skipped(y, block, pw)
			}
			line := tallies[k*cols*n : (k+1)*cols*n]
			for ; y < end; y++ {
				pix := pix[y*pw : (y+1)*pw]
				mid := y >= y0+margin && y < y1-margin
				for i := range c.pieces {
					q := &c.pieces[i]
					if q.ring {
						line[q.part].ring(pix[q.x0:q.x1])
					} else {
						line[q.part].run(pix, q.x0, q.x1, mid && q.i0 < q.i1, q.i0, q.i1)
					}
				}
			}
		}
		for i := range cols {
			rep.cell(tallies, i, r, p, cols, n)
		}
	}
}

// cell takes the findings on a cell from its parts.
func (rep *Report) cell(tallies []tally, col, row, p, cols, n int) {
	all := empty
	for k := range n {
		for i := range n {
			all.add(&tallies[(k*cols+col)*n+i])
		}
	}
	inner, edge := all.deviation()
	rep.Deviation.take(inner, col, row, p)
	rep.Edge.take(edge, col, row, p)
	mean := all.mean()
	for k := range n {
		for i := range n {
			t := &tallies[(k*cols+col)*n+i]
			rep.Energy.take(about(t.n, t.sum, t.sq, mean), col, row, p)
			rep.Ring.take(about(t.rn, t.rsum, t.rsq, mean), col, row, p)
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
// wide and narrow, each divided by the parts of cells.
func (c *Checker) cut(p, pw, margin, cell, cols, n int) {
	c.pieces = c.pieces[:0]
	x, k := 0, 0
	for _, s := range c.wide {
		c.add(p, pw, margin, cell, cols, n, x, s.from, false)
		for x = s.from; k < len(c.narrow) && c.narrow[k].from < s.to; k++ {
			c.add(p, pw, margin, cell, cols, n, x, c.narrow[k].from, true)
			x = c.narrow[k].to
		}
		c.add(p, pw, margin, cell, cols, n, x, s.to, true)
		x = s.to
	}
	c.add(p, pw, margin, cell, cols, n, x, pw, false)
}

func (c *Checker) add(p, pw, margin, cell, cols, n, from, to int, ring bool) {
	side := cell
	if p != 0 {
		side /= 2
	}
	for x := from; x < to; {
		i := min(x/side, cols-1)
		a, b := edge(p, i, cols, cell, pw), edge(p, i+1, cols, cell, pw)
		k := 0
		for x >= cutAt(a, b, k+1, n) {
			k++
		}
		e := min(to, cutAt(a, b, k+1, n))
		c.pieces = append(c.pieces, piece{x, e, i*n + k, a + margin, b - margin, ring})
		x = e
	}
}
