package veil

import (
	"encoding/binary"
	"math"

	"veilbox/redact/shape"
)

const (
	lanes = 0x00ff00ff00ff00ff
	one   = 0x0001000100010001
)

// painted holds the painted blocks of f against the scene.
func (c *Checker) painted(rep *Report, f *Frame, e Expect) {
	if e.Painted.Empty() {
		return
	}
	from, to := e.Scene.planes(), f.planes()
	for p := range to {
		pw, ph := planeSize(p, f.W, f.H)
		block := e.Grid.Block
		if p != 0 {
			block /= 2
		}
		d := differ{p: p, block: block}
		for _, r := range e.Painted {
			c.run(rep, &d, to[p], from[p], r, pw, ph)
		}
		rep.PaintedMax.take(float64(d.limit), d.col, d.row, p)
	}
}

// run compares a run of blocks, line by line. Words are summed down the lines,
// two samples a lane, and then taken apart into blocks.
func (c *Checker) run(rep *Report, d *differ, to, from []byte, r shape.Run, pw, ph int) {
	b := d.block
	x0, x1 := int(r.From)*b, min(pw, int(r.To)*b)
	y0, y1 := int(r.Row)*b, min(ph, (int(r.Row)+1)*b)
	n := (x1 - x0 + 7) / 8
	if cap(c.sums) < n {
		c.sums = make([]uint64, n)
	}
	sums := c.sums[:n]
	clear(sums)
	for y := y0; y < y1; y++ {
		d.line(to[y*pw+x0:y*pw+x1], from[y*pw+x0:y*pw+x1], sums, x0, int(r.Row))
	}
	for col := int(r.From); col < int(r.To); col++ {
		s0, s1, sum := col*b-x0, min(x1, (col+1)*b)-x0, 0
		if b%2 != 0 { // a lane is of two blocks
			for y := y0; y < y1; y++ {
				for s := s0; s < s1; s++ {
					sum += int(to[y*pw+x0+s]) - int(from[y*pw+x0+s])
				}
			}
		} else {
			for s := s0; s < s1; s += 2 {
				sum += int(sums[s/8]>>(s%8*8)&0xffff) - 512*(y1-y0)
			}
		}
		mean := math.Abs(float64(sum)) / float64((y1-y0)*(s1-s0))
		if d.p != 0 {
			mean /= 2
		}
		rep.PaintedMean.take(mean, col, int(r.Row), d.p)
	}
}

// A differ compares lines. It looks for the largest difference alone: a word in
// which none is above the largest so far is not looked into.
type differ struct {
	p, block        int
	limit, col, row int
}

// line adds to sums, in each lane, 512 plus the sum of a-b over two samples: over
// the 64 lines that a block may have that stays below 1<<16.
func (d *differ) line(a, b []byte, sums []uint64, x0, row int) {
	l := uint64(d.limit) * one
	for k := range sums {
		var x, y uint64
		if len(a) >= 8 {
			x, y = binary.LittleEndian.Uint64(a), binary.LittleEndian.Uint64(b)
			a, b = a[8:], b[8:]
		} else {
			var p, q [8]byte
			copy(p[:], a)
			copy(q[:], b)
			x, y = binary.LittleEndian.Uint64(p[:]), binary.LittleEndian.Uint64(q[:])
		}
		// Each lane becomes 256 plus the difference of one sample, which is
		// neither below 1 nor above 511.
		even := x&lanes + 256*one - y&lanes
		odd := x>>8&lanes + 256*one - y>>8&lanes
		sums[k] += even + odd
		// Below the limit a lane has neither bit 8 nor 9, above it bit 10.
		low, high := even+l, even+767*one-l
		low2, high2 := odd+l, odd+767*one-l
		if (low|low>>1)&(low2|low2>>1)&(256*one) != 256*one || (high|high2)&(1024*one) != 0 {
			d.look(x, y, x0+8*k, row)
			l = uint64(d.limit) * one
		}
	}
}

func (d *differ) look(x, y uint64, at, row int) {
	for ; x != y; x, y, at = x>>8, y>>8, at+1 {
		v := int(x&255) - int(y&255)
		if v = max(v, -v); v > d.limit {
			d.limit, d.col, d.row = v, at/d.block, row
		}
	}
}
