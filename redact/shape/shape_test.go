package shape

import (
	"math"
	"math/rand/v2"
	"testing"

	"veilbox/redact/subject"
)

func TestInsideAndCover(t *testing.T) {
	g := Grid{W: 100, H: 50, Block: 8} // 13 by 7, the last cut
	for _, c := range []struct {
		r             subject.Rect
		inside, cover int
	}{
		{subject.Rect{X: 0, Y: 0, W: 1, H: 1}, 91, 91},
		{subject.Rect{X: 0.08, Y: 0.16, W: 0.16, H: 0.32}, 4, 4},
		{subject.Rect{X: 0.09, Y: 0.17, W: 0.16, H: 0.32}, 1, 9},
		{subject.Rect{X: 0.09, Y: 0.17, W: 0.01, H: 0.01}, 0, 1},
		{subject.Rect{X: -1, Y: -1, W: 0.5, H: 0.5}, 0, 0},
		{subject.Rect{X: math.NaN(), Y: 0, W: 1, H: 1}, 0, 91},
	} {
		in, out := g.Inside(c.r), g.Cover(c.r)
		if in.Blocks() != c.inside || out.Blocks() != c.cover {
			t.Errorf("%+v: %d inside and %d covered, want %d and %d", c.r, in.Blocks(), out.Blocks(), c.inside, c.cover)
		}
		if err := in.Check(g); err != nil {
			t.Error(err)
		}
	}
}

// Every operation is held against the same on bitmaps.
func TestSets(t *testing.T) {
	g := Grid{W: 64, H: 32, Block: 4}
	rnd := rand.New(rand.NewPCG(1, 2))
	draw := func() (*Bitmap, Shape) {
		b := NewBitmap(g)
		for range rnd.IntN(6) {
			b.Add(g.Cover(subject.Rect{X: rnd.Float64(), Y: rnd.Float64(), W: rnd.Float64() / 2, H: rnd.Float64() / 2}), rnd.IntN(3) > 0)
		}
		return b, b.Shape(nil)
	}
	for range 2000 {
		ba, a := draw()
		bb, b := draw()
		for name, op := range map[string]struct {
			f  func(dst, a, b Shape) Shape
			in func(a, b bool) bool
		}{
			"union": {Union, func(a, b bool) bool { return a || b }},
			"minus": {Minus, func(a, b bool) bool { return a && !b }},
			"both":  {Intersect, func(a, b bool) bool { return a && b }},
		} {
			want := NewBitmap(g)
			for i := range want.Bits {
				want.Bits[i] = op.in(ba.Bits[i], bb.Bits[i])
			}
			got := op.f(nil, a, b)
			if !got.Equal(want.Shape(nil)) {
				t.Fatalf("%s of %v and %v: %v", name, a, b, got)
			}
			if err := got.Check(g); err != nil {
				t.Fatal(err)
			}
		}
		if Overlap(a, b) != !Intersect(nil, a, b).Empty() {
			t.Fatalf("overlap of %v and %v", a, b)
		}
	}
}

func TestCheck(t *testing.T) {
	g := Grid{W: 64, H: 32, Block: 4}
	for _, s := range []Shape{
		{{8, 0, 1}}, {{0, 1, 1}}, {{0, 0, 17}}, {{1, 0, 1}, {0, 0, 1}}, {{0, 0, 2}, {0, 2, 3}}, {{0, 0, 2}, {0, 1, 3}},
	} {
		if s.Check(g) == nil {
			t.Errorf("%v was taken", s)
		}
	}
	if (Shape{{0, 0, 2}, {0, 3, 16}, {7, 0, 1}}).Check(g) != nil {
		t.Error("a good shape was refused")
	}
	s := Shape{{2, 3, 5}, {3, 1, 4}}
	if b := s.Bounds(); b.Min.X != 1 || b.Max.X != 5 || b.Min.Y != 2 || b.Max.Y != 4 || !s.Has(4, 2) || s.Has(5, 2) || s.Has(4, 3) {
		t.Errorf("%v", b)
	}
}

func TestRects(t *testing.T) {
	g := Grid{W: 64, H: 32, Block: 4}
	s := Shape{{0, 1, 3}, {1, 1, 3}, {1, 5, 6}, {2, 1, 4}, {2, 5, 6}}
	got := s.Rects(nil)
	if len(got) != 3 || got[0].Dy() != 2 || got[1].Dy() != 2 || got[2].Dx() != 3 {
		t.Errorf("%v", got)
	}
	b := NewBitmap(g)
	for _, r := range got {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				b.Bits[y*b.Cols+x] = true
			}
		}
	}
	if !b.Shape(nil).Equal(s) {
		t.Error("the rectangles are not the shape")
	}
}
