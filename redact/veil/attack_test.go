package veil

import (
	"math"
	"math/rand/v2"
	"testing"

	"veilbox/redact/shape"
)

// atChance returns the most hits of n trials with a chance of p each that luck
// explains but once in a thousand runs.
func atChance(n int, p float64) int {
	tail, pk := 1.0, math.Pow(1-p, float64(n))
	for k := 0; k < n; k++ {
		if tail -= pk; tail < 1e-3 {
			return k
		}
		pk *= float64(n-k) / float64(k+1) * p / (1 - p)
	}
	return n
}

// A view is the means of cells, plane by plane: what an attacker compares.
type view []float64

// cellsOver returns the cells that a head touches.
func (v *Veil) cellsOver(h head) (idx []int) {
	for r := range v.rows {
		for c := range v.cols {
			x0, x1 := edge(0, c, v.cols, v.o.Cell, v.w), edge(0, c+1, v.cols, v.o.Cell, v.w)
			y0, y1 := edge(0, r, v.rows, v.o.Cell, v.h), edge(0, r+1, v.rows, v.o.Cell, v.h)
			if float64(x1) > h.x-0.4*h.height && float64(x0) < h.x+0.4*h.height && float64(y1) > h.y && float64(y0) < h.y+h.height {
				idx = append(idx, r*v.cols+c)
			}
		}
	}
	return idx
}

// means returns the exact means of the cells of f.
func (v *Veil) exact(f *Frame, idx []int) view {
	out := make(view, 0, 3*len(idx))
	for p, pix := range f.planes() {
		pw, ph := planeSize(p, v.w, v.h)
		for _, i := range idx {
			c, r := i%v.cols, i/v.cols
			x0, x1 := edge(p, c, v.cols, v.o.Cell, pw), edge(p, c+1, v.cols, v.o.Cell, pw)
			y0, y1 := edge(p, r, v.rows, v.o.Cell, ph), edge(p, r+1, v.rows, v.o.Cell, ph)
			sum := 0
			for y := y0; y < y1; y++ {
				sum += sumBytes(pix[y*pw+x0 : y*pw+x1])
			}
			out = append(out, float64(sum)/float64((x1-x0)*(y1-y0)))
		}
	}
	return out
}

func distance(a, b view) float64 {
	d := 0.0
	for i := range a {
		d += (a[i] - b[i]) * (a[i] - b[i])
	}
	return d
}

// nearest returns the candidate nearest to probe; ties go to a draw, for the
// attacker can do no better.
func nearest(r *rand.Rand, probe view, gallery []view) int {
	best, at, ties := math.Inf(1), 0, 0
	for i, g := range gallery {
		switch d := distance(probe, g); {
		case d < best:
			best, at, ties = d, i, 1
		case d == best:
			if ties++; r.IntN(ties) == 0 {
				at = i
			}
		}
	}
	return at
}

// A sprite is a head as samples, by plane, for its top at (0, 0).
type sprite [3][]struct {
	x, y int
	v    byte
}

func (f *face) sprite(size int, s sitting) (out sprite) {
	// Drawn on two grounds: a sample that is the same on both is the head's.
	w, h := 2*size, size+2
	a, b := noise(w, h, 1), noise(w, h, 1)
	for _, p := range b.planes() {
		for i := range p {
			p[i] ^= 0xff
		}
	}
	f.draw(a, head{float64(size), 0, float64(size)}, s)
	f.draw(b, head{float64(size), 0, float64(size)}, s)
	for p := range out {
		pw, ph := planeSize(p, w, h)
		k := w / pw
		for y := range ph {
			for x := range pw {
				if v := a.planes()[p][y*pw+x]; v == b.planes()[p][y*pw+x] {
					out[p] = append(out[p], struct {
						x, y int
						v    byte
					}{x - size/k, y, v})
				}
			}
		}
	}
	return out
}

// paste puts s onto f, its top at h, on even pixels.
func (s *sprite) paste(f *Frame, x, y int) {
	for p, pix := range f.planes() {
		pw, _ := planeSize(p, f.W, f.H)
		k := f.W / pw
		for _, q := range s[p] {
			pix[(y/k+q.y)*pw+x/k+q.x] = q.v
		}
	}
}

