package veil

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"math/bits"

	"veilbox/redact/shape"
)

// Margins of Check, in luma pixels.
const (
	ShownMargin = 8 // around what is shown, where a lossy codec rings
	CellMargin  = 4 // within a cell, which its deblocking filter may reach
)

// A Tolerance bounds what a lossy codec may add to a flat cell. The zero value
// is of an uncompressed veil.
type Tolerance struct {
	Deviation float64 // most that a sample in a cell's inside may differ from the cell's mean
	Energy    float64 // most that a whole cell's samples may vary (mean square)
}

// Lossy is for a copy out of H.264 or H.265 at ordinary quality. On a street
// scene x264 at CRF 23 to 28 left a deviation of 5 and an energy of 22; the same
// scene unveiled has 197 and 8478.
var Lossy = Tolerance{Deviation: 10, Energy: 48}

// A Worst is the largest value that was found, and the cell where.
type Worst struct {
	Value float64 `json:"value"`
	Col   int     `json:"col"`
	Row   int     `json:"row"`
	Plane int     `json:"plane"` // 0 luma, 1 and 2 chroma
}

// A Report is what Check found.
type Report struct {
	OK        bool  `json:"ok"`
	Cells     int   `json:"cells"`     // looked at
	Deviation Worst `json:"deviation"` // of the samples at least CellMargin within their cell
	Energy    Worst `json:"energy"`
	// Edge is the largest deviation anywhere in a cell, the rim with it.
	Edge Worst `json:"edge"`
	// Skipped are luma pixels neither shown nor looked at: within ShownMargin
	// of what is shown.
	Skipped int `json:"skipped"`
}

// An Expect is what a veiled frame is to be.
type Expect struct {
	Grid shape.Grid
	Seen
	Scene     *Frame // what is painted
	Cell      int
	Tolerance Tolerance
}

// Check measures how far the cells of a veiled frame are from flat, on luma and
// chroma, outside what is seen and a margin around it. A cell that is partly
// seen is measured on the rest of it. The error is that f cannot be measured.
func Check(f *Frame, e Expect) (Report, error) {
	if err := f.check(); err != nil {
		return Report{}, err
	}
	cell, t := e.Cell, e.Tolerance
	if cell < MinCell || cell%2 != 0 || f.W != e.Grid.W || f.H != e.Grid.H {
		return Report{}, fmt.Errorf("veil: a frame of %dx%d on a grid of %dx%d, cells of %d px: give an even number of at least %d",
			f.W, f.H, e.Grid.W, e.Grid.H, cell, MinCell)
	}
	if err := errors.Join(e.Shown.Check(e.Grid), e.Painted.Check(e.Grid)); err != nil {
		return Report{}, fmt.Errorf("veil: %w", err)
	}
	var exact, rects []image.Rectangle
	for _, r := range e.Shown.Rects(nil) {
		px := e.Grid.Pixels(r)
		exact = append(exact, px)
		rects = append(rects, px.Inset(-ShownMargin))
	}
	for _, r := range e.Painted.Rects(nil) {
		px := e.Grid.Pixels(r)
		exact = append(exact, px)
		rects = append(rects, px.Inset(-ShownMargin))
	}
	cols, rows := max(1, f.W/cell), max(1, f.H/cell)
	rep := Report{Cells: cols * rows, Skipped: covered(f.W, f.H, rects) - covered(f.W, f.H, exact)}
	for p, pix := range f.planes() {
		pw, ph := planeSize(p, f.W, f.H)
		margin := CellMargin
		if p != 0 {
			margin /= 2
		}
		for r := range rows {
			for c := range cols {
				area := image.Rect(edge(p, c, cols, cell, pw), edge(p, r, rows, cell, ph),
					edge(p, c+1, cols, cell, pw), edge(p, r+1, rows, cell, ph))
				inner, all, energy := measureCell(pix, pw, p, area, area.Inset(margin), rects)
				rep.Deviation.take(inner, c, r, p)
				rep.Edge.take(all, c, r, p)
				rep.Energy.take(energy, c, r, p)
			}
		}
	}
	rep.OK = rep.Deviation.Value <= t.Deviation && rep.Energy.Value <= t.Energy
	return rep, nil
}

func (w *Worst) take(v float64, c, r, p int) {
	if v > w.Value {
		*w = Worst{v, c, r, p}
	}
}

