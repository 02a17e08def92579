package veil

import (
	"errors"
	"fmt"

	"veilbox/redact/shape"
)

// Limits.
const (
	MinCell   = 16    // px
	MaxSide   = 16384 // px
	MinLevels = 2
	MaxLevels = 32
)

// Defaults of Options.
const (
	DefaultLevels = 3
	DefaultHold   = 25 // frames
)

// Luma and chroma of a solid veil.
const (
	solidLuma   = 48
	solidChroma = 128
)

// ErrFrame says that a frame is not of the shape that it should be.
var ErrFrame = errors.New("the planes do not have the size of the frame")

// A Frame is one picture. Its planes are changed in place.
type Frame struct {
	W, H    int
	Y, U, V []byte
}

// Options are how the veil is made. The zero value is the default.
type Options struct {
	Cell   int  // px, even, at least MinCell; 0 = DefaultCell(w, h)
	Levels int  // levels of luma; chroma has ChromaLevels of it; 0 = DefaultLevels
	Hold   int  // frames that a cell's value is held; 0 = DefaultHold
	Solid  bool // one dark grey instead of cells
	// Scene is the picture that is painted where Seen.Painted says so. It is
	// only read.
	Scene *Frame
}

// A Seen is what is not veiled of a frame. Both are of the veil's grid and share
// no block.
type Seen struct {
	Shown   shape.Shape // of the frame itself
	Painted shape.Shape // of Options.Scene
}

// A Veil veils the frames of one clip, in their order. It is not for use by
// several goroutines at once.
type Veil struct {
	o          Options
	grid       shape.Grid
	w, h       int
	cols, rows int
	age        int      // frames since the cells were measured, -1 before the first
	level      [3][]int // of each cell; -1 before the first
	means      [3][]byte
	given      bool // means are those of the next frame
	tmpl       [3][]byte
	spans      []span
}

// DefaultCell returns the side of a cell in pixels: a third of the height, cut to
// whole macroblocks of a codec. From 192 lines on a head of a quarter of the
// height is no larger than a cell.
func DefaultCell(w, h int) int { return max(MinCell, h/3/16*16) }

// ChromaLevels returns how many levels chroma has: an odd number, so that the
// middle one is without colour.
func ChromaLevels(levels int) int { return levels/2 | 1 }

// New returns a veil for the frames of g.
func New(g shape.Grid, o Options) (*Veil, error) {
	if err := g.Check(); err != nil {
		return nil, fmt.Errorf("veil: %w", err)
	}
	w, h := g.W, g.H
	if s := o.Scene; s != nil {
		if err := s.check(); err != nil {
			return nil, err
		}
		if s.W != w || s.H != h {
			return nil, fmt.Errorf("veil: a scene of %dx%d for frames of %dx%d: learn it from the same stream", s.W, s.H, w, h)
		}
	}
	if o.Cell == 0 {
		o.Cell = DefaultCell(w, h)
	}
	if o.Levels == 0 {
		o.Levels = DefaultLevels
	}
	if o.Hold == 0 {
		o.Hold = DefaultHold
	}
	switch {
	case o.Cell < MinCell || o.Cell%2 != 0 || o.Cell > MaxSide:
		return nil, fmt.Errorf("veil: cells of %d px: give an even number of at least %d", o.Cell, MinCell)
	case o.Levels < MinLevels || o.Levels > MaxLevels:
		return nil, fmt.Errorf("veil: %d levels: give %d to %d", o.Levels, MinLevels, MaxLevels)
	case o.Hold < 1:
		return nil, fmt.Errorf("veil: held for %d frames: give at least 1", o.Hold)
	}
	return build(g, o), nil
}

// build makes the veil of options that are good.
func build(g shape.Grid, o Options) *Veil {
	w, h := g.W, g.H
	v := &Veil{o: o, grid: g, w: w, h: h, age: -1, cols: max(1, w/o.Cell), rows: max(1, h/o.Cell)}
	for p := range v.level {
		v.level[p] = make([]int, v.cols*v.rows)
		for i := range v.level[p] {
			v.level[p][i] = -1
		}
		pw, _ := planeSize(p, w, h)
		v.tmpl[p] = make([]byte, pw)
		v.means[p] = make([]byte, v.cols*v.rows)
	}
	v.spans = make([]span, 0, g.Cols())
	return v
}

// Cells returns the size of the grid.
func (v *Veil) Cells() (w, h int) { return v.cols, v.rows }

// Cell returns the side of a cell in pixels.
func (v *Veil) Cell() int { return v.o.Cell }

// planeSize returns the size of plane p (0 luma, 1 and 2 chroma).
func planeSize(p, w, h int) (int, int) {
	if p == 0 {
		return w, h
	}
	return (w + 1) / 2, (h + 1) / 2
}

// edge returns where cell i of n begins on a plane, and for i == n its end.
func edge(p, i, n, cell, size int) int {
	if i == n {
		return size
	}
	if p != 0 {
		cell /= 2
	}
	return i * cell
}

func (f *Frame) planes() [3][]byte { return [3][]byte{f.Y, f.U, f.V} }

func (f *Frame) check() error {
	cw, ch := planeSize(1, f.W, f.H)
	if f.W < 1 || f.H < 1 || f.W > MaxSide || f.H > MaxSide ||
		len(f.Y) != f.W*f.H || len(f.U) != cw*ch || len(f.V) != cw*ch {
		return fmt.Errorf("veil: %w: %dx%d with %d, %d and %d bytes: give tightly packed yuv420p",
			ErrFrame, f.W, f.H, len(f.Y), len(f.U), len(f.V))
	}
	return nil
}
