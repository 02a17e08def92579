// Package shape is a part of a frame as blocks: what a track shows, what a veil
// leaves, what a proof expects.
//
// A Grid divides a frame of W by H luma pixels into square blocks of Block
// pixels, fixed in the frame, the first at the top left; the last column and
// row may be cut by the frame's edge. A Shape is the runs of blocks that belong
// to it, by rising row and column, none touching another: there is one way to
// write a shape. A block is in or out as a whole, in luma and chroma, so that
// no sample is shared by what is shown and what is not (yuv420p, blocks even).
package shape

import (
	"errors"
	"fmt"
	"image"
	"math"
	"slices"

	"veilbox/redact/subject"
)

// Bounds of a grid.
const (
	MaxSide  = 16384 // pixels
	MinBlock = 2
	MaxBlock = 64
)

// A Grid is how a frame is divided.
type Grid struct {
	W, H  int // pixels
	Block int // side of a block, even
}

// For returns the grid of frames of w by h: blocks of about 1/135 of the
// height, a plane pixel of the tracker, in powers of two.
func For(w, h int) Grid {
	g := Grid{W: w, H: h, Block: 4}
	switch {
	case min(w, h) > 1440:
		g.Block = 16
	case min(w, h) > 720:
		g.Block = 8
	}
	return g
}

// Check returns what is wrong with g.
func (g Grid) Check() error {
	if g.W < 2 || g.H < 2 || g.W > MaxSide || g.H > MaxSide || g.W%2 != 0 || g.H%2 != 0 ||
		g.Block < MinBlock || g.Block > MaxBlock || g.Block%2 != 0 {
		return fmt.Errorf("shape: a grid of %dx%d in blocks of %d: give even sides up to %d and even blocks of %d to %d", g.W, g.H, g.Block, MaxSide, MinBlock, MaxBlock)
	}
	return nil
}

// Cols and Rows return how many blocks there are.
func (g Grid) Cols() int { return (g.W + g.Block - 1) / g.Block }

// Rows returns how many rows of blocks there are.
func (g Grid) Rows() int { return (g.H + g.Block - 1) / g.Block }

// Whole returns the shape of all blocks.
func (g Grid) Whole() Shape {
	s := make(Shape, g.Rows())
	for i := range s {
		s[i] = Run{Row: uint16(i), From: 0, To: uint16(g.Cols())}
	}
	return s
}

// Inside returns the blocks that lie wholly within r: for what is shown.
func (g Grid) Inside(r subject.Rect) Shape {
	c0, c1 := inward(r.X, r.W, g.W, g.Block)
	r0, r1 := inward(r.Y, r.H, g.H, g.Block)
	return box(c0, c1, r0, r1)
}

// Cover returns every block that r touches: for what is to be veiled.
func (g Grid) Cover(r subject.Rect) Shape {
	c0, c1 := outward(r.X, r.W, g.W, g.Block)
	r0, r1 := outward(r.Y, r.H, g.H, g.Block)
	return box(c0, c1, r0, r1)
}

func box(c0, c1, r0, r1 int) Shape {
	if c1 <= c0 || r1 <= r0 {
		return nil
	}
	s := make(Shape, 0, r1-r0)
	for r := r0; r < r1; r++ {
		s = append(s, Run{uint16(r), uint16(c0), uint16(c1)})
	}
	return s
}

const slack = 1e-9 // of a fraction that was made from whole pixels

func inward(at, size float64, n, block int) (from, to int) {
	// A NaN fails every comparison, and shows nothing.
	if !(size > 0 && at < 1 && at+size > 0) {
		return 0, 0
	}
	f := float64(n) / float64(block)
	from = int(math.Ceil(math.Max(0, at)*f - slack))
	if at+size >= 1-slack {
		return from, (n + block - 1) / block
	}
	return from, int(math.Floor((at+size)*f + slack))
}

func outward(at, size float64, n, block int) (from, to int) {
	if math.IsNaN(at) || math.IsNaN(size) {
		return 0, (n + block - 1) / block // what cannot be told is veiled as a whole
	}
	if !(size > 0 && at < 1 && at+size > 0) {
		return 0, 0
	}
	f := float64(n) / float64(block)
	return int(math.Max(0, math.Floor(at*f+slack))), min((n+block-1)/block, int(math.Ceil((at+size)*f-slack)))
}

// A Run is the blocks [From, To) of a row.
type Run struct{ Row, From, To uint16 }

// A Shape is a set of blocks.
type Shape []Run

// Check returns what is wrong with s as a shape of g.
func (s Shape) Check(g Grid) error {
	rows, cols := g.Rows(), g.Cols()
	for i, r := range s {
		if int(r.Row) >= rows || r.From >= r.To || int(r.To) > cols {
			return fmt.Errorf("shape: run %+v in a grid of %d columns and %d rows", r, cols, rows)
		}
		if i > 0 {
			if p := s[i-1]; r.Row < p.Row || r.Row == p.Row && r.From <= p.To {
				return errors.New("shape: its runs are not in their one order")
			}
		}
	}
	return nil
}

// Empty reports whether s has no block.
func (s Shape) Empty() bool { return len(s) == 0 }

// Equal reports whether s and o are the same blocks.
func (s Shape) Equal(o Shape) bool { return slices.Equal(s, o) }

// Blocks returns how many blocks s has.
func (s Shape) Blocks() int {
	n := 0
	for _, r := range s {
		n += int(r.To - r.From)
	}
	return n
}

// Has reports whether the block at col and row is in s.
func (s Shape) Has(col, row int) bool {
	for _, r := range s {
		if int(r.Row) > row {
			return false
		}
		if int(r.Row) == row && int(r.From) <= col && col < int(r.To) {
			return true
		}
	}
	return false
}

// Bounds returns the smallest rectangle of blocks that holds s.
func (s Shape) Bounds() image.Rectangle {
	var b image.Rectangle
	for _, r := range s {
		b = b.Union(image.Rect(int(r.From), int(r.Row), int(r.To), int(r.Row)+1))
	}
	return b
}

// Pixels returns the luma pixels of a rectangle of blocks, within the frame.
func (g Grid) Pixels(b image.Rectangle) image.Rectangle {
	return image.Rect(b.Min.X*g.Block, b.Min.Y*g.Block, b.Max.X*g.Block, b.Max.Y*g.Block).Intersect(image.Rect(0, 0, g.W, g.H))
}

// Rect returns a rectangle of blocks as a part of the frame.
func (g Grid) Rect(b image.Rectangle) subject.Rect {
	p := g.Pixels(b)
	w, h := float64(g.W), float64(g.H)
	return subject.Rect{X: float64(p.Min.X) / w, Y: float64(p.Min.Y) / h, W: float64(p.Dx()) / w, H: float64(p.Dy()) / h}
}
