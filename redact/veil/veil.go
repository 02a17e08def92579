// Package veil destroys what must not be seen in a frame. Everything outside
// the shown rectangles becomes flat cells; the shown rectangles stay.
//
// Shapes and units: a frame is yuv420p, three tightly packed planes of one byte
// a sample, luma of W*H and chroma of ceil(W/2)*ceil(H/2). Rectangles are
// fractions of the frame (subject.Rect); they are clamped to the frame and
// snapped inwards to even pixels, so that no luma and no chroma sample outside
// the rectangle is shown. The grid of cells is fixed in the frame, and the last
// row and column take what is left over, so that no cell is smaller than the
// cell asked for (unless the frame is).
//
// # What is held against
//
// A veil is one value a cell: mean luma quantised to 16 levels and mean chroma
// to 8 (Options.Levels), measured in one frame and held for about a second.
//
//   - Dictionary matching of a mosaic (render every candidate, mosaic it, take
//     the nearest; what broke pixelated text and check numbers): works where a
//     secret spans many cells and the values are fine. A head of a third of the
//     frame's height spans at most four cells (DefaultCell), a person further
//     away less than one: some 16 bits before noise, shared with the background
//     behind the head, against which a photograph of the head cannot be told
//     from that of a stranger.
//   - Super-resolution over frames: needs the same scene sampled at many
//     sub-cell shifts. The cells stand still in the frame, are sampled once in
//     Hold frames instead of in every one, and a level changes only when the
//     mean has left it by a quarter of a step, which takes away the dither that
//     averaging over time would use.
//   - Nearest neighbour or trained face matching against the original footage
//     (which defeats mosaics of 8 to 16 cells a face, and blur): needs
//     structure within the face. There is none within a cell.
//   - The rim of a shown rectangle: a cell that is partly shown still has the
//     quantised mean of the whole cell. Taking the mean of the hidden pixels
//     alone would hand out slivers a pixel wide as a rectangle moves over them;
//     within the whole cell's mean a sliver weighs less than a quantum.
//
// What a veil does not hide: that something moved, roughly where and how
// large, and its rough colour. Options.Solid hides these too.
package veil

import (
	"errors"
	"fmt"
	"image"

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
	DefaultLevels = 16
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
	Levels int  // levels of luma; chroma has half as many; 0 = DefaultLevels
	Hold   int  // frames that a cell's value is held; 0 = DefaultHold
	Solid  bool // one dark grey instead of cells
	// Scene is the picture that is painted where Seen.Painted says so.
	Scene *Frame
}

// A Seen is what is not veiled of a frame.
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
	tmpl       [3][]byte
	rects      []image.Rectangle
	spans      []span
}

type span struct{ from, to int }

// DefaultCell returns the side of a cell in pixels: a head that is a third of
// the frame high spans at most four.
func DefaultCell(w, h int) int {
	n := (h + 11) / 12
	return max(MinCell, (n+15)/16*16)
}

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
	if w < 1 || h < 1 || w > MaxSide || h > MaxSide {
		return nil, fmt.Errorf("veil: a frame of %dx%d: give 1 to %d pixels each way", w, h, MaxSide)
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
	v := &Veil{o: o, grid: g, w: w, h: h, age: -1, cols: max(1, w/o.Cell), rows: max(1, h/o.Cell)}
	for p := range v.level {
		v.level[p] = make([]int, v.cols*v.rows)
		for i := range v.level[p] {
			v.level[p][i] = -1
		}
		pw, _ := planeSize(p, w, h)
		v.tmpl[p] = make([]byte, pw)
	}
	v.rects = make([]image.Rectangle, 0, 64)
	v.spans = make([]span, 0, 64)
	return v, nil
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

// Apply veils everything in f that is neither shown nor painted. After an error
// f must not be used.
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
	v.rects = s.Shown.Rects(v.rects[:0])
	for i, r := range v.rects {
		v.rects[i] = v.grid.Pixels(r)
	}
	v.age++
	if !v.o.Solid && v.age%v.o.Hold == 0 {
		v.measure(f)
	}
	for p, pix := range f.planes() {
		v.fill(p, pix)
	}
	v.paint(f, s.Painted)
	return nil
}

// measure takes the levels of all cells from f.
func (v *Veil) measure(f *Frame) {
	for p, pix := range f.planes() {
		pw, ph := planeSize(p, v.w, v.h)
		n := v.levels(p)
		for r := range v.rows {
			y0, y1 := edge(p, r, v.rows, v.o.Cell, ph), edge(p, r+1, v.rows, v.o.Cell, ph)
			for c := range v.cols {
				x0, x1 := edge(p, c, v.cols, v.o.Cell, pw), edge(p, c+1, v.cols, v.o.Cell, pw)
				sum := 0
				for y := y0; y < y1; y++ {
					sum += sumBytes(pix[y*pw+x0 : y*pw+x1])
				}
				l := &v.level[p][r*v.cols+c]
				*l = quantise(sum, (y1-y0)*(x1-x0), n, *l)
			}
		}
	}
}

