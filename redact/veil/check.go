package veil

import (
	"errors"
	"fmt"

	"veilbox/redact/shape"
)

// Margins of Check, in luma pixels.
const (
	ShownMargin = 8  // around what is seen, where a lossy codec rings
	RingMargin  = 4  // of these, next to what is seen, not measured at all
	CellMargin  = 4  // within a cell, which its deblocking filter may reach
	least       = 32 // samples that fewer count as
)

// A Tolerance bounds what a lossy codec may add. The zero value is of an
// uncompressed veil. Where Energy is not zero, a Ring, PaintedMean or PaintedMax
// of zero stands for that of Lossy.
type Tolerance struct {
	Deviation   float64 // most that a sample in a cell's inside may differ from the cell's mean
	Energy      float64 // most that a whole cell's samples may vary (mean square)
	Ring        float64 // most that the samples of a cell's ring may vary about the cell's mean (mean square)
	PaintedMean float64 // most that the mean of a painted block may differ from the scene's; chroma counts half
	PaintedMax  float64 // most that a sample of it may
}

// Lossy is for a copy out of H.264 or H.265 at ordinary quality. Over 800 frames
// of a street, with somebody shown who walks, a painted scene and a stamp, x264
// (veryfast) left at CRF 20 and 26 a deviation of 3 and 4, an energy of 0.2 and
// 0.2, a ring of 1 and 3, a painted mean of 4 and 7 and a painted sample 11 and
// 20 steps off. The same street unveiled has 197 and 8478 in the first two.
var Lossy = Tolerance{Deviation: 10, Energy: 6, Ring: 40, PaintedMean: 12, PaintedMax: 48}

// Filled returns t with the bounds that it leaves to Lossy.
func (t Tolerance) Filled() Tolerance {
	if t.Energy == 0 {
		return t
	}
	fill := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	fill(&t.Ring, Lossy.Ring)
	fill(&t.PaintedMean, Lossy.PaintedMean)
	fill(&t.PaintedMax, Lossy.PaintedMax)
	return t
}

// A Worst is the largest value that was found, and where.
type Worst struct {
	Value float64 `json:"value"`
	Col   int     `json:"col"` // of the cell; of what is painted, of the block
	Row   int     `json:"row"`
	Plane int     `json:"plane"` // 0 luma, 1 and 2 chroma
}

// A Report is what Check found.
type Report struct {
	OK        bool  `json:"ok"`
	Cells     int   `json:"cells"`     // looked at
	Deviation Worst `json:"deviation"` // of the samples at least CellMargin within their cell
	// Energy is that of the worst part of a cell, a sixteenth of it or at least
	// 16 px wide, about the mean of the whole. That of the cell is no more.
	Energy Worst `json:"energy"`
	// Edge is the largest deviation anywhere in a cell, the rim with it.
	Edge Worst `json:"edge"`
	// Ring is the energy between RingMargin and ShownMargin of what is seen,
	// about the cell's mean. Fewer than 32 samples in a cell count as 32.
	Ring        Worst `json:"ring"`
	PaintedMean Worst `json:"painted_mean"`
	PaintedMax  Worst `json:"painted_max"`
	// Skipped are luma pixels neither seen nor held against their cell: within
	// ShownMargin of what is seen.
	Skipped int `json:"skipped"`
}

// An Expect is what a veiled frame is to be.
type Expect struct {
	Grid shape.Grid
	Seen
	Scene *Frame // what is painted
	// Apart is checked by others: the area of a stamp (redact/stamp).
	Apart     shape.Shape
	Cell      int
	Tolerance Tolerance
}

// Check is Checker.Check for one frame.
func Check(f *Frame, e Expect) (Report, error) {
	var c Checker
	return c.Check(f, e)
}

// A Checker measures frames one after the other. Its zero value is ready; it is
// for one goroutine at a time. After its first frame it does not allocate.
type Checker struct {
	seen    rows // what is seen, by rows of blocks
	pieces  []piece
	wide    []run
	narrow  []run
	tallies []tally // of the parts of a row of cells
	sums    []uint64
}

// Check measures how far the cells of a veiled frame are from flat, on luma and
// chroma, outside what is seen and a margin around it, and how far what is
// painted is from the scene. A cell that is partly seen is measured on the rest
// of it. The error is that f cannot be measured.
func (c *Checker) Check(f *Frame, e Expect) (Report, error) {
	if err := f.check(); err != nil {
		return Report{}, err
	}
	if err := e.check(f); err != nil {
		return Report{}, err
	}
	cols, rows := max(1, f.W/e.Cell), max(1, f.H/e.Cell)
	rep := Report{Cells: cols * rows}
	c.seen.take(e.Grid, e.Shown, e.Painted, e.Apart)
	if n := parts(e.Cell); len(c.tallies) < cols*n*n {
		c.tallies = make([]tally, cols*n*n)
	}
	for p, pix := range f.planes() {
		c.plane(&rep, f, p, pix, e.Grid.Block, e.Cell, cols, rows)
	}
	c.painted(&rep, f, e)
	t := e.Tolerance.Filled()
	rep.OK = rep.Deviation.Value <= t.Deviation && rep.Energy.Value <= t.Energy && rep.Ring.Value <= t.Ring &&
		rep.PaintedMean.Value <= t.PaintedMean && rep.PaintedMax.Value <= t.PaintedMax
	return rep, nil
}

func (e *Expect) check(f *Frame) error {
	if e.Cell < MinCell || e.Cell%2 != 0 || f.W != e.Grid.W || f.H != e.Grid.H {
		return fmt.Errorf("veil: a frame of %dx%d on a grid of %dx%d, cells of %d px: give an even number of at least %d",
			f.W, f.H, e.Grid.W, e.Grid.H, e.Cell, MinCell)
	}
	if err := errors.Join(e.Grid.Check(), e.Shown.Check(e.Grid), e.Painted.Check(e.Grid), e.Apart.Check(e.Grid)); err != nil {
		return fmt.Errorf("veil: %w", err)
	}
	if e.Painted.Empty() {
		return nil
	}
	if e.Scene == nil {
		return errors.New("veil: nothing is known of the scene that is painted")
	}
	if err := e.Scene.check(); err != nil {
		return err
	}
	if e.Scene.W != f.W || e.Scene.H != f.H {
		return fmt.Errorf("veil: a scene of %dx%d in a frame of %dx%d", e.Scene.W, e.Scene.H, f.W, f.H)
	}
	return nil
}

func (w *Worst) take(v float64, c, r, p int) {
	if v > w.Value {
		*w = Worst{v, c, r, p}
	}
}