// over returns the means that f would have with s on it: those without are base,
// of the cells idx.
func (v *Veil) over(base view, f *Frame, s *sprite, x, y int, idx []int) view {
	out := append(view(nil), base...)
	place := make(map[int]int, len(idx))
	for i, c := range idx {
		place[c] = i
	}
	for p, pix := range f.planes() {
		pw, ph := planeSize(p, f.W, f.H)
		k := f.W / pw
		side := v.o.Cell / k
		size := func(c int) float64 {
			return float64((edge(p, c%v.cols+1, v.cols, v.o.Cell, pw) - edge(p, c%v.cols, v.cols, v.o.Cell, pw)) *
				(edge(p, c/v.cols+1, v.rows, v.o.Cell, ph) - edge(p, c/v.cols, v.rows, v.o.Cell, ph)))
		}
		last, at, area := -1, 0, 1.0
		for _, q := range s[p] {
			sx, sy := x/k+q.x, y/k+q.y
			c := min(v.rows-1, sy/side)*v.cols + min(v.cols-1, sx/side)
			if c != last {
				last, at, area = c, p*len(idx)+place[c], size(c)
			}
			out[at] += (float64(q.v) - float64(pix[sy*pw+sx])) / area
		}
	}
	return out
}

// small is what a resize to 4 by 4 makes of the cells that a head touches: those
// of the mosaic as they lie, brought to one brightness.
func small(m view) view {
	out, n := append(view(nil), m...), len(m)/3
	for p := range 3 {
		mean := 0.0
		for _, v := range m[p*n : (p+1)*n] {
			mean += v / float64(n)
		}
		for i := range n {
			out[p*n+i] -= mean
		}
	}
	return out
}

// attackFaces veils each of people several times and lets an attacker name them.
// He has a picture of each head from another time, knows where the head is to
// the pixel, and the background without it. He returns how often he was right:
// by the means of the cells, and by their pattern alone.
func attackFaces(cell, levels, size int, people []face, times int) (means, pattern int) {
	const w, h = 640, 360
	r := rand.New(rand.NewPCG(22, uint64(size)))
	known := make([]sprite, len(people))
	for i := range people {
		known[i] = people[i].sprite(size, someTime(r))
	}
	v := build(shape.For(w, h), Options{Cell: cell, Levels: levels, Hold: 1})
	gallery, patterns := make([]view, len(people)), make([]view, len(people))
	for range times {
		for who := range people {
			back := shop(w, h, r)
			x, y := 2*(size/2+r.IntN((w-2*size)/2)), 2*r.IntN((h-size-2)/2)
			idx := v.cellsOver(head{float64(x), float64(y), float64(size)})
			base := v.exact(back, idx)
			for i := range people {
				gallery[i] = v.over(base, back, &known[i], x, y, idx)
				patterns[i] = small(gallery[i])
			}
			now := people[who].sprite(size, someTime(r))
			now.paste(back, x, y)
			for p := range v.level { // of another clip each
				for i := range v.level[p] {
					v.level[p][i] = -1
				}
			}
			if err := v.Apply(back, Seen{}); err != nil {
				panic(err)
			}
			seen := v.exact(back, idx)
			if nearest(r, seen, gallery) == who {
				means++
			}
			if nearest(r, small(seen), patterns) == who {
				pattern++
			}
		}
	}
	return means, pattern
}

const fineCell = 8 // of the control: a mosaic as people know it

// Whoever has pictures of forty people, one of whom is behind the veil, names the
// right one no more often than by chance, though he knows place and size of the
// head to the pixel and the background without it. With a fine mosaic the same
// attacker succeeds.
//
// A third of the frame's height is the largest head: a larger one fills cells,
// and of these the brightness remains, in three levels.
func TestFacesAreAtChance(t *testing.T) {
	const people, times = 40, 6
	r := rand.New(rand.NewPCG(22, 11))
	all := make([]face, people)
	for i := range all {
		all[i] = someone(r)
	}
	n, chance := people*times, 1./people
	bound := atChance(n, chance)
	for _, size := range []int{120, 60, 30} { // of 360
		means, pattern := attackFaces(DefaultCell(640, 360), DefaultLevels, size, all, times)
		t.Logf("heads of %d px: %d and %d of %d named, %.1f by chance, at most %d", size, means, pattern, n, float64(n)*chance, bound)
		if means > bound || pattern > bound {
			t.Errorf("heads of %d px: %d named by the means and %d by the pattern of %d, chance allows %d", size, means, pattern, n, bound)
		}
	}
	means, pattern := attackFaces(fineCell, MaxLevels, 120, all, 1)
	t.Logf("cells of %d px: %d and %d of %d named", fineCell, means, pattern, people)
	if means < people/2 || pattern < people/2 {
		t.Errorf("cells of %d px: %d and %d of %d named: an attacker who fails there proves nothing", fineCell, means, pattern, people)
	}
}

