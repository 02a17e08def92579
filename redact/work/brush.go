//go:build linux

package work

import (
	"fmt"

	"veilbox/redact/mask"
	"veilbox/redact/shape"
	"veilbox/redact/stamp"
	"veilbox/redact/veil"
)

// A brush makes the frames of a copy out of those of the clip, in their order.
type brush struct {
	m     *mask.Mask
	v     *veil.Veil
	back  *backdrop // nil: nothing is painted
	cells *cells    // nil: measured on the frames
	stamp *stamp.Stamper
	area  shape.Shape // of the stamp
	never shape.Shape // painted: what is always veiled, and the stamp
	shown shape.Shape
}

// brush takes the area of the stamp out of what the mask shows.
func (w *worker) brush(m *mask.Mask, back *backdrop) (*brush, error) {
	o := veil.Options{Cell: m.Cell, Levels: w.job.Veil.Levels, Hold: w.job.Veil.Hold, Solid: w.job.Veil.Solid}
	if back != nil {
		o.Scene, m.Scene = &back.Picture, back.Hash()
	}
	b := &brush{m: m, back: back}
	var err error
	if b.v, err = veil.New(m.Grid, o); err != nil {
		return nil, fmt.Errorf("work: %w", err)
	}
	b.never = m.Cover()
	if m.Stamp == nil {
		return b, nil
	}
	if b.stamp, err = stamp.New(m.Grid, *m.Stamp); err != nil {
		return nil, BadSubject.With(fmt.Errorf("work: %w", err))
	}
	b.area = b.stamp.Area()
	b.never = shape.Union(nil, b.never, b.area)
	for i := range m.Frames {
		for k := range m.Frames[i].Subjects {
			hide(&m.Frames[i].Subjects[k], b.area)
		}
	}
	return b, nil
}

// frame veils frame i in place.
func (b *brush) frame(pix []byte, i int) error {
	f := frameOf(pix, b.m.Grid.W, b.m.Grid.H)
	b.shown = b.m.Shown(b.shown[:0], i)
	seen := veil.Seen{Shown: b.shown}
	if b.back != nil {
		seen.Painted = b.back.Painted(nil, &f, b.shown, b.never)
		b.m.Frames[i].Painted = seen.Painted
	}
	if err := b.cells.give(b.v, i); err != nil {
		return err
	}
	if err := b.v.Apply(&f, seen); err != nil {
		return fmt.Errorf("work: %w", err)
	}
	if b.stamp != nil {
		if err := b.stamp.Draw(&f, b.m.Frames[i].At); err != nil {
			return fmt.Errorf("work: %w", err)
		}
	}
	return nil
}
