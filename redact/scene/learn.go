package scene

import (
	"errors"
	"fmt"

	"veilbox/capture/footage"
	"veilbox/redact/shape"
	"veilbox/redact/veil"
)

// A Learner learns a scene from samples of hours, in two passes over the same
// samples: Add finds for each block the picture that most samples have, Verify
// counts how many agree with it. It holds a few frames in memory, however many
// samples there are. It is not for use by several goroutines at once.
type Learner struct {
	g           shape.Grid
	first, last footage.Ticks
	hole        footage.Ticks // largest time between two samples
	n           int
	sum         uint64 // of the times, in their order

	picture    veil.Frame
	model, now *patches
	of         [2][]int32
	light      light
	diff       []uint16
	votes      []uint16
	lights     int // votes for the light of the picture

	checked struct {
		n     int
		sum   uint64
		third [3]int
		agree [3][]uint32
		mean  [3][]uint16 // sums of averaged samples
		of    []uint8     // how many, by block
	}
}

// NewLearner returns a learner of frames on g.
func NewLearner(g shape.Grid) *Learner { return &Learner{g: g} }

func (l *Learner) take(f *veil.Frame) error {
	if err := l.g.Check(); err != nil {
		return fmt.Errorf("scene: %w", err)
	}
	if l.g.Block%side != 0 {
		return fmt.Errorf("scene: blocks of %d px: give a multiple of %d", l.g.Block, side)
	}
	return checkFrame(l.g, f)
}

// Add takes a sample in the first pass. Times rise.
func (l *Learner) Add(f *veil.Frame, at footage.Ticks) error {
	if err := l.take(f); err != nil {
		return err
	}
	if l.checked.n > 0 {
		return errPasses
	}
	if l.n == MaxSamples {
		return fmt.Errorf("scene: more than %d samples: take fewer an hour", MaxSamples)
	}
	if l.n == 0 {
		l.begin(f, at)
		return nil
	}
	if at <= l.last {
		return fmt.Errorf("scene: a sample at %d after one at %d: give them in their order", at, l.last)
	}
	l.hole, l.last = max(l.hole, at-l.last), at
	l.count(at)
	l.now.take(f)
	l.light.fit(l.model, l.now, &l.of)
	worst(l.diff, l.g, l.model, l.now, &l.light)
	changed := l.relight(f)
	// The vote of Boyer and Moore: what more than half of the samples have wins.
	for i, d := range l.diff {
		switch {
		case d <= Agree*unit:
			l.votes[i] = min(l.votes[i], 1<<16-2) + 1
		case l.votes[i] > 0:
			l.votes[i]--
		default:
			l.copy(f, i)
			l.votes[i], changed = 1, true
		}
	}
	if changed {
		l.model.take(&l.picture)
	}
	return nil
}

func (l *Learner) begin(f *veil.Frame, at footage.Ticks) {
	g, n := l.g, l.g.Cols()*l.g.Rows()
	l.first, l.last = at, at
	l.picture = veil.Frame{W: g.W, H: g.H, Y: append([]byte(nil), f.Y...), U: append([]byte(nil), f.U...), V: append([]byte(nil), f.V...)}
	l.model, l.now = newPatches(g.W, g.H), newPatches(g.W, g.H)
	l.model.take(f)
	l.of = l.model.spread(g, nil)
	l.diff, l.votes = make([]uint16, n), make([]uint16, n)
	for i := range l.votes {
		l.votes[i] = 1
	}
	l.lights = 1
	l.count(at)
}

func (l *Learner) count(at footage.Ticks) {
	l.n++
	l.sum = mix(l.sum, at)
}

func mix(sum uint64, at footage.Ticks) uint64 { return (sum ^ uint64(at)) * 0x9e3779b97f4a7c15 }

// relight votes on the light, and turns the picture into that of f where more
// samples had another than the picture's: where f agrees it is f's, elsewhere
// the picture in f's light.
func (l *Learner) relight(f *veil.Frame) bool {
	if !l.light.large() {
		l.lights++
		return false
	}
	if l.lights--; l.lights >= 0 {
		return false
	}
	l.lights = 1
	var tone [256]byte
	for v := range tone {
		tone[v] = byte(max(0, min(255, v+(l.light.luma[v]+unit/2)/unit)))
	}
	for i, v := range l.picture.Y {
		l.picture.Y[i] = tone[v]
	}
	for c, p := range [2][]byte{l.picture.U, l.picture.V} {
		for i, v := range p {
			p[i] = byte(max(0, min(255, int(v)+l.light.chroma[c]/unit)))
		}
	}
	for i, d := range l.diff {
		if d <= Agree*unit {
			l.copy(f, i)
		}
	}
	return true
}

// lines calls fn with every line of block i: its plane and where it is.
func lines(g shape.Grid, i int, fn func(plane, from, to int)) {
	col, row := i%g.Cols(), i/g.Cols()
	for p := range 3 {
		w, h, b := g.W, g.H, g.Block
		if p > 0 {
			w, h, b = w/2, h/2, b/2
		}
		for y := row * b; y < min(h, row*b+b); y++ {
			fn(p, y*w+col*b, y*w+min(w, col*b+b))
		}
	}
}

func planes(f *veil.Frame) [3][]byte { return [3][]byte{f.Y, f.U, f.V} }

