//go:build linux

package work

import (
	"context"
	"image"
	"math"
	"time"

	"veilbox/internal/clock"
	"veilbox/redact/codec"
	"veilbox/redact/shape"
	"veilbox/redact/sheet"
	"veilbox/redact/subject"
	"veilbox/redact/veil"
)

const (
	previewWidth = 640 // pixels at most
	previewEach  = time.Second
)

// A previews sends a veiled frame now and then. A nil previews sends none.
type previews struct {
	w    *worker
	clk  clock.Clock
	last time.Time
}

func (w *worker) previews() *previews {
	if !w.job.Previews {
		return nil
	}
	return &previews{w: w, clk: clock.System{}}
}

// due reports whether it is time for one.
func (p *previews) due() bool {
	if p == nil {
		return false
	}
	now := p.clk.Now()
	if now.Sub(p.last) < previewEach {
		return false
	}
	p.last = now
	return true
}

// send sends a veiled frame of width by height.
func (p *previews) send(frame []byte, width, height int) error {
	jpg, err := sheet.Crop(frame, width, height, image.Rect(0, 0, width, height), previewWidth)
	if err != nil {
		return err
	}
	return p.w.c.Send(TypePreview, jpg)
}

// first sends the frame of the first box that a person drew, with nothing but
// that box shown, long before anything is tracked. That it cannot be decoded is
// for the work itself to say.
func (p *previews) first(ctx context.Context, c *clip) error {
	if p == nil {
		return nil
	}
	at := 0.
	if len(p.w.job.Subjects) > 0 {
		at = math.Inf(1)
		for _, s := range p.w.job.Subjects {
			for _, k := range s.Keyframes {
				if k.Rect != nil {
					at = min(at, k.At)
				}
			}
		}
	}
	if s := p.w.job.Choice.Still; s != nil {
		at = s.At
	}
	width, height := small(c.info, previewWidth)
	frame := make([]byte, codec.FrameSize(width, height))
	if p.w.frame(ctx, c, at, width, height, frame) != nil {
		return nil
	}
	g := shape.For(width, height)
	if err := hideAll(frame, g, boxes(g, p.w.job.Subjects, at), p.w.job.Veiled, p.w.job.Veil); err != nil {
		return err
	}
	return p.send(frame, width, height)
}

// boxes returns the blocks within the boxes that were drawn at at.
func boxes(g shape.Grid, subjects []subject.Subject, at float64) shape.Shape {
	var out shape.Shape
	for _, s := range subjects {
		for _, k := range s.Keyframes {
			if k.Rect != nil && math.Abs(k.At-at) < 0.02 {
				out = shape.Union(nil, out, g.Inside(*k.Rect))
			}
		}
	}
	return out
}

// hideAll veils a single frame but for shown.
func hideAll(frame []byte, g shape.Grid, shown shape.Shape, veiled []subject.Rect, o Veil) error {
	for _, r := range veiled {
		shown = shape.Minus(nil, shown, g.Cover(r))
	}
	v, err := veil.New(g, veil.Options{Levels: o.Levels, Solid: o.Solid})
	if err != nil {
		return err
	}
	y := g.W * g.H
	f := veil.Frame{W: g.W, H: g.H, Y: frame[:y], U: frame[y : y+y/4], V: frame[y+y/4:]}
	return v.Apply(&f, veil.Seen{Shown: shown})
}

// frame decodes the first frame at or after at seconds, or the first one of the
// clip where there is none.
func (w *worker) frame(ctx context.Context, c *clip, at float64, width, height int, frame []byte) error {
	one := w.tools.One
	if !codec.Seekable(c.intake.clip) {
		one = w.tools.Late
	}
	err := one(ctx, c.intake.clip, at, width, height, frame)
	if err != nil && at > 0 && ctx.Err() == nil {
		err = w.tools.One(ctx, c.intake.clip, 0, width, height, frame)
	}
	return err
}
