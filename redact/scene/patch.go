package scene

import (
	"encoding/binary"

	"veilbox/redact/shape"
	"veilbox/redact/veil"
)

// side is that of a patch, in samples of its plane: 4 pixels in luma, 8 in
// chroma. The mean of 16 samples has a quarter of the noise of one, and still
// tells what has moved by a pixel along an edge.
const side = 4

// unit is how many steps of a patch's mean are one of a sample.
const unit = 16

// patches are the means of a frame's patches, in 1/16 of a step.
type patches struct {
	cols, rows [2]int // luma, chroma
	mean       [3][]uint16
	acc        []uint64
}

func newPatches(w, h int) *patches {
	p := &patches{acc: make([]uint64, w/8+1)}
	p.cols = [2]int{(w + side - 1) / side, (w/2 + side - 1) / side}
	p.rows = [2]int{(h + side - 1) / side, (h/2 + side - 1) / side}
	for i := range p.mean {
		k := min(i, 1)
		p.mean[i] = make([]uint16, p.cols[k]*p.rows[k])
	}
	return p
}

func (p *patches) take(f *veil.Frame) {
	p.plane(0, f.Y, f.W, f.H)
	p.plane(1, f.U, f.W/2, f.H/2)
	p.plane(2, f.V, f.W/2, f.H/2)
}

// plane sums words of two patches, four lines at a time; what does not fill a
// word or a patch is summed by itself.
func (p *patches) plane(i int, pix []byte, w, h int) {
	const lanes = 0x00ff00ff00ff00ff
	cols := p.cols[min(i, 1)]
	words := w / 8
	acc := p.acc[:words]
	for r := range p.rows[min(i, 1)] {
		y0, y1 := r*side, min(h, r*side+side)
		out := p.mean[i][r*cols : (r+1)*cols]
		clear(acc)
		for y := y0; y < y1; y++ {
			line := pix[y*w : (y+1)*w]
			for k := range acc {
				v := binary.LittleEndian.Uint64(line[8*k:])
				acc[k] += v&lanes + v>>8&lanes
			}
		}
		n := side * (y1 - y0)
		for k, a := range acc {
			left, right := a&0xffff+a>>16&0xffff, a>>32&0xffff+a>>48
			out[2*k], out[2*k+1] = uint16(int(left)*unit/n), uint16(int(right)*unit/n)
		}
		for c := 2 * words; c < cols; c++ {
			x0, x1, sum := c*side, min(w, c*side+side), 0
			for y := y0; y < y1; y++ {
				for _, v := range pix[y*w+x0 : y*w+x1] {
					sum += int(v)
				}
			}
			out[c] = uint16(sum * unit / ((y1 - y0) * (x1 - x0)))
		}
	}
}

// spread returns patches over all of the frame that are in still, which may be
// nil: enough of them for a median.
func (p *patches) spread(g shape.Grid, still *shape.Bitmap) (of [2][]int32) {
	for k := range of {
		px := side << k
		step := 1
		for p.cols[k]*p.rows[k]/(step*step) > 8192 {
			step++
		}
		for r := 0; r < p.rows[k]; r += step {
			for c := r / step % step; c < p.cols[k]; c += step {
				if still == nil || still.Bits[r*px/g.Block*still.Cols+c*px/g.Block] {
					of[k] = append(of[k], int32(r*p.cols[k]+c))
				}
			}
		}
	}
	return of
}

// A light is how the light of a frame differs from that of a model: what is to
// be added to a mean of the model. Luma has a curve, for a lamp changes the dark
// less than the bright; each chroma plane has one shift.
type light struct {
	luma   [256]int // by the model's luma; in 1/16
	chroma [2]int
	hist   [bins][2*span + 1]int
	by     [256]int
}

const (
	bins = 4   // parts of the curve, of a quarter of the patches each
	span = 160 // steps of light that are looked for, both ways
)

