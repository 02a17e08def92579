package veil

import (
	"encoding/binary"
	"math"
)

const lanes = 0x00ff00ff00ff00ff

// painted holds the painted blocks of f against the scene.
func painted(rep *Report, f *Frame, e Expect) {
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
		var d differ
		for _, r := range e.Painted {
			y0, y1 := int(r.Row)*block, min(ph, (int(r.Row)+1)*block)
			for c := int(r.From); c < int(r.To); c++ {
				x0, x1 := c*block, min(pw, (c+1)*block)
				sum, most := 0, 0
				for y := y0; y < y1; y++ {
					s, m := d.line(to[p][y*pw+x0:y*pw+x1], from[p][y*pw+x0:y*pw+x1])
					sum, most = sum+s, max(most, m)
				}
				rep.PaintedMean.take(math.Abs(float64(sum))/float64((y1-y0)*(x1-x0)), c, int(r.Row), p)
				rep.PaintedMax.take(float64(most), c, int(r.Row), p)
			}
		}
	}
}

// A differ compares lines. It looks for the largest difference alone: a word in
// which none is above the largest so far is not looked into.
type differ struct{ limit int }

// line returns the sum of a-b, and the largest difference of one sample where
// that is a new one, else 0.
func (d *differ) line(a, b []byte) (sum, most int) {
	for len(a) >= 8 {
		sum += d.word(binary.LittleEndian.Uint64(a), binary.LittleEndian.Uint64(b), &most)
		a, b = a[8:], b[8:]
	}
	if len(a) >= 4 {
		sum += d.word(uint64(binary.LittleEndian.Uint32(a)), uint64(binary.LittleEndian.Uint32(b)), &most)
		a, b = a[4:], b[4:]
	}
	for i := range a {
		sum += d.word(uint64(a[i]), uint64(b[i]), &most)
	}
	return sum, most
}

func (d *differ) word(x, y uint64, most *int) int {
	if x == y {
		return 0
	}
	const one = 0x0001000100010001
	// Each lane of 16 bits becomes 256 plus the difference of one sample, which
	// is neither below 1 nor above 511.
	even := x&lanes + 256*one - y&lanes
	odd := x>>8&lanes + 256*one - y>>8&lanes
	l := uint64(d.limit) * one
	low, high := even+l, even+767*one-l // below: neither bit 8 nor 9; above: bit 10
	low2, high2 := odd+l, odd+767*one-l
	if (low|low>>1)&(low2|low2>>1)&(256*one) != 256*one || (high|high2)&(1024*one) != 0 {
		d.look(x, y, most)
	}
	// Eight lanes of at most 511 are below 1<<16.
	return int((even+odd)*one>>48) - 8*256
}

func (d *differ) look(x, y uint64, most *int) {
	for ; x != y; x, y = x>>8, y>>8 {
		v := int(x&255) - int(y&255)
		*most = max(*most, v, -v)
	}
	d.limit = max(d.limit, *most)
}