// hidden calls fn for each run of samples of row y within area that is outside
// rects.
func hidden(p, y int, area image.Rectangle, rects []image.Rectangle, fn func(x0, x1 int)) {
	shift := 0
	if p != 0 {
		shift = 1
	}
	for x := area.Min.X; x < area.Max.X; {
		end, in := area.Max.X, false
		for _, r := range rects {
			rx0, rx1 := r.Min.X>>shift, (r.Max.X+shift)>>shift
			if y < r.Min.Y>>shift || y >= (r.Max.Y+shift)>>shift || rx1 <= x {
				continue
			}
			if rx0 <= x {
				in, end = true, rx1
				break
			}
			end = min(end, rx0)
		}
		if !in {
			fn(x, end)
		}
		x = end
	}
}

// A tally gathers the samples of a cell.
type tally struct {
	n, sum, sq       int
	lo, hi, ilo, ihi int // over all, and over the cell's inside
}

// measureCell returns the largest deviation from the mean within inner and
// within area, and the variance over area.
func measureCell(pix []byte, pw, p int, area, inner image.Rectangle, rects []image.Rectangle) (in, all, energy float64) {
	t := tally{lo: 255, ilo: 255}
	clear := !touched(p, area, rects)
	for y := area.Min.Y; y < area.Max.Y; y++ {
		line := pix[y*pw : (y+1)*pw]
		mid := y >= inner.Min.Y && y < inner.Max.Y && inner.Min.X < inner.Max.X
		if clear {
			t.run(line, area.Min.X, area.Max.X, mid, inner)
			continue
		}
		hidden(p, y, area, rects, func(x0, x1 int) { t.run(line, x0, x1, mid, inner) })
	}
	return t.result()
}

// touched reports whether a rectangle may reach into area.
func touched(p int, area image.Rectangle, rects []image.Rectangle) bool {
	if p != 0 {
		area = image.Rect(area.Min.X*2-1, area.Min.Y*2-1, area.Max.X*2+1, area.Max.Y*2+1)
	}
	for _, r := range rects {
		if r.Overlaps(area) {
			return true
		}
	}
	return false
}

// run takes the samples of line from x0 to x1. A word of eight of one value, of
// which a flat cell is made, is taken at once. Margins are narrower than a word,
// so that on a row of the inside each word has a part in it.
func (t *tally) run(line []byte, x0, x1 int, mid bool, inner image.Rectangle) {
	t.n += x1 - x0
	x := x0
	for x+8 <= x1 {
		w := binary.LittleEndian.Uint64(line[x:])
		if w != bits.RotateLeft64(w, 8) {
			t.bytes(line, x, x+8, mid, inner)
			x += 8
			continue
		}
		from := x
		for x += 8; x+8 <= x1 && binary.LittleEndian.Uint64(line[x:]) == w; x += 8 {
		}
		v, n := int(w&0xff), x-from
		t.sum += n * v
		t.sq += n * v * v
		t.lo, t.hi = min(t.lo, v), max(t.hi, v)
		if mid {
			t.ilo, t.ihi = min(t.ilo, v), max(t.ihi, v)
		}
	}
	t.bytes(line, x, x1, mid, inner)
}

func (t *tally) bytes(line []byte, x0, x1 int, mid bool, inner image.Rectangle) {
	for i, b := range line[x0:x1] {
		v := int(b)
		t.sum += v
		t.sq += v * v
		t.lo, t.hi = min(t.lo, v), max(t.hi, v)
		if x := x0 + i; mid && x >= inner.Min.X && x < inner.Max.X {
			t.ilo, t.ihi = min(t.ilo, v), max(t.ihi, v)
		}
	}
}

func (t *tally) result() (in, all, energy float64) {
	if t.n == 0 {
		return 0, 0, 0
	}
	mean := float64(t.sum) / float64(t.n)
	if t.ihi >= t.ilo {
		in = max(mean-float64(t.ilo), float64(t.ihi)-mean)
	}
	return in, max(mean-float64(t.lo), float64(t.hi)-mean), max(0, float64(t.sq)/float64(t.n)-mean*mean)
}

// covered returns how many pixels of a frame of w by h lie in rects.
func covered(w, h int, rects []image.Rectangle) int {
	n := 0
	whole := image.Rect(0, 0, w, h)
	for y := range h {
		free := 0
		hidden(0, y, whole, rects, func(x0, x1 int) { free += x1 - x0 })
		n += w - free
	}
	return n
}
