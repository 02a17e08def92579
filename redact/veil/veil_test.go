package veil

import (
	"bytes"
	"errors"
	"image"
	"math/rand/v2"
	"testing"

	"veilbox/redact/shape"
)

// verify holds got, sample by sample, against the definition: what is shown is
// src's, what is painted the scene's, everything else one value a cell.
func verify(t *testing.T, v *Veil, src, got *Frame, s Seen) {
	t.Helper()
	shown, painted := in(v.grid, s.Shown), in(v.grid, s.Painted)
	sp, gp := src.planes(), got.planes()
	for p := range sp {
		pw, ph := planeSize(p, src.W, src.H)
		cell := v.o.Cell
		if p != 0 {
			cell /= 2
		}
		flat := make(map[image.Point]byte)
		for y := range ph {
			for x := range pw {
				i := y*pw + x
				switch {
				case shown(p, x, y):
					if gp[p][i] != sp[p][i] {
						t.Fatalf("plane %d sample %d,%d is shown and was changed", p, x, y)
					}
					continue
				case painted(p, x, y):
					if gp[p][i] != v.o.Scene.planes()[p][i] {
						t.Fatalf("plane %d sample %d,%d is not the scene's", p, x, y)
					}
					continue
				}
				at := image.Pt(min(x/cell, v.cols-1), min(y/cell, v.rows-1))
				want, ok := flat[at]
				if !ok {
					flat[at] = gp[p][i]
				} else if gp[p][i] != want {
					t.Fatalf("plane %d sample %d,%d is %d in a cell of %d", p, x, y, gp[p][i], want)
				}
			}
		}
		for c, val := range flat {
			n := v.levels(p)
			if l := int(val) * n / 256; !v.o.Solid && value(l, n) != val {
				t.Fatalf("plane %d cell %v is %d, which is none of %d levels", p, c, val, n)
			}
		}
	}
}

func TestApply(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for i := range 400 {
		g := shape.Grid{W: 2 + 2*r.IntN(90), H: 2 + 2*r.IntN(70), Block: 2 + 2*r.IntN(10)}
		o := Options{Cell: MinCell + 2*r.IntN(20), Hold: 1 + r.IntN(3), Levels: MinLevels + r.IntN(31), Solid: i%5 == 0, Scene: noise(g.W, g.H, 99)}
		if i%3 == 0 {
			o.Cell = 0
		}
		v, err := New(g, o)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			s, src := someSeen(r, g), noise(g.W, g.H, r.Uint64())
			switch i % 7 {
			case 1:
				s = Seen{}
			case 2:
				s = Seen{Shown: g.Whole()}
			case 3:
				s = Seen{Painted: g.Whole()}
			}
			got := src.clone()
			if err := v.Apply(got, s); err != nil {
				t.Fatal(err)
			}
			verify(t, v, src, got, s)
			rep, err := Check(got, Expect{Grid: g, Seen: s, Scene: o.Scene, Cell: v.Cell()})
			if err != nil || !rep.OK {
				t.Fatalf("Check of an uncompressed veil: %+v, %v", rep, err)
			}
		}
	}
}

// A head of a quarter of the frame's height lies in at most four cells, one of half
// the height spans at most three either way.
func TestDefaultCell(t *testing.T) {
	for _, tc := range []struct{ w, h int }{
		{1920, 1080}, {1280, 720}, {640, 360}, {3840, 2160}, {100, 50}, {768, 576}, {720, 1280}, {2560, 1440},
	} {
		n := DefaultCell(tc.w, tc.h)
		if n%2 != 0 || tc.h >= 192 && n*4 < tc.h {
			t.Errorf("%dx%d: a head of %d px is larger than a cell of %d", tc.w, tc.h, tc.h/4, n)
		}
		g := shape.For(tc.w, tc.h)
		v, err := New(g, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if c, r := v.Cells(); tc.h >= 64 && tc.w > tc.h && (r < 2 || c < 2) {
			t.Errorf("%dx%d is %d by %d cells", tc.w, tc.h, c, r)
		}
	}
}

func TestNoCellIsSmallerThanAskedFor(t *testing.T) {
	for w := 2; w < 300; w += 2 {
		v, err := New(shape.Grid{W: w, H: 16, Block: 2}, Options{Cell: 16})
		if err != nil {
			t.Fatal(err)
		}
		for c := range v.cols {
			size := edge(0, c+1, v.cols, 16, w) - edge(0, c, v.cols, 16, w)
			if size < min(16, w) || size >= 32 {
				t.Fatalf("width %d: cell %d is %d wide", w, c, size)
			}
		}
	}
}

func TestHold(t *testing.T) {
	g := shape.For(64, 64)
	for _, given := range []bool{false, true} {
		v, err := New(g, Options{Hold: 5, Levels: 16})
		if err != nil {
			t.Fatal(err)
		}
		for i, in := range []byte{10, 250, 250, 250, 250, 250, 10} {
			f := fillFrame(noise(64, 64, 0), in)
			if due := v.Due(); due != (i%5 == 0) {
				t.Errorf("frame %d: due %v", i, due)
			}
			if given {
				m := bytes.Repeat([]byte{in}, 16)
				if err := v.SetMeans(m, m, m); err != nil {
					t.Fatal(err)
				}
				f = noise(64, 64, 3)
			}
			if err := v.Apply(f, Seen{}); err != nil {
				t.Fatal(err)
			}
			want := value(0, 16)
			if i >= 5 {
				want = value(15, 16)
			}
			if f.Y[0] != want || f.Y[64*64-1] != want {
				t.Errorf("frame %d: %d, want %d", i, f.Y[0], want)
			}
		}
		if v.SetMeans(make([]byte, 15), nil, nil) == nil {
			t.Error("too few means were taken")
		}
	}
}

// The value of a cell is the same whatever is shown of it: a silhouette that
// moves over it hands out no sliver.
func TestShownDoesNotChangeTheCells(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 8))
	g := shape.For(320, 240)
	for range 20 {
		src := noise(320, 240, r.Uint64())
		a, b := build(g, Options{Cell: 48, Levels: 16, Hold: 1}), build(g, Options{Cell: 48, Levels: 16, Hold: 1})
		fa, fb := src.clone(), src.clone()
		if err := errors.Join(a.Apply(fa, Seen{}), b.Apply(fb, Seen{Shown: someShape(r, g)})); err != nil {
			t.Fatal(err)
		}
		for p := range a.level {
			for i := range a.level[p] {
				if a.level[p][i] != b.level[p][i] {
					t.Fatalf("plane %d cell %d is level %d, and %d where a part is shown", p, i, a.level[p][i], b.level[p][i])
				}
			}
		}
	}
}