func (l *Learner) copy(f *veil.Frame, i int) {
	to, from := planes(&l.picture), planes(f)
	lines(l.g, i, func(p, a, b int) { copy(to[p][a:b], from[p][a:b]) })
}

// Verify takes a sample in the second pass: the same as in the first.
func (l *Learner) Verify(f *veil.Frame, at footage.Ticks) error {
	if err := l.take(f); err != nil {
		return err
	}
	c := &l.checked
	if c.n == l.n {
		return errPasses
	}
	if c.n == 0 {
		for i := range c.agree {
			c.agree[i] = make([]uint32, len(l.votes))
		}
		for i, p := range planes(&l.picture) {
			c.mean[i] = make([]uint16, len(p))
		}
		c.of = make([]uint8, len(l.votes))
	}
	c.n++
	c.sum = mix(c.sum, at)
	third := 0
	if span := l.last - l.first; span > 0 && at > l.first {
		third = int(min(2, 3*(at-l.first)/span))
	}
	c.third[third]++
	l.now.take(f)
	l.light.fit(l.model, l.now, &l.of)
	worst(l.diff, l.g, l.model, l.now, &l.light)
	same := !l.light.large()
	from := planes(f)
	for i, d := range l.diff {
		if d > Agree*unit {
			continue
		}
		c.agree[third][i]++
		if !same || c.of[i] == averaged {
			continue
		}
		c.of[i]++
		lines(l.g, i, func(p, a, b int) {
			sum := c.mean[p][a:b]
			for k, v := range from[p][a:b] {
				sum[k] += uint16(v)
			}
		})
	}
	return nil
}

// Scene returns what was proven. The error is that the second pass was not over
// the samples of the first.
func (l *Learner) Scene() (*Scene, error) {
	c := &l.checked
	if l.n == 0 {
		return nil, errors.New("scene: no sample was given")
	}
	s := &Scene{Grid: l.g, Samples: l.n, Span: l.last - l.first, Picture: grey(l.g)}
	switch {
	case c.n != l.n || c.sum != l.sum:
		return nil, errPasses
	case l.n < MinSamples:
		s.Why = TooFew
	case s.Span < footage.TicksIn(MinSpan):
		s.Why = TooShort
	case l.hole > s.Span/2 || min(c.third[0], c.third[1], c.third[2]) < MinThird:
		s.Why = Hole
	default:
		if s.Still = l.proven(); s.Still.Empty() {
			s.Why = Unsteady
		}
	}
	l.paint(s)
	return s, nil
}

func grey(g shape.Grid) veil.Frame {
	f := veil.Frame{W: g.W, H: g.H, Y: make([]byte, g.W*g.H), U: make([]byte, g.W*g.H/4), V: make([]byte, g.W*g.H/4)}
	for _, p := range planes(&f) {
		for i := range p {
			p[i] = 128
		}
	}
	return f
}

// proven returns the blocks that are.
func (l *Learner) proven() shape.Shape {
	m, restless := shape.NewBitmap(l.g), shape.NewBitmap(l.g)
	for i := range m.Bits {
		share := 1.
		for third, n := range l.checked.third {
			share = min(share, float64(l.checked.agree[third][i])/float64(n))
		}
		m.Bits[i], restless.Bits[i] = share >= MinShare, share < Restless
	}
	b := l.g.Block
	around(restless, restless.Shape(nil), (dilate+b-1)/b)
	for i, spoilt := range restless.Bits {
		m.Bits[i] = m.Bits[i] && !spoilt
	}
	pieces(m, int(MinPiece*float64(len(m.Bits))))
	return m.Shape(nil)
}

// pieces clears what hangs together by sides over fewer than least blocks.
func pieces(m *shape.Bitmap, least int) {
	seen := make([]bool, len(m.Bits))
	var piece []int
	for from, in := range m.Bits {
		if !in || seen[from] {
			continue
		}
		piece = append(piece[:0], from)
		seen[from] = true
		add := func(i int, inside bool) {
			if inside && m.Bits[i] && !seen[i] {
				seen[i] = true
				piece = append(piece, i)
			}
		}
		for k := 0; k < len(piece); k++ {
			i := piece[k]
			add(i-1, i%m.Cols > 0)
			add(i+1, i%m.Cols < m.Cols-1)
			add(i-m.Cols, i >= m.Cols)
			add(i+m.Cols, i+m.Cols < len(m.Bits))
		}
		if len(piece) < least {
			for _, i := range piece {
				m.Bits[i] = false
			}
		}
	}
}

// paint puts the proven blocks into the picture of s: the mean of samples of its
// light, which has less noise than any of them.
func (l *Learner) paint(s *Scene) {
	to, from := planes(&s.Picture), planes(&l.picture)
	for _, r := range s.Still {
		for col := r.From; col < r.To; col++ {
			i := int(r.Row)*l.g.Cols() + int(col)
			n := int(l.checked.of[i])
			lines(l.g, i, func(p, a, b int) {
				if n == 0 {
					copy(to[p][a:b], from[p][a:b])
					return
				}
				for k, v := range l.checked.mean[p][a:b] {
					to[p][a+k] = byte((int(v) + n/2) / n)
				}
			})
		}
	}
}
