package veil

import (
	"encoding/binary"
	"math/bits"
)

// A tally gathers the samples of a cell.
type tally struct {
	n, sum, sq       int
	lo, hi, ilo, ihi int // over all, and over the cell's inside
	rn, rsum, rsq    int // of its ring
}

var empty = tally{lo: 255, ilo: 255}

// run takes the samples of line from x0 to x1, on a line of the cell's inside
// (mid) those from i0 to i1 as its inside. A word of eight of one value, of which
// a flat cell is made, is taken at once. Margins are narrower than a word, so
// that on a line of the inside each word has a part in it.
func (t *tally) run(line []byte, x0, x1 int, mid bool, i0, i1 int) {
	t.n += x1 - x0
	x := x0
	for x+8 <= x1 {
		w := binary.LittleEndian.Uint64(line[x:])
		if w != bits.RotateLeft64(w, 8) {
			t.bytes(line, x, x+8, mid, i0, i1)
			x += 8
			continue
		}
		from := x
		for x += 8; x+8 <= x1 && binary.LittleEndian.Uint64(line[x:]) == w; x += 8 {
		}
		v, n := int(w&0xff), x-from
		t.sum += n * v
		t.sq += n * v * v
		t.lo, t.hi = min(t.lo, v), max(t.hi, v)
		if mid && from < i1 && x > i0 {
			t.ilo, t.ihi = min(t.ilo, v), max(t.ihi, v)
		}
	}
	t.bytes(line, x, x1, mid, i0, i1)
}

func (t *tally) bytes(line []byte, x0, x1 int, mid bool, i0, i1 int) {
	for i, b := range line[x0:x1] {
		v := int(b)
		t.sum += v
		t.sq += v * v
		t.lo, t.hi = min(t.lo, v), max(t.hi, v)
		if x := x0 + i; mid && x >= i0 && x < i1 {
			t.ilo, t.ihi = min(t.ilo, v), max(t.ihi, v)
		}
	}
}

func (t *tally) ring(b []byte) {
	t.rn += len(b)
	for _, x := range b {
		v := int(x)
		t.rsum += v
		t.rsq += v * v
	}
}

// add takes the samples of o, a part of the cell.
func (t *tally) add(o *tally) {
	t.n, t.sum, t.sq = t.n+o.n, t.sum+o.sum, t.sq+o.sq
	t.rn, t.rsum, t.rsq = t.rn+o.rn, t.rsum+o.rsum, t.rsq+o.rsq
	t.lo, t.hi, t.ilo, t.ihi = min(t.lo, o.lo), max(t.hi, o.hi), min(t.ilo, o.ilo), max(t.ihi, o.ihi)
}

// mean returns that of the cell; where nothing but its ring is left, of that.
func (t *tally) mean() float64 {
	switch {
	case t.n > 0:
		return float64(t.sum) / float64(t.n)
	case t.rn > 0:
		return float64(t.rsum) / float64(t.rn)
	}
	return 0
}

// deviation returns the largest from the mean within the cell's inside and
// within all of it.
func (t *tally) deviation() (in, all float64) {
	if t.n == 0 {
		return 0, 0
	}
	mean := t.mean()
	if t.ihi >= t.ilo {
		in = max(mean-float64(t.ilo), float64(t.ihi)-mean)
	}
	return in, max(mean-float64(t.lo), float64(t.hi)-mean)
}

// about returns the mean square of n samples about mean; fewer than least count
// as so many.
func about(n, sum, sq int, mean float64) float64 {
	if n == 0 {
		return 0
	}
	return max(0, float64(sq)-2*mean*float64(sum)+mean*mean*float64(n)) / float64(max(least, n))
}
