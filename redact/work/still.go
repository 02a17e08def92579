//go:build linux

package work

import (
	"context"
	"fmt"
	"image"
	"sort"

	"veilbox/capture/footage"
	"veilbox/redact/codec"
	"veilbox/redact/mask"
	"veilbox/redact/sandbox"
	"veilbox/redact/shape"
	"veilbox/redact/sheet"
	"veilbox/redact/subject"
)

// picture makes a copy that is one frame, or a part of one.
func (w *worker) picture(ctx context.Context, c *clip, back *backdrop) (*mask.Mask, *output, error) {
	m, err := w.frames(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	i := nearest(m.Frames, w.job.Choice.Still.At)
	g := m.Grid
	frame := make([]byte, codec.FrameSize(g.W, g.H))
	if err := w.tools.Nth(ctx, c.intake.clip, i, m.Frames[i].At, g.W, g.H, frame); err != nil {
		return nil, nil, err
	}
	at := m.Frames[i].At
	m.Still, m.Frames = true, m.Frames[i:i+1]
	if m.Stamp != nil {
		m.Stamp.Start = m.Stamp.Start.Add(at.Duration())
	}
	m.Frames[0].At = 0
	if crop := w.job.Choice.Still.Crop; crop != nil {
		if frame, m, err = cut(frame, m, *crop); err != nil {
			return nil, nil, err
		}
		if back != nil {
			// Who proves has the mask of the part alone, and cannot learn the rest.
			back = nil
			w.note(NoticeNoScene)
		}
	}
	b, err := w.brush(m, back)
	if err != nil {
		return nil, nil, err
	}
	if err := b.frame(frame, 0); err != nil {
		return nil, nil, err
	}
	jpg, err := sheet.Encode(frame, m.Grid.W, m.Grid.H, sheet.StillQuality)
	if err != nil {
		return nil, nil, fmt.Errorf("work: %w", err)
	}
	f, err := sandbox.Memory("still")
	if err != nil {
		return nil, nil, fmt.Errorf("work: %w", err)
	}
	out := &output{f: f, size: int64(len(jpg))}
	if _, err := f.Write(jpg); err != nil {
		out.close()
		return nil, nil, fmt.Errorf("work: keep the still: %w", err)
	}
	return m, out, nil
}

// frames finds out what is seen in each frame of the clip.
func (w *worker) frames(ctx context.Context, c *clip) (*mask.Mask, error) {
	if w.job.Known && w.job.Choice.Mode != subject.BlurEverything {
		return w.known(c.mask, c.info)
	}
	p, err := w.planes(ctx, c)
	if err != nil {
		return nil, err
	}
	if w.job.Choice.Mode != subject.BlurEverything {
		return w.track(ctx, p, c.info)
	}
	m := w.plan(gridOf(c.info), 0, w.job.Veiled)
	for _, at := range p.times {
		m.Frames = append(m.Frames, mask.Frame{At: at})
	}
	return m, nil
}

// nearest returns the frame nearest to at seconds.
func nearest(frames []mask.Frame, at float64) int {
	t := footage.Ticks(at * footage.TicksPerSecond)
	i := sort.Search(len(frames), func(i int) bool { return frames[i].At >= t })
	if i == len(frames) || i > 0 && t-frames[i-1].At < frames[i].At-t {
		i--
	}
	return i
}

// cut takes the blocks that crop touches out of a frame and its mask. The veil's
// cells stay those of the whole frame.
func cut(pix []byte, m *mask.Mask, crop subject.Rect) ([]byte, *mask.Mask, error) {
	cover := m.Grid.Cover(crop)
	px := m.Grid.Pixels(cover.Bounds())
	// A crop is at least as large as a cell, so that the veil has one.
	px = widen(px, min(m.Cell, m.Grid.W, m.Grid.H), m.Grid)
	if px.Dx() < 16 || px.Dy() < 16 {
		return nil, nil, BadSubject.With(fmt.Errorf("work: a crop of %v", px))
	}
	g := shape.Grid{W: px.Dx(), H: px.Dy(), Block: m.Grid.Block}
	out := *m
	out.Grid, out.Veiled, out.Frames = g, nil, []mask.Frame{{}}
	for _, r := range m.Veiled {
		if b := m.Grid.Cover(r); shape.Overlap(b, m.Grid.Cover(m.Grid.Rect(blocksOf(px, g.Block)))) {
			part := m.Grid.Pixels(b.Bounds()).Intersect(px).Sub(px.Min)
			out.Veiled = append(out.Veiled, wide(subject.Rect{X: float64(part.Min.X) / float64(g.W), Y: float64(part.Min.Y) / float64(g.H),
				W: float64(part.Dx()) / float64(g.W), H: float64(part.Dy()) / float64(g.H)}))
		}
	}
	never := out.Cover()
	for _, s := range m.Frames[0].Subjects {
		if s.State == mask.Shown {
			if s.Shape = moved(s.Shape, px, g); s.Shape.Empty() {
				s = mask.Seen{State: mask.Unsure, Reason: mask.ReasonOf("hidden"), Confidence: s.Confidence}
			}
			hide(&s, never)
		}
		out.Frames[0].Subjects = append(out.Frames[0].Subjects, s)
	}
	return cropped(pix, m.Grid.W, m.Grid.H, px), &out, nil
}

// widen grows px to at least side each way within the frame, by whole blocks.
func widen(px image.Rectangle, side int, g shape.Grid) image.Rectangle {
	side = (side + g.Block - 1) / g.Block * g.Block
	grow := func(lo, hi, n int) (int, int) {
		if hi-lo >= side {
			return lo, hi
		}
		if lo+side > n {
			lo = max(0, (n-side)/g.Block*g.Block)
		}
		return lo, min(n, lo+side+g.Block)
	}
	px.Min.X, px.Max.X = grow(px.Min.X, px.Max.X, g.W)
	px.Min.Y, px.Max.Y = grow(px.Min.Y, px.Max.Y, g.H)
	return px
}

// wide returns r as large as a region must be at least.
func wide(r subject.Rect) subject.Rect {
	grow := func(at, size float64) (float64, float64) {
		if size < subject.MinSide {
			size = subject.MinSide
			at = min(at, 1-size)
		}
		return at, size
	}
	r.X, r.W = grow(r.X, r.W)
	r.Y, r.H = grow(r.Y, r.H)
	return r
}

func blocksOf(px image.Rectangle, block int) image.Rectangle {
	return image.Rect(px.Min.X/block, px.Min.Y/block, (px.Max.X+block-1)/block, (px.Max.Y+block-1)/block)
}

// moved returns the part of s within px, which begins with a block, on g.
func moved(s shape.Shape, px image.Rectangle, g shape.Grid) shape.Shape {
	b := blocksOf(px, g.Block)
	var out shape.Shape
	for _, r := range s {
		row, from, to := int(r.Row)-b.Min.Y, max(0, int(r.From)-b.Min.X), min(b.Dx(), int(r.To)-b.Min.X)
		if row >= 0 && row < b.Dy() && from < to {
			out = append(out, shape.Run{Row: uint16(row), From: uint16(from), To: uint16(to)})
		}
	}
	return out
}

// cropped returns the part px, of even sides, of a frame of w by h.
func cropped(pix []byte, w, h int, px image.Rectangle) []byte {
	out := make([]byte, 0, codec.FrameSize(px.Dx(), px.Dy()))
	at := 0
	for p := range 3 {
		if p == 1 {
			px = image.Rect(px.Min.X/2, px.Min.Y/2, px.Max.X/2, px.Max.Y/2)
			w, h = w/2, h/2
		}
		for y := px.Min.Y; y < px.Max.Y; y++ {
			out = append(out, pix[at+y*w+px.Min.X:at+y*w+px.Max.X]...)
		}
		at += w * h
	}
	return out
}
