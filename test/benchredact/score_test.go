package main

import (
	"image"
	"math"
	"testing"

	"veilbox/redact/mask"
	"veilbox/redact/shape"
	"veilbox/redact/subject"
)

// A frame of 400x200 in blocks of 2, the subject at 100..140 x 50..150.
var (
	grid = shape.Grid{W: 400, H: 200, Block: 2}
	body = Box{100, 50, 140, 150}
)

func block(x0, y0, x1, y1 int) shape.Shape {
	return grid.Inside(subject.Rect{X: float64(x0) / 400, Y: float64(y0) / 200, W: float64(x1-x0) / 400, H: float64(y1-y0) / 200})
}

func both(a, b shape.Shape) shape.Shape { return shape.Union(nil, a, b) }

func TestJudge(t *testing.T) {
	subjectOnly := block(100, 50, 140, 150)
	beside := Other{Who: "B", Box: Box{150, 50, 190, 150}}
	before := Other{Who: "F", Box: Box{120, 60, 170, 180}, Front: true}
	behind := Other{Who: "H", Box: Box{110, 30, 150, 120}}
	over := Other{Who: "O", Box: Box{96, 48, 144, 152}, Front: true}
	for name, c := range map[string]struct {
		sight  Sight
		others []Other
		shown  shape.Shape
		flags  mask.Flags
		want   Frame
	}{
		"the subject alone":                          {sight: Full, shown: subjectOnly, want: Frame{Counts: true, Shown: true}},
		"nothing":                                    {sight: Full, want: Frame{Counts: true}},
		"less than half of it":                       {sight: Full, shown: block(100, 50, 140, 90), want: Frame{Counts: true}},
		"more than half of it":                       {sight: Partly, shown: block(100, 50, 140, 110), want: Frame{Counts: true, Shown: true}},
		"it cannot be seen":                          {sight: Hidden, shown: subjectOnly, want: Frame{}},
		"it has gone, and something is shown":        {sight: Gone, shown: block(300, 50, 340, 150), want: Frame{Beside: true}},
		"it has gone, and nothing is shown":          {sight: Gone, want: Frame{}},
		"the region is on somebody else":             {sight: Full, others: []Other{beside}, shown: block(150, 50, 190, 150), want: Frame{Counts: true, Others: []string{"B"}, Beside: true}},
		"a tenth of somebody beside it":              {sight: Full, others: []Other{beside}, shown: both(subjectOnly, block(150, 50, 154, 150)), want: Frame{Counts: true, Shown: true}},
		"a fifth of somebody beside it":              {sight: Full, others: []Other{beside}, shown: both(subjectOnly, block(150, 50, 158, 150)), want: Frame{Counts: true, Shown: true, Others: []string{"B"}}},
		"the same with a flag":                       {sight: Full, others: []Other{beside}, shown: both(subjectOnly, block(150, 50, 158, 150)), flags: mask.Crowded, want: Frame{Counts: true, Shown: true, Others: []string{"B"}, Flagged: true}},
		"a region where nobody is":                   {sight: Full, shown: block(300, 50, 340, 150), want: Frame{Counts: true, Beside: true}},
		"a loose box around it":                      {sight: Full, shown: block(86, 40, 154, 160), want: Frame{Counts: true, Shown: true}},
		"who stands before it is shown":              {sight: Partly, others: []Other{before}, shown: subjectOnly, want: Frame{Counts: true, Shown: true, Others: []string{"F"}}},
		"who stands before it is cut out":            {sight: Partly, others: []Other{before}, shown: shape.Minus(nil, subjectOnly, block(120, 60, 140, 150)), want: Frame{Counts: true, Shown: true}},
		"who stands before it hides it":              {sight: Partly, others: []Other{over}, want: Frame{}},
		"who stands behind it, within its box":       {sight: Full, others: []Other{behind}, shown: subjectOnly, want: Frame{Counts: true, Shown: true}},
		"who stands behind it, the head is over it":  {sight: Full, others: []Other{behind}, shown: both(subjectOnly, block(110, 30, 150, 50)), want: Frame{Counts: true, Shown: true, Others: []string{"H"}}},
		"far away from the subject while it is gone": {sight: Gone, others: []Other{beside}, shown: block(150, 50, 190, 150), want: Frame{Beside: true, Others: []string{"B"}}},
	} {
		t.Run(name, func(t *testing.T) {
			at := Moment{Known: true, Sight: c.sight, Others: c.others}
			if c.sight != Gone {
				at.Box = body.rect()
			}
			s := mask.Seen{Shape: c.shown, Flags: c.flags}
			if !c.shown.Empty() {
				s.State = mask.Shown
			}
			got := newBoard(grid).judge(at, 1, s)
			if got.Counts != c.want.Counts || got.Shown != c.want.Shown || got.Beside != c.want.Beside || got.Flagged != c.want.Flagged ||
				len(got.Others) != len(c.want.Others) || len(got.Others) > 0 && got.Others[0] != c.want.Others[0] {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestAFlagOfAVeiledFrameExcusesNothing(t *testing.T) {
	f := newBoard(grid).judge(Moment{Known: true, Sight: Full, Box: body.rect()}, 1, mask.Seen{State: mask.Unsure, Flags: mask.Crowded})
	if f.Flagged {
		t.Error("a veiled frame counts as flagged")
	}
}

func TestDrift(t *testing.T) {
	b := newBoard(grid)
	at := Moment{Known: true, Sight: Full, Box: body.rect()}
	f := b.judge(at, 1, mask.Seen{State: mask.Shown, Shape: block(110, 50, 150, 150)})
	if math.Abs(f.Off-0.1) > 1e-9 || math.Abs(f.Fit-0.6) > 1e-9 {
		t.Errorf("ten pixels aside: off by %v heights, overlap %v; want 0.1 and 0.6", f.Off, f.Fit)
	}
	at.Others = []Other{{Who: "F", Box: Box{130, 50, 170, 150}, Front: true}}
	if f := b.judge(at, 1, mask.Seen{State: mask.Shown, Shape: block(100, 50, 130, 150)}); f.Off >= 0 {
		t.Errorf("off by %v although somebody is in the way and is cut out", f.Off)
	}
}

func TestCore(t *testing.T) {
	if got, want := core(body.rect()), image.Rect(108, 55, 132, 145); got != want {
		t.Errorf("core %v, want %v", got, want)
	}
}