// paint copies the scene over what is painted.
func (v *Veil) paint(f *Frame, painted shape.Shape) {
	if painted.Empty() {
		return
	}
	from := v.o.Scene.planes()
	for p, pix := range f.planes() {
		pw, _ := planeSize(p, v.w, v.h)
		for _, r := range painted {
			px := v.grid.Pixels(image.Rect(int(r.From), int(r.Row), int(r.To), int(r.Row)+1))
			if p != 0 {
				px = image.Rect(px.Min.X/2, px.Min.Y/2, px.Max.X/2, px.Max.Y/2)
			}
			for y := px.Min.Y; y < px.Max.Y; y++ {
				copy(pix[y*pw+px.Min.X:y*pw+px.Max.X], from[p][y*pw+px.Min.X:])
			}
		}
	}
}

func (v *Veil) levels(p int) int {
	if p == 0 {
		return v.o.Levels
	}
	return max(MinLevels, v.o.Levels/2)
}

// quantise returns the level of a mean of sum/n, of levels over 0 to 255. It
// stays at last until the mean has left that level by a quarter of a step.
func quantise(sum, n, levels, last int) int {
	if last >= 0 {
		// In units of 1/(256*n*4) of a step.
		at := sum * levels * 4
		if at >= (last*4-1)*256*n && at < (last*4+5)*256*n {
			return last
		}
	}
	return min(levels-1, sum*levels/(256*n))
}

// value returns the sample that stands for a level: the middle of its step.
func value(level, levels int) byte {
	return byte(min(255, (2*level+1)*256/(2*levels)))
}

// sumBytes returns the sum of b, eight at a time.
func sumBytes(b []byte) int {
	const lanes = 0x00ff00ff00ff00ff
	total := 0
	for len(b) >= 8 {
		// A lane of 16 bits takes 128 rounds of two bytes before it can overflow.
		n := min(len(b)/8, 128) * 8
		var acc uint64
		for i := 0; i < n; i += 8 {
			w := b[i : i+8 : i+8]
			u := uint64(w[0]) | uint64(w[1])<<8 | uint64(w[2])<<16 | uint64(w[3])<<24 |
				uint64(w[4])<<32 | uint64(w[5])<<40 | uint64(w[6])<<48 | uint64(w[7])<<56
			acc += u&lanes + u>>8&lanes
		}
		total += int(acc&0xffff + acc>>16&0xffff + acc>>32&0xffff + acc>>48)
		b = b[n:]
	}
	for _, x := range b {
		total += int(x)
	}
	return total
}

// fill writes the cells over plane p, except where a rectangle shows it.
func (v *Veil) fill(p int, pix []byte) {
	pw, ph := planeSize(p, v.w, v.h)
	row := v.tmpl[p]
	for r := range v.rows {
		y0, y1 := edge(p, r, v.rows, v.o.Cell, ph), edge(p, r+1, v.rows, v.o.Cell, ph)
		for c := range v.cols {
			fillBytes(row[edge(p, c, v.cols, v.o.Cell, pw):edge(p, c+1, v.cols, v.o.Cell, pw)], v.sample(p, r*v.cols+c))
		}
		for y := y0; y < y1; {
			next := v.row(p, y, y1)
			x := 0
			for _, s := range v.spans {
				if s.from > x {
					for yy := y; yy < next; yy++ {
						copy(pix[yy*pw+x:yy*pw+s.from], row[x:s.from])
					}
				}
				x = max(x, s.to)
			}
			for yy := y; yy < next; yy++ {
				copy(pix[yy*pw+x:(yy+1)*pw], row[x:])
			}
			y = next
		}
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

// row puts what is shown of row y of plane p into v.spans, by rising from, and
// returns the first row after y, at most end, where that may be different.
func (v *Veil) row(p, y, end int) int {
	v.spans = v.spans[:0]
	for _, r := range v.rects {
		if p != 0 {
			r = image.Rect(r.Min.X/2, r.Min.Y/2, r.Max.X/2, r.Max.Y/2)
		}
		switch {
		case y >= r.Max.Y:
			continue
		case y < r.Min.Y:
			end = min(end, r.Min.Y)
			continue
		}
		end = min(end, r.Max.Y)
		i := len(v.spans)
		v.spans = append(v.spans, span{r.Min.X, r.Max.X})
		for ; i > 0 && v.spans[i-1].from > v.spans[i].from; i-- {
			v.spans[i-1], v.spans[i] = v.spans[i], v.spans[i-1]
		}
	}
	return end
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
