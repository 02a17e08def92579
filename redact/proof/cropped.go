package proof

import (
	"fmt"
	"math"
)

// What a player cuts off may hold what a codec needs to fill its blocks: the last
// row or column again, or one colour. Anything else is a picture that nobody has
// looked at. A codec smears what is in the picture into it, so both bounds are
// wider beside an edge that is no veil. In groups of 16 samples along the edge, as
// deep as is cut:
const (
	croppedMean = 8.  // most that a group may differ from the edge in the mean
	croppedFlat = 64. // or vary about its own mean, mean square
	group       = 16
)

// A cropping is what of a coded frame is shown: w by h at the top left of cw by
// ch.
type cropping struct{ w, h, cw, ch int }

func (c cropping) none() bool { return c.w == c.cw && c.h == c.ch }

// take checks what is cut off a coded frame and moves the rest to the front, as
// a frame of its own.
func (c cropping) take(b []byte) error {
	from, to := 0, 0
	for p := range 3 {
		w, h, cw, ch := c.w, c.h, c.cw, c.ch
		if p > 0 {
			w, h, cw, ch = w/2, h/2, cw/2, ch/2
		}
		pix := b[from : from+cw*ch]
		if err := cutOff(pix, w, h, cw, ch); err != nil {
			return err
		}
		if cw == w {
			copy(b[to:to+w*h], pix)
		} else {
			for y := range h {
				copy(b[to+y*w:to+(y+1)*w], pix[y*cw:y*cw+w])
			}
		}
		from, to = from+cw*ch, to+w*h
	}
	return nil
}

func cutOff(pix []byte, w, h, cw, ch int) error {
	for x := 0; x < w && h < ch; x += group {
		var t cutTally
		to := x + group
		if to >= w { // what is beyond both edges belongs to the last group
			x, to = max(0, w-group), cw
		}
		for y := h; y < ch; y++ {
			for k := x; k < to; k++ {
				t.add(pix[y*cw+k], pix[(h-1)*cw+min(k, w-1)])
			}
		}
		if !t.ok() {
			return fmt.Errorf("its rows below the picture hold another, at column %d", x)
		}
	}
	for y := 0; y < h && w < cw; y += group {
		var t cutTally
		y = min(y, max(0, h-group))
		for k := y; k < min(h, y+group); k++ {
			for x := w; x < cw; x++ {
				t.add(pix[k*cw+x], pix[k*cw+w-1])
			}
		}
		if !t.ok() {
			return fmt.Errorf("its columns beside the picture hold another, at row %d", y)
		}
	}
	return nil
}

// A cutTally gathers a group of samples, the edge beside them, and how far the
// one is from the other.
type cutTally struct{ n, off, sum, sq, esum, esq int }

func (t *cutTally) add(v, edge byte) {
	a, e := int(v), int(edge)
	t.n++
	t.off += max(a-e, e-a)
	t.sum += a
	t.sq += a * a
	t.esum += e
	t.esq += e * e
}

func (t *cutTally) ok() bool {
	n := float64(t.n)
	mean, edge := float64(t.sum)/n, float64(t.esum)/n
	deviates := math.Sqrt(max(0, float64(t.esq)/n-edge*edge))
	return float64(t.off)/n <= croppedMean+deviates || float64(t.sq)/n-mean*mean <= croppedFlat+deviates*deviates/16
}
