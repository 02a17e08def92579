package proof

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"

	"veilbox/capture/footage"
	"veilbox/redact/codec"
	"veilbox/redact/mask"
	"veilbox/redact/shape"
	"veilbox/redact/stamp"
	"veilbox/redact/veil"
)

const maxCheckers = 8

type picture struct {
	i   int
	pix []byte
}

// frames decodes the copy and checks its frames on all cores.
func (r *run) frames(ctx context.Context, t codec.Tools) error {
	m := r.m
	if err := r.scenePicture(); err != nil {
		return err
	}
	open := t.Full
	if !r.crop.none() {
		open = t.Coded
	}
	st, err := open(ctx, r.in.File, r.crop.cw, r.crop.ch)
	if err != nil {
		return err
	}
	defer st.Close()
	n := min(runtime.GOMAXPROCS(0), maxCheckers)
	checkers := make([]*checker, n)
	for i := range checkers {
		if checkers[i], err = r.checker(Tolerance); err != nil {
			return err
		}
	}
	work, free := make(chan picture, n), make(chan []byte, n+1)
	for range n + 1 {
		free <- nil
	}
	c := &found{p: r.p}
	var wg sync.WaitGroup
	for _, k := range checkers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for w := range work {
				c.take(w.i, k.m.Frames[w.i].At, k.check(w))
				free <- w.pix
			}
		}()
	}
	err = r.read(st, free, work)
	close(work)
	wg.Wait()
	if err == nil && st.Frames() != len(m.Frames) {
		err = fmt.Errorf("proof: %d frames could be decoded of %d", st.Frames(), len(m.Frames))
	}
	// What one decoder mends, another may show otherwise.
	if said := st.Said(); err == nil && said != "" {
		err = fmt.Errorf("proof: the decoder found damage: %s", said)
	}
	c.report()
	return errors.Join(c.err, err)
}

func (r *run) read(st *codec.Stream, free chan []byte, work chan picture) error {
	for i := 0; ; i++ {
		b := <-free
		if b == nil {
			b = make([]byte, st.Size)
		}
		_, err := st.Next(b)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if i >= len(r.m.Frames) {
			return fmt.Errorf("proof: more than %d frames could be decoded", len(r.m.Frames))
		}
		if !r.crop.none() {
			if err := r.crop.take(b); err != nil {
				return fmt.Errorf("proof: frame %d at %.3f s: %w", i, seconds(r.m.Frames[i].At), err)
			}
		}
		if err := r.reveal(i, b); err != nil {
			return err
		}
		work <- picture{i, b}
		if r.progress != nil {
			r.progress(i+1, len(r.m.Frames))
		}
	}
}

// A checker holds frames against the mask. It is for one goroutine.
type checker struct {
	m     *mask.Mask
	scene *veil.Frame
	apart shape.Shape
	tol   veil.Tolerance
	veil  veil.Checker
	stamp *stamp.Stamper
	shown shape.Shape
}

// A finding is what was measured of one frame.
type finding struct {
	report veil.Report
	stamp  stamp.Report
	err    error
}

func (r *run) checker(t veil.Tolerance) (*checker, error) {
	c := &checker{m: r.m, scene: r.in.Scene, apart: r.apart, tol: t}
	if s := r.m.Stamp; s != nil {
		var err error
		if c.stamp, err = stamp.New(r.m.Grid, *s); err != nil {
			return nil, fmt.Errorf("proof: %w", err)
		}
	}
	return c, nil
}

func (c *checker) check(w picture) finding {
	width, height := c.m.Grid.W, c.m.Grid.H
	y, q := width*height, width*height/4
	f := veil.Frame{W: width, H: height, Y: w.pix[:y], U: w.pix[y : y+q], V: w.pix[y+q : y+2*q]}
	c.shown = c.m.Shown(c.shown[:0], w.i)
	out := finding{stamp: stamp.Report{OK: true}}
	out.report, out.err = c.veil.Check(&f, veil.Expect{Grid: c.m.Grid, Seen: veil.Seen{Shown: c.shown, Painted: c.m.Frames[w.i].Painted},
		Scene: c.scene, Apart: c.apart, Cell: c.m.Cell, Tolerance: c.tol})
	if out.err == nil && c.stamp != nil {
		out.stamp, out.err = c.stamp.Check(&f, c.m.Frames[w.i].At)
	}
	return out
}

// found gathers the findings of all cores.
type found struct {
	p   *Proof
	mu  sync.Mutex
	bad map[int]string // by frame; order comes after the cores are done
	err error
}

func (c *found) take(i int, at footage.Ticks, f finding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.err != nil {
		c.err = fmt.Errorf("proof: frame %d: %w", i, f.err)
		return
	}
	fig, r := &c.p.Figures, &f.report
	fig.Deviation.take(r.Deviation.Value, at)
	fig.Energy.take(r.Energy.Value, at)
	fig.Edge.take(r.Edge.Value, at)
	fig.Ring.take(r.Ring.Value, at)
	fig.PaintedMean.take(r.PaintedMean.Value, at)
	fig.PaintedMax.take(r.PaintedMax.Value, at)
	fig.Stamp.take(f.stamp.Energy, at)
	reason := ""
	t := fig.Tolerance
	switch {
	case !f.stamp.OK:
		reason = fmt.Sprintf("frame %d at %.3f s does not have the stamp: energy %.1f, colour %.1f", i, seconds(at), f.stamp.Energy, f.stamp.Chroma)
	case r.OK:
		return
	case r.PaintedMean.Value > t.PaintedMean || r.PaintedMax.Value > t.PaintedMax:
		reason = fmt.Sprintf("frame %d at %.3f s does not have the still scene: a block at %d,%d differs by %.1f, a sample by %.1f",
			i, seconds(at), r.PaintedMean.Col, r.PaintedMean.Row, r.PaintedMean.Value, r.PaintedMax.Value)
	default:
		reason = fmt.Sprintf("frame %d at %.3f s is not veiled: deviation %.1f in cell %d,%d, energy %.1f in cell %d,%d, beside what is shown %.1f",
			i, seconds(at), r.Deviation.Value, r.Deviation.Col, r.Deviation.Row, r.Energy.Value, r.Energy.Col, r.Energy.Row, r.Ring.Value)
	}
	if c.bad == nil {
		c.bad = map[int]string{}
	}
	c.bad[i] = reason
}

func (c *found) report() {
	frames := make([]int, 0, len(c.bad))
	for i := range c.bad {
		frames = append(frames, i)
	}
	slices.Sort(frames)
	for _, i := range frames {
		c.p.fail(c.bad[i])
	}
}