// fit finds the light of f against m by medians: what covers less than half of
// the picture does not bend it.
func (l *light) fit(m, f *patches, of *[2][]int32) {
	clear(l.by[:])
	for _, i := range of[0] {
		l.by[m.mean[0][i]/unit]++
	}
	// Borders of bins, and the median of each.
	var bin [256]int
	var mid, many [bins]int
	total, at := max(1, len(of[0])), 0
	for v, n := range l.by {
		k := min(bins-1, (at+n/2)*bins/total)
		bin[v] = k
		many[k] += n
		at += n
	}
	var half [bins]int
	for v, n := range l.by {
		if k := bin[v]; n > 0 && 2*half[k] < many[k] {
			mid[k] = v
			half[k] += n
		}
	}
	for k := range l.hist {
		clear(l.hist[k][:])
	}
	for _, i := range of[0] {
		v := m.mean[0][i]
		d := (int(f.mean[0][i]) - int(v) + 8*unit*span) // positive, so that it rounds one way
		d = max(0, min(2*span, (d+unit/2)/unit-7*span))
		l.hist[bin[v/unit]][d]++
	}
	var x, off []float64
	for k := range bins {
		n := 0
		for _, c := range l.hist[k] {
			n += c
		}
		if n == 0 {
			continue
		}
		x, off = append(x, float64(mid[k])), append(off, unit*float64(median(l.hist[k][:], n)-span))
	}
	if len(x) == 0 {
		x, off = append(x, 0), append(off, 0)
	}
	for v := range l.luma {
		l.luma[v] = int(along(x, off, float64(v)))
	}
	for c := range l.chroma {
		h := l.hist[0][:]
		clear(h)
		for _, i := range of[1] {
			v := m.mean[c+1][i]
			d := (int(f.mean[c+1][i]) - int(v) + 8*unit*span + unit/2) / unit
			h[max(0, min(2*span, d-7*span))]++
		}
		l.chroma[c] = unit * (median(h, len(of[1])) - span)
	}
}

// median returns where half of n has passed.
func median(hist []int, n int) int {
	at := 0
	for i, c := range hist {
		if at += c; 2*at >= n {
			return i
		}
	}
	return len(hist) - 1
}

// along returns the value at v of the line through the points. Outside it goes on
// with the slope of the whole, for a lamp is a factor; within bounds, for points
// that are close together say little.
func along(x, y []float64, v float64) float64 {
	n := len(x) - 1
	slope := 0.
	if x[n]-x[0] >= 16 {
		slope = max(-unit, min(unit, (y[n]-y[0])/(x[n]-x[0])))
	}
	switch {
	case v <= x[0]:
		return y[0] + slope*(v-x[0])
	case v >= x[n]:
		return y[n] + slope*(v-x[n])
	}
	for i := 1; i <= n; i++ {
		if v <= x[i] && x[i] > x[i-1] {
			return y[i-1] + (y[i]-y[i-1])*(v-x[i-1])/(x[i]-x[i-1])
		}
	}
	return y[n]
}

// large reports whether the light is another one.
func (l *light) large() bool {
	sum := 0
	for v, n := range l.by {
		sum += n * max(l.luma[v], -l.luma[v])
	}
	n := 0
	for _, c := range l.by {
		n += c
	}
	return sum > sameLight*unit*n
}

// worst puts into dst, by block, the largest difference of a patch between f and
// m in the light l, in 1/16 of a step of luma; that of chroma counts double.
func worst(dst []uint16, g shape.Grid, m, f *patches, l *light) {
	clear(dst)
	cols, rows := g.Cols(), g.Rows()
	per := g.Block / side
	for r := range m.rows[0] {
		line := dst[min(rows-1, r/per)*cols:]
		a, b := m.mean[0][r*m.cols[0]:(r+1)*m.cols[0]], f.mean[0][r*m.cols[0]:(r+1)*m.cols[0]]
		count, at := 0, 0
		for c, v := range a {
			d := int(b[c]) - int(v) - l.luma[v>>4]
			d = max(d, -d)
			if d > int(line[at]) {
				line[at] = uint16(d)
			}
			if count++; count == per {
				count, at = 0, at+1
			}
		}
	}
	// A patch of chroma is 8 pixels wide: of one block, of a part of one, or of
	// four.
	for p := 1; p < 3; p++ {
		for r := range m.rows[1] {
			for c := range m.cols[1] {
				i := r*m.cols[1] + c
				d := int(f.mean[p][i]) - int(m.mean[p][i]) - l.chroma[p-1]
				v := uint16(2 * max(d, -d))
				for y := r * 2 * side; y < min(g.H, (r+1)*2*side); y += min(g.Block, 2*side) {
					for x := c * 2 * side; x < min(g.W, (c+1)*2*side); x += min(g.Block, 2*side) {
						if k := y/g.Block*cols + x/g.Block; v > dst[k] {
							dst[k] = v
						}
					}
				}
			}
		}
	}
}
