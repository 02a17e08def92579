package main

import (
	"image"
	"slices"
	"strings"
	"testing"
)

func TestCommittedTruth(t *testing.T) {
	all, err := truths()
	if err != nil {
		t.Fatal(err)
	}
	long := 0
	for _, x := range all {
		n := 0
		for f := x.From; f < x.To; f++ {
			if at := x.At(f); at.Known && at.Sight.visible() {
				n++
			}
		}
		if x.Clip == "vtest.avi" && n >= 100 {
			long++
		}
		if _, err := x.first(); err != nil {
			t.Error(err)
		}
	}
	if long < 3 {
		t.Errorf("%d subjects of vtest.avi with a hundred frames in which they are seen, want three", long)
	}
	if !slices.ContainsFunc(all, func(x *Truth) bool { return x.Clip != "vtest.avi" }) {
		t.Error("nobody of the aisle")
	}
}

func small() *Truth {
	return &Truth{Version: 1, Name: "small", Width: 400, Height: 200, FPS: 10, From: 100, To: 141, Exact: 1, Marks: []Mark{
		{Frame: 100, Sight: Full, Box: &Box{10, 20, 50, 120}, Others: []Other{{Who: "A", Box: Box{100, 20, 140, 120}}, {Who: "B", Box: Box{200, 0, 210, 10}}}},
		{Frame: 110, Sight: Partly, Box: &Box{20, 30, 60, 130}, Others: []Other{{Who: "A", Box: Box{80, 20, 120, 120}, Front: true}}},
		{Frame: 120, Sight: Gone},
		{Frame: 130, Sight: Gone},
		{Frame: 140, Sight: Full, Box: &Box{30, 40, 70, 140}},
	}}
}

func TestBetweenMarks(t *testing.T) {
	x := small()
	if err := x.check(); err != nil {
		t.Fatal(err)
	}
	at := x.At(103)
	if !at.Known || at.Sight != Partly || at.Box != image.Rect(13, 23, 53, 123) {
		t.Errorf("frame 103: %+v", at)
	}
	if len(at.Others) != 1 || at.Others[0] != (Other{"A", Box{94, 20, 134, 120}, true}) {
		t.Errorf("frame 103: others %+v, want A alone, moved and in front", at.Others)
	}
	if at := x.At(115); at.Known || !at.Box.Empty() {
		t.Errorf("frame 115, on the way out: %+v", at)
	}
	if at := x.At(125); !at.Known || at.Sight != Gone {
		t.Errorf("frame 125, gone: %+v", at)
	}
	if at := x.At(140); !at.Known || at.Box != image.Rect(30, 40, 70, 140) {
		t.Errorf("frame 140: %+v", at)
	}
}

func TestTruthIsChecked(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*Truth)
		want  string
	}{
		"hole":         {func(x *Truth) { x.Marks = slices.Delete(x.Marks, 1, 2) }, "more than ten"},
		"box outside":  {func(x *Truth) { x.Marks[1].Box[2] = 401 }, "not in the frame"},
		"no box":       {func(x *Truth) { x.Marks[1].Box = nil }, "a box belongs"},
		"gone, a box":  {func(x *Truth) { x.Marks[2].Box = &Box{1, 1, 2, 2} }, "a box belongs"},
		"other sight":  {func(x *Truth) { x.Marks[2].Sight = "half" }, "visible is"},
		"other twice":  {func(x *Truth) { x.Marks[0].Others[1].Who = "A" }, "comes twice"},
		"not to end":   {func(x *Truth) { x.To++ }, "must begin"},
		"out of order": {func(x *Truth) { x.Marks[1].Frame = 100 }, "too late"},
	} {
		x := small()
		c.spoil(x)
		if err := x.check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := parse([]byte(`{"version":1,"nmae":"x"}`)); err == nil || !strings.Contains(err.Error(), "nmae") {
		t.Errorf("a misspelt key: %v", err)
	}
}
