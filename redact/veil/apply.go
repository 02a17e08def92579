package veil

import (
	"errors"
	"fmt"

	"veilbox/redact/shape"
)

// A span is the samples [from, to) of a line that are not veiled.
type span struct {
	from, to int
	painted  bool
}

// Apply veils everything in f that is neither shown nor painted. After an error
// f must not be used.
//
// It writes each byte once, line by line out of a template, on one core: at
// 1080p that is less than a wake-up of a second core and its share of the
// memory would save, while decoder and encoder want that core.
func (v *Veil) Apply(f *Frame, s Seen) error {
	if err := f.check(); err != nil {
		return err
	}
	if f.W != v.w || f.H != v.h {
		return fmt.Errorf("veil: %w: a frame of %dx%d in a clip of %dx%d", ErrFrame, f.W, f.H, v.w, v.h)
	}
	if err := errors.Join(s.Shown.Check(v.grid), s.Painted.Check(v.grid)); err != nil {
		return fmt.Errorf("veil: %w", err)
	}
	if v.o.Scene == nil && !s.Painted.Empty() {
		return errors.New("veil: there is no scene to paint")
	}
	if shape.Overlap(s.Shown, s.Painted) {
		return errors.New("veil: a block is both shown and painted: take what is shown out of what is painted")
	}
	v.renew(f)
	for p, pix := range f.planes() {
		v.fill(p, pix, s)
	}
	return nil
}

// fill writes plane p.
func (v *Veil) fill(p int, pix []byte, s Seen) {
	pw, ph := planeSize(p, v.w, v.h)
	block := v.grid.Block
	if p != 0 {
		block /= 2
	}
	var scene []byte
	if v.o.Scene != nil {
		scene = v.o.Scene.planes()[p]
	}
	shown, painted, have := s.Shown, s.Painted, -1
	for r := range v.rows {
		row := v.template(p, r)
		y1 := edge(p, r+1, v.rows, v.o.Cell, ph)
		for y := edge(p, r, v.rows, v.o.Cell, ph); y < y1; {
			b := y / block
			if b != have {
				shown, painted = v.row(shown, painted, b, block, pw)
				have = b
			}
			for end := min(y1, (b+1)*block); y < end; y++ {
				v.line(pix[y*pw:(y+1)*pw], row, scene, y*pw)
			}
		}
	}
}

// template returns a line of the cells of row r of plane p.
func (v *Veil) template(p, r int) []byte {
	row := v.tmpl[p]
	for c := range v.cols {
		fillBytes(row[edge(p, c, v.cols, v.o.Cell, len(row)):edge(p, c+1, v.cols, v.o.Cell, len(row))], v.sample(p, r*v.cols+c))
	}
	return row
}

// line writes one line; at is where it begins in the scene's plane.
func (v *Veil) line(line, row, scene []byte, at int) {
	x := 0
	for _, s := range v.spans {
		copy(line[x:s.from], row[x:s.from])
		if s.painted {
			copy(line[s.from:s.to], scene[at+s.from:at+s.to])
		}
		x = s.to
	}
	copy(line[x:], row[x:])
}

// row puts what is not veiled of row b of blocks into v.spans, by rising from,
// and returns the runs after it.
func (v *Veil) row(shown, painted shape.Shape, b, block, pw int) (s, p shape.Shape) {
	v.spans = v.spans[:0]
	for {
		a, c := len(shown) > 0 && int(shown[0].Row) == b, len(painted) > 0 && int(painted[0].Row) == b
		if !a && !c {
			return shown, painted
		}
		var r shape.Run
		if a && (!c || shown[0].From < painted[0].From) {
			r, c, shown = shown[0], false, shown[1:]
		} else {
			r, c, painted = painted[0], true, painted[1:]
		}
		v.spans = append(v.spans, span{int(r.From) * block, min(pw, int(r.To)*block), c})
	}
}

func (v *Veil) sample(p, cell int) byte {
	switch {
	case !v.o.Solid:
		return value(v.level[p][cell], v.levels(p))
	case p == 0:
		return solidLuma
	}
	return solidChroma
}

func fillBytes(b []byte, x byte) {
	if len(b) == 0 {
		return
	}
	b[0] = x
	for n := 1; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}