// A texture moves behind the cells while the light flickers: samples at many
// shifts and many thresholds, which is what super-resolution lives on. The mean
// of a hundred veiled frames, each brought back by its motion, tells no more of
// the texture than one frame does. A veil that takes its cells anew in each
// frame, and so lets the flicker dither its levels, tells more.
func TestFramesTogetherTellNoMore(t *testing.T) {
	const w, h, frames = 320, 240, 100
	r := rand.New(rand.NewPCG(5, 5))
	big := shop(2*w, h, r)
	for i := range big.Y { // large shapes, which cells can tell
		x, y := i%(2*w), i/(2*w)
		big.Y[i] = byte(max(0, min(255, float64(big.Y[i])*0.6+50+60*math.Sin(float64(x)/70)*math.Cos(float64(y)/50))))
	}
	truth := crop(big, 0, w)
	run := func(cell, levels, hold int) (one, all float64) {
		r := rand.New(rand.NewPCG(6, 6))
		v := build(shape.For(w, h), Options{Cell: cell, Levels: levels, Hold: hold})
		sum, count := make([]float64, w*h), make([]float64, w*h)
		for i := range frames {
			shift, flicker := 2*(i%20), 0
			if i > 0 {
				flicker = r.IntN(61) - 30
			}
			f := crop(big, shift, w)
			for k, y := range f.Y {
				f.Y[k] = byte(max(0, min(255, int(y)+flicker)))
			}
			if hold == 1 { // it does not stay at a level either
				for k := range v.level[0] {
					v.level[0][k] = -1
				}
			}
			if err := v.Apply(f, Seen{}); err != nil {
				t.Fatal(err)
			}
			for y := range h {
				for x := range w - shift {
					sum[y*w+x+shift] += float64(f.Y[y*w+x])
					count[y*w+x+shift]++
				}
			}
			if i == 0 {
				one = correlation(truth.Y, func(k int) float64 { return float64(f.Y[k]) })
			}
		}
		return one, correlation(truth.Y, func(k int) float64 { return sum[k] / math.Max(1, count[k]) })
	}
	one, all := run(DefaultCell(w, h), DefaultLevels, DefaultHold)
	t.Logf("correlation with the truth: one frame %.3f, %d frames %.3f", one, frames, all)
	if all > math.Max(one, 0)+0.05 {
		t.Errorf("a hundred frames tell %.3f, one %.3f", all, one)
	}
	for _, cell := range []int{16, DefaultCell(w, h)} {
		one, all = run(cell, DefaultLevels, 1)
		t.Logf("cells of %d px taken anew in each frame: %.3f and %.3f", cell, one, all)
		if all < one+0.1 {
			t.Errorf("cells of %d px taken anew in each frame tell %.3f by one frame and %.3f by a hundred: an attacker who gains nothing there proves nothing", cell, one, all)
		}
	}
}

// crop returns the w columns of f from x on.
func crop(f *Frame, x, w int) *Frame {
	out := &Frame{W: w, H: f.H}
	for p, pix := range f.planes() {
		fw, fh := planeSize(p, f.W, f.H)
		k := f.W / fw
		var b []byte
		for y := range fh {
			b = append(b, pix[y*fw+x/k:y*fw+(x+w)/k]...)
		}
		switch p {
		case 0:
			out.Y = b
		case 1:
			out.U = b
		default:
			out.V = b
		}
	}
	return out
}

func correlation(a []byte, b func(int) float64) float64 {
	var ma, mb float64
	for i := range a {
		ma, mb = ma+float64(a[i])/float64(len(a)), mb+b(i)/float64(len(a))
	}
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i])-ma, b(i)-mb
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