func TestQuantise(t *testing.T) {
	for _, tc := range []struct{ mean, last, want int }{
		{0, -1, 0}, {15, -1, 0}, {16, -1, 1}, {255, -1, 15},
		{16, 0, 0}, {23, 0, 0}, {24, 0, 1}, // stays until half a step away
		{8, 1, 1}, {7, 1, 0}, {200, 1, 12},
	} {
		if got := quantise(tc.mean*100, 100, 16, tc.last); got != tc.want {
			t.Errorf("quantise(%d, last %d) = %d, want %d", tc.mean, tc.last, got, tc.want)
		}
	}
	for n := MinLevels; n <= MaxLevels; n++ {
		if c := ChromaLevels(n); value(c/2, c) != 128 {
			t.Errorf("of %d levels of chroma none is without colour", c)
		}
	}
}

func TestSumBytes(t *testing.T) {
	full := bytes.Repeat([]byte{255}, 5000)
	for n := range full {
		if got := sumBytes(full[:n]); got != 255*n {
			t.Fatalf("sum of %d bytes is %d", n, got)
		}
	}
}

func TestRefuses(t *testing.T) {
	good := shape.Grid{W: 64, H: 64, Block: 4}
	for _, tc := range []struct {
		g shape.Grid
		o Options
	}{
		{shape.Grid{W: 0, H: 2, Block: 4}, Options{}}, {shape.Grid{W: 2, H: MaxSide + 2, Block: 4}, Options{}},
		{good, Options{Cell: 15}}, {good, Options{Cell: 8}}, {good, Options{Cell: 17}}, {good, Options{Levels: 1}},
		{good, Options{Levels: 33}}, {good, Options{Hold: -1}}, {good, Options{Scene: noise(62, 64, 1)}},
	} {
		if _, err := New(tc.g, tc.o); err == nil {
			t.Errorf("New(%+v, %+v) was not refused", tc.g, tc.o)
		}
	}
	v, err := New(good, Options{})
	if err != nil {
		t.Fatal(err)
	}
	short := noise(64, 64, 0)
	short.V = short.V[1:]
	for _, f := range []*Frame{short, noise(64, 62, 0), {}} {
		if err := v.Apply(f, Seen{}); !errors.Is(err, ErrFrame) {
			t.Errorf("a bad frame: %v", err)
		}
	}
	if v.Apply(noise(64, 64, 0), Seen{Painted: shape.Shape{{Row: 0, From: 0, To: 1}}}) == nil {
		t.Error("a scene that is not there was painted")
	}
	v.o.Scene = noise(64, 64, 1)
	for _, s := range []Seen{
		{Shown: shape.Shape{{Row: 16, From: 0, To: 1}}},
		{Shown: shape.Shape{{Row: 1, From: 0, To: 17}}},
		{Shown: shape.Shape{{Row: 1, From: 0, To: 1}}, Painted: shape.Shape{{Row: 1, From: 0, To: 1}}},
	} {
		if v.Apply(noise(64, 64, 0), s) == nil {
			t.Errorf("%+v was not refused", s)
		}
	}
}

func TestApplyDoesNotAllocate(t *testing.T) {
	g := shape.For(320, 240)
	v, err := New(g, Options{Hold: 2, Scene: noise(320, 240, 4)})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	f, s := noise(320, 240, 1), Seen{Shown: silhouette(r, g)}
	s.Painted = shape.Minus(nil, g.Whole(), s.Shown)[:40]
	if n := testing.AllocsPerRun(20, func() {
		if err := v.Apply(f, s); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func benchmark(b *testing.B, hold int, scene bool) {
	g := shape.For(1920, 1080)
	o := Options{Hold: hold}
	s := Seen{Shown: silhouette(rand.New(rand.NewPCG(1, 1)), g)}
	if scene {
		o.Scene = noise(1920, 1080, 2)
		s.Painted = shape.Minus(nil, g.Whole(), s.Shown)
	}
	v, err := New(g, o)
	if err != nil {
		b.Fatal(err)
	}
	f := noise(1920, 1080, 1)
	b.SetBytes(1920 * 1080 * 3 / 2)
	b.ReportMetric(float64(len(s.Shown)), "runs")
	for b.Loop() {
		if err := v.Apply(f, s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkApply1080p(b *testing.B)        { benchmark(b, DefaultHold, false) }
func BenchmarkApply1080pMeasure(b *testing.B) { benchmark(b, 1, false) }
func BenchmarkApply1080pScene(b *testing.B)   { benchmark(b, DefaultHold, true) }
