package main

import (
	"image"
	"math"
	"slices"

	"veilbox/redact/mask"
	"veilbox/redact/shape"
)

// The rules of a frame. Areas are counted on every second pixel of every second
// row, by the block that it lies in.
const (
	// Of the subject's box the core is what surely is body: of the width the
	// middle 60 %, of the height all but 5 % at each end.
	coreWide, coreHigh = 0.6, 0.9
	// The subject is shown where half of its core is, as far as nobody stands
	// before it.
	shownShare = 0.5
	// Where less of the core than this is left by who stands before it, the
	// subject counts as hidden: to veil it is right.
	freeShare = 0.5
	// Somebody else is shown where more than this part of their box is: that
	// beside the subject's own box, or, of one who stands before the subject,
	// the core of theirs.
	otherShare = 0.1
	// The region is on something else where what is shown beyond half a width
	// at the sides of the subject's box, and 15 % of the height above and
	// below, is more than this part of the box.
	besideShare  = 0.5
	besideWide   = 0.5
	besideHigh   = 0.15
	interpolated = 2 // times Exact: by which a box between marks may be wrong
)

// A Frame is what the rules say of one frame.
type Frame struct {
	At      int     // of the footage
	Counts  bool    // the subject can be seen: it ought to be shown
	Shown   bool    // and is
	Share   float64 // of the core that is shown
	Others  []string
	Beside  bool // shown where the subject is not
	Flagged bool
	State   mask.State
	// Off is how far the middle of the region is from that of the subject, in
	// heights of it, and Fit the intersection over union of their rectangles;
	// below 0 where nothing is shown or somebody stands before it.
	Off, Fit float64
}

// leaks reports whether anything but the subject is shown.
func (f Frame) leaks() bool { return f.Beside || len(f.Others) > 0 }

// core returns the part of a box that surely is body.
func core(b image.Rectangle) image.Rectangle {
	dx := int(math.Round(float64(b.Dx()) * (1 - coreWide) / 2))
	dy := int(math.Round(float64(b.Dy()) * (1 - coreHigh) / 2))
	return image.Rect(b.Min.X+dx, b.Min.Y+dy, b.Max.X-dx, b.Max.Y-dy)
}

// grown returns b with dx more at each side and dy above and below.
func grown(b image.Rectangle, dx, dy int) image.Rectangle {
	return image.Rect(b.Min.X-dx, b.Min.Y-dy, b.Max.X+dx, b.Max.Y+dy)
}

// A board is a shape to be asked about pixels.
type board struct {
	grid shape.Grid
	bits *shape.Bitmap
}

func newBoard(g shape.Grid) *board { return &board{g, shape.NewBitmap(g)} }

func (b *board) set(s shape.Shape) {
	b.bits.Clear()
	b.bits.Add(s, true)
}

func (b *board) shown(x, y int) bool {
	return b.bits.Bits[y/b.grid.Block*b.bits.Cols+x/b.grid.Block]
}

// count returns how many points of r lie in no rectangle of without, and how
// many of these are shown.
func (b *board) count(r image.Rectangle, without []image.Rectangle) (all, shown int) {
	r = r.Intersect(image.Rect(0, 0, b.grid.W, b.grid.H))
	for y := r.Min.Y; y < r.Max.Y; y += 2 {
		for x := r.Min.X; x < r.Max.X; x += 2 {
			if slices.ContainsFunc(without, func(w image.Rectangle) bool { return image.Pt(x, y).In(w) }) {
				continue
			}
			all++
			if b.shown(x, y) {
				shown++
			}
		}
	}
	return all, shown
}

func part(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// judge holds what is shown in one frame against the truth of it.
func (b *board) judge(at Moment, exact int, seen mask.Seen) Frame {
	f := Frame{Flagged: seen.State == mask.Shown && seen.Flags != 0, State: seen.State, Off: -1, Fit: -1}
	b.set(seen.Shape)
	whole := image.Rect(0, 0, b.grid.W, b.grid.H)
	var before []image.Rectangle
	clear := true
	for _, o := range at.Others {
		if o.Front {
			before = append(before, o.Box.rect())
		}
		clear = clear && !(o.Front && o.Box.rect().Overlaps(at.Box))
	}
	if at.Known && at.Sight.visible() {
		c := core(at.Box)
		whole, _ := b.count(c, nil)
		free, shown := b.count(c, before)
		f.Counts = part(free, whole) >= freeShare
		f.Share = part(shown, free)
		f.Shown = f.Counts && f.Share >= shownShare
		if f.Counts && clear && at.Sight == Full && !seen.Shape.Empty() {
			r := b.grid.Pixels(seen.Shape.Bounds())
			f.Off, f.Fit = apart(r, at.Box), overlap(r, at.Box)
		}
	}
	if seen.Shape.Empty() {
		return f
	}
	slack := interpolated * exact
	for _, o := range at.Others {
		var all, shown int
		if o.Front {
			all, shown = b.count(core(o.Box.rect()), nil)
		} else {
			all, _ = b.count(o.Box.rect(), nil)
			_, shown = b.count(o.Box.rect(), []image.Rectangle{grown(at.Box, slack, slack)})
		}
		if part(shown, all) > otherShare {
			f.Others = append(f.Others, o.Who)
		}
	}
	switch {
	case at.Known && at.Sight == Gone:
		f.Beside = true
	case !at.Box.Empty():
		dx, dy := int(besideWide*float64(at.Box.Dx())), int(besideHigh*float64(at.Box.Dy()))
		_, out := b.count(whole, []image.Rectangle{grown(at.Box, dx, dy)})
		area, _ := b.count(at.Box, nil)
		f.Beside = part(out, area) > besideShare
	}
	return f
}

// apart returns the distance of the middles of r and of the truth, in heights
// of the truth.
func apart(r, truth image.Rectangle) float64 {
	dx := float64(r.Min.X+r.Max.X-truth.Min.X-truth.Max.X) / 2
	dy := float64(r.Min.Y+r.Max.Y-truth.Min.Y-truth.Max.Y) / 2
	return math.Hypot(dx, dy) / float64(truth.Dy())
}

// overlap returns the intersection of a and b over their union.
func overlap(a, b image.Rectangle) float64 {
	area := func(r image.Rectangle) float64 { return float64(r.Dx()) * float64(r.Dy()) }
	both := area(a.Intersect(b))
	return both / (area(a) + area(b) - both)
}

// judgeAll holds a mask against the truth, whose frames are those of the mask.
// A person who approves sees all subjects of a copy; here there is one.
func judgeAll(t *Truth, m *mask.Mask) []Frame {
	b := newBoard(m.Grid)
	out := make([]Frame, 0, len(m.Frames))
	for i, fr := range m.Frames {
		f := b.judge(t.At(t.From+i), t.Exact, fr.Subjects[0])
		f.At = t.From + i
		out = append(out, f)
	}
	return out
}
