//go:build linux

package work

import (
	"context"
	"fmt"
	"image"

	"veilbox/redact/codec"
	"veilbox/redact/mask"
	"veilbox/redact/veil"
)

// cells are the means of the luma of a copy's cells, in each frame in which they
// are renewed, as the small planes have them. Where all are known before the
// second pass, that has no need of a whole frame.
type cells struct {
	hold int
	luma [][]byte // by renewal
	grey []byte   // of the chroma planes, which are one level
}

// cells measures the planes on the cells of m. It is nil where the veil has
// colours, of which the planes know nothing.
func (w *worker) cells(p *planes, m *mask.Mask) *cells {
	c := &cells{hold: w.job.Veil.Hold}
	levels := w.job.Veil.Levels
	if c.hold == 0 {
		c.hold = veil.DefaultHold
	}
	if levels == 0 {
		levels = veil.DefaultLevels
	}
	if veil.ChromaLevels(levels) != 1 && !w.job.Veil.Solid {
		return nil
	}
	cols, rows := max(1, m.Grid.W/m.Cell), max(1, m.Grid.H/m.Cell)
	xs, ys := cuts(cols, m.Cell, m.Grid.W, p.w), cuts(rows, m.Cell, m.Grid.H, p.h)
	for i := 0; i < len(p.times); i += c.hold {
		pix, means := p.pix[i/p.stride], make([]byte, 0, cols*rows)
		for r := range rows {
			for k := range cols {
				sum := 0
				for y := ys[r]; y < ys[r+1]; y++ {
					for _, v := range pix[y*p.w+xs[k] : y*p.w+xs[k+1]] {
						sum += int(v)
					}
				}
				n := (ys[r+1] - ys[r]) * (xs[k+1] - xs[k])
				if n == 0 {
					return nil // a plane coarser than the cells
				}
				means = append(means, byte((sum+n/2)/n))
			}
		}
		c.luma = append(c.luma, means)
	}
	c.grey = make([]byte, cols*rows)
	for i := range c.grey {
		c.grey[i] = 128
	}
	return c
}

// cuts returns where n cells begin on a side of small samples that stands for
// one of whole, and where the last one ends.
func cuts(n, cell, whole, small int) []int {
	at := make([]int, n+1)
	for i := range n {
		at[i] = i * cell * small / whole
	}
	at[n] = small
	return at
}

// give gives the means of frame i to v.
func (c *cells) give(v *veil.Veil, i int) error {
	if c == nil || !v.Due() {
		return nil
	}
	if i%c.hold != 0 || i/c.hold >= len(c.luma) {
		return fmt.Errorf("work: cells are due in frame %d, held for %d", i, c.hold)
	}
	return v.SetMeans(c.luma[i/c.hold], c.grey, c.grey)
}

// partOf returns the rectangle, in pixels, outside which m shows nothing in any
// frame. It is empty where it is no matter of much less than the frame.
func partOf(m *mask.Mask) image.Rectangle {
	var all image.Rectangle
	whole := image.Rect(0, 0, m.Grid.W, m.Grid.H)
	shown := m.Shown(nil, 0)
	for i := range m.Frames {
		if shown = m.Shown(shown[:0], i); !shown.Empty() {
			all = all.Union(m.Grid.Pixels(shown.Bounds()).Intersect(whole))
		}
	}
	switch {
	case all.Empty() || all.Dx()*all.Dy() > m.Grid.W*m.Grid.H/2:
		return image.Rectangle{}
	case (all.Min.X|all.Min.Y|all.Max.X|all.Max.Y)&1 != 0:
		return image.Rectangle{} // chroma has no half samples
	}
	return all
}

// spread makes room for whole frames beside the parts that the decoder gives.
func (s *second) spread() {
	const whole = 3 // one being veiled, one on its way, one being written
	s.back = make(chan []byte, whole)
	for range whole {
		s.back <- nil
	}
}

// blank returns a frame to veil a part in. What is in it is of no meaning.
func (s *second) blank() ([]byte, error) {
	select {
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	case b := <-s.back:
		if b == nil {
			b = make([]byte, s.size)
		}
		return b, nil
	}
}

// paint veils what the decoder gave of frame i, in place where that is the whole
// of it.
func (s *second) paint(v *brush, pix []byte, i int) ([]byte, error) {
	if s.part.Empty() {
		return pix, v.frame(pix, i)
	}
	b, err := s.blank()
	if err != nil {
		return nil, err
	}
	if err := v.place(b, pix, s.part, i); err != nil {
		return nil, err
	}
	s.free <- pix
	return b, v.frame(b, i)
}

// place copies what frame i shows out of its part px into frame. A frame that
// shows something else as well is an error: what lies there is of another one.
func (b *brush) place(frame, pix []byte, px image.Rectangle, i int) error {
	g := b.m.Grid
	b.shown = b.m.Shown(b.shown[:0], i)
	if b.shown.Empty() {
		return nil
	}
	r := g.Pixels(b.shown.Bounds()).Intersect(image.Rect(0, 0, g.W, g.H))
	if !r.In(px) || len(pix) != codec.FrameSize(px.Dx(), px.Dy()) || len(frame) != codec.FrameSize(g.W, g.H) {
		return fmt.Errorf("work: frame %d shows %v, of which %v was decoded", i, r, px)
	}
	to, from, w, n := 0, 0, g.W, px.Dx()
	h, k := g.H, px.Dy()
	for p := range 3 {
		if p == 1 {
			r, px = halved(r), halved(px)
			w, n, h, k = w/2, n/2, h/2, k/2
		}
		for y := r.Min.Y; y < r.Max.Y; y++ {
			at := from + (y-px.Min.Y)*n - px.Min.X
			copy(frame[to+y*w+r.Min.X:to+y*w+r.Max.X], pix[at+r.Min.X:at+r.Max.X])
		}
		to, from = to+w*h, from+n*k
	}
	return nil
}

func halved(r image.Rectangle) image.Rectangle {
	return image.Rect(r.Min.X/2, r.Min.Y/2, r.Max.X/2, r.Max.Y/2)
}

// open starts the decoder of the second pass.
func (w *worker) open(ctx context.Context, c *clip, s *second) (*codec.Stream, error) {
	in, width, height := c.intake.clip, c.info.Width, c.info.Height
	if s.timed || s.pick != "" {
		return w.tools.TimedPart(ctx, in, width, height, s.pick, s.part)
	}
	return w.tools.Part(ctx, in, width, height, s.part)
}
