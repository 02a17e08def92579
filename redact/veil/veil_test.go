package veil

import (
	"bytes"
	"errors"
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"veilbox/redact/subject"
)

// noise is a frame that is white noise all over.
func noise(w, h int, seed uint64) *Frame {
	r := rand.New(rand.NewPCG(seed, 1))
	f := &Frame{W: w, H: h, Y: make([]byte, w*h)}
	cw, ch := planeSize(1, w, h)
	f.U, f.V = make([]byte, cw*ch), make([]byte, cw*ch)
	for _, p := range f.planes() {
		for i := range p {
			p[i] = byte(r.UintN(256))
		}
	}
	return f
}

func (f *Frame) clone() *Frame {
	return &Frame{f.W, f.H, bytes.Clone(f.Y), bytes.Clone(f.U), bytes.Clone(f.V)}
}

// verify checks got, sample by sample, against the slow definition: what lies
// within a rectangle is src's, everything else is one value a cell.
func verify(t *testing.T, v *Veil, src, got *Frame, shown []subject.Rect) {
	t.Helper()
	sp, gp := src.planes(), got.planes()
	for p := range sp {
		pw, ph := planeSize(p, src.W, src.H)
		flat := make(map[image.Point]byte)
		for y := range ph {
			for x := range pw {
				at, span := image.Pt(x, y), image.Rect(x, y, x+1, y+1)
				if p != 0 {
					at, span = at.Mul(2), image.Rect(2*x, 2*y, 2*x+2, 2*y+2)
				}
				// The luma pixels of this sample must all be within one rectangle.
				seen := false
				for _, r := range shown {
					x0, y0 := r.X*float64(src.W), r.Y*float64(src.H)
					x1, y1 := x0+r.W*float64(src.W), y0+r.H*float64(src.H)
					const slack = 1e-4
					seen = seen || float64(span.Min.X) >= x0-slack && float64(span.Max.X) <= x1+slack &&
						float64(span.Min.Y) >= y0-slack && float64(span.Max.Y) <= y1+slack
				}
				i := y*pw + x
				inPixels := false
				for _, r := range shown {
					inPixels = inPixels || at.In(Pixels(src.W, src.H, r))
				}
				if inPixels {
					if !seen {
						t.Fatalf("plane %d sample %d,%d is shown but is not wholly within a rectangle", p, x, y)
					}
					if gp[p][i] != sp[p][i] {
						t.Fatalf("plane %d sample %d,%d is within a rectangle and was changed", p, x, y)
					}
					continue
				}
				cell := image.Pt(min(at.X/v.o.Cell, v.cols-1), min(at.Y/v.o.Cell, v.rows-1))
				want, ok := flat[cell]
				if !ok {
					flat[cell] = gp[p][i]
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
	for _, tc := range []struct {
		name  string
		w, h  int
		o     Options
		shown []subject.Rect
	}{
		{"nothing shown", 320, 240, Options{}, nil},
		{"one", 320, 240, Options{}, []subject.Rect{{X: 0.3, Y: 0.2, W: 0.2, H: 0.5}}},
		{"odd size", 333, 251, Options{}, []subject.Rect{{X: 0.3, Y: 0.2, W: 0.7, H: 0.8}}},
		{"overlapping", 320, 240, Options{}, []subject.Rect{{X: 0.3, Y: 0.2, W: 0.2, H: 0.5}, {X: 0.1, Y: 0.3, W: 0.3, H: 0.2}, {X: 0.2, Y: 0.35, W: 0.1, H: 0.1}}},
		{"over the edge", 320, 240, Options{}, []subject.Rect{{X: -0.1, Y: -0.2, W: 0.2, H: 0.5}, {X: 0.9, Y: 0.9, W: 0.3, H: 0.2}}},
		{"all", 320, 240, Options{}, []subject.Rect{{X: 0, Y: 0, W: 1, H: 1}}},
		{"solid", 320, 240, Options{Solid: true}, []subject.Rect{{X: 0.3, Y: 0.2, W: 0.2, H: 0.5}}},
		{"small", 9, 7, Options{}, []subject.Rect{{X: 0.3, Y: 0.2, W: 0.5, H: 0.5}}},
		{"one pixel", 1, 1, Options{}, nil},
		{"thinner than two pixels", 320, 240, Options{}, []subject.Rect{{X: 0.3, Y: 0.2, W: 1. / 320, H: 0.5}}},
		{"no rectangles", 320, 240, Options{}, []subject.Rect{{X: math.NaN(), Y: 0, W: 1, H: 1}, {X: 0, Y: 0, W: math.NaN(), H: 1}, {X: 0, Y: 0, W: -1, H: 1}, {X: 2, Y: 0, W: 1, H: 1}, {X: math.Inf(-1), Y: 0, W: math.Inf(1), H: 1}}},
		{"more levels", 320, 240, Options{Levels: 32, Cell: 22}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, err := New(tc.w, tc.h, tc.o)
			if err != nil {
				t.Fatal(err)
			}
			for seed := range uint64(3) {
				src := noise(tc.w, tc.h, seed)
				got := src.clone()
				if err := v.Apply(got, tc.shown); err != nil {
					t.Fatal(err)
				}
				verify(t, v, src, got, tc.shown)
				rep, err := Check(got, tc.shown, v.Cell(), Tolerance{})
				if err != nil || !rep.OK {
					t.Errorf("Check of an uncompressed veil: %+v, %v", rep, err)
				}
			}
		})
	}
}

func FuzzApply(f *testing.F) {
	f.Add(uint16(64), uint16(48), 0.1, 0.1, 0.5, 0.5, 0.3, 0.2, 0.9, 0.1)
	f.Add(uint16(63), uint16(47), -0.1, 0.999, 0.5, 0.5, 0.3, 0.2, 1e300, 1e-300)
	f.Fuzz(func(t *testing.T, w, h uint16, a, b, c, d, e, g, i, j float64) {
		fw, fh := 1+int(w)%200, 1+int(h)%200
		v, err := New(fw, fh, Options{Hold: 2})
		if err != nil {
			t.Fatal(err)
		}
		shown := []subject.Rect{{X: a, Y: b, W: c, H: d}, {X: e, Y: g, W: i, H: j}}
		for seed := range uint64(3) {
			src := noise(fw, fh, seed)
			got := src.clone()
			if err := v.Apply(got, shown); err != nil {
				t.Fatal(err)
			}
			verify(t, v, src, got, shown)
		}
	})
}

func TestRandomRects(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 300 {
		w, h := 1+r.IntN(150), 1+r.IntN(150)
		v, err := New(w, h, Options{Hold: 1 + r.IntN(3)})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			var shown []subject.Rect
			for range r.IntN(5) {
				shown = append(shown, subject.Rect{X: r.Float64()*1.4 - 0.2, Y: r.Float64()*1.4 - 0.2, W: r.Float64() * 0.6, H: r.Float64() * 0.6})
			}
			src := noise(w, h, r.Uint64())
			got := src.clone()
			if err := v.Apply(got, shown); err != nil {
				t.Fatal(err)
			}
			verify(t, v, src, got, shown)
		}
	}
}

func TestPixels(t *testing.T) {
	for _, tc := range []struct {
		r    subject.Rect
		want image.Rectangle
	}{
		{subject.Rect{X: 0, Y: 0, W: 1, H: 1}, image.Rect(0, 0, 100, 50)},
		{subject.Rect{X: 0.1, Y: 0.2, W: 0.1, H: 0.2}, image.Rect(10, 10, 20, 20)},
		{subject.Rect{X: 0.11, Y: 0.22, W: 0.1, H: 0.2}, image.Rect(12, 12, 20, 20)},
		{subject.Rect{X: 0.101, Y: 0.2, W: 0.1, H: 0.2}, image.Rect(12, 10, 20, 20)},
		{subject.Rect{X: 0.5, Y: 0.5, W: 0.01, H: 0.2}, image.Rectangle{}},
	} {
		if got := Pixels(100, 50, tc.r); got != tc.want {
			t.Errorf("Pixels(%+v) = %v, want %v", tc.r, got, tc.want)
		}
	}
}

func TestDefaultCell(t *testing.T) {
	for _, tc := range []struct{ w, h, want int }{
		{1920, 1080, 96}, {1280, 720, 64}, {640, 360, 32}, {3840, 2160, 192}, {100, 50, 16}, {768, 576, 48},
	} {
		got := DefaultCell(tc.w, tc.h)
		if got != tc.want {
			t.Errorf("DefaultCell(%d, %d) = %d, want %d", tc.w, tc.h, got, tc.want)
		}
		if tc.h >= 192 && got*4 < tc.h/3 {
			t.Errorf("%dx%d: a head of %d px spans more than 4 cells of %d", tc.w, tc.h, tc.h/3, got)
		}
	}
}

func TestNoCellIsSmallerThanAskedFor(t *testing.T) {
	for w := 1; w < 300; w++ {
		v, err := New(w, 16, Options{Cell: 16})
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
	v, err := New(64, 64, Options{Hold: 5})
	if err != nil {
		t.Fatal(err)
	}
	flat := func(x byte) *Frame {
		f := noise(64, 64, 0)
		for _, p := range f.planes() {
			fillBytes(p, x)
		}
		return f
	}
	for i, in := range []byte{10, 250, 250, 250, 250, 250, 10} {
		f := flat(in)
		if err := v.Apply(f, nil); err != nil {
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
}

func TestQuantise(t *testing.T) {
	for _, tc := range []struct{ mean, last, want int }{
		{0, -1, 0}, {15, -1, 0}, {16, -1, 1}, {255, -1, 15},
		{16, 0, 0}, {19, 0, 0}, {20, 0, 1}, // stays until a quarter of a step away
		{12, 1, 1}, {11, 1, 0}, {200, 1, 12},
	} {
		if got := quantise(tc.mean*100, 100, 16, tc.last); got != tc.want {
			t.Errorf("quantise(%d, last %d) = %d, want %d", tc.mean, tc.last, got, tc.want)
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
	for _, tc := range []struct {
		w, h int
		o    Options
	}{
		{0, 1, Options{}}, {1, MaxSide + 1, Options{}}, {64, 64, Options{Cell: 15}}, {64, 64, Options{Cell: 8}},
		{64, 64, Options{Cell: 17}}, {64, 64, Options{Levels: 1}}, {64, 64, Options{Levels: 33}}, {64, 64, Options{Hold: -1}},
	} {
		if _, err := New(tc.w, tc.h, tc.o); err == nil {
			t.Errorf("New(%d, %d, %+v) was not refused", tc.w, tc.h, tc.o)
		}
	}
	v, err := New(64, 64, Options{})
	if err != nil {
		t.Fatal(err)
	}
	short := noise(64, 64, 0)
	short.V = short.V[1:]
	for _, f := range []*Frame{short, noise(64, 62, 0), {}} {
		if err := v.Apply(f, nil); !errors.Is(err, ErrFrame) {
			t.Errorf("a bad frame: %v", err)
		}
	}
	if err := v.Apply(noise(64, 64, 0), make([]subject.Rect, MaxShown+1)); err == nil {
		t.Error("too many rectangles were not refused")
	}
}

func TestCheckFindsWhatShows(t *testing.T) {
	shown := []subject.Rect{{X: 0.25, Y: 0.25, W: 0.25, H: 0.5}}
	for _, tc := range []struct {
		name string
		harm func(*Frame)
		ok   bool
	}{
		{"as veiled", func(*Frame) {}, true},
		{"codec noise", func(f *Frame) {
			for i := range f.Y {
				f.Y[i] += byte(i % 3)
			}
		}, true},
		{"ringing around what is shown", func(f *Frame) { f.Y[100*320+76] ^= 0x7f }, true},
		{"one luma sample", func(f *Frame) { f.Y[20*320+230] ^= 0x7f }, false},
		{"one chroma sample", func(f *Frame) { f.U[20*160+104] ^= 0x7f }, false},
		{"beside what is shown", func(f *Frame) {
			for y := 60; y < 180; y++ {
				copy(f.Y[y*320+160:y*320+176], noise(320, 1, uint64(y)).Y[:16])
			}
		}, false},
		{"unveiled", func(f *Frame) { *f = *noise(320, 240, 9) }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, err := New(320, 240, Options{})
			if err != nil {
				t.Fatal(err)
			}
			f := noise(320, 240, 9)
			if err := v.Apply(f, shown); err != nil {
				t.Fatal(err)
			}
			tc.harm(f)
			rep, err := Check(f, shown, v.Cell(), Tolerance{Deviation: 4, Energy: 8})
			if err != nil || rep.OK != tc.ok {
				t.Errorf("%+v, %v; want OK %v", rep, err, tc.ok)
			}
			if want := 96*136 - 80*120; rep.Skipped != want {
				t.Errorf("skipped %d px, want %d", rep.Skipped, want)
			}
		})
	}
}

func TestApplyDoesNotAllocate(t *testing.T) {
	v, err := New(320, 240, Options{Hold: 2})
	if err != nil {
		t.Fatal(err)
	}
	f, shown := noise(320, 240, 1), []subject.Rect{{X: 0.3, Y: 0.2, W: 0.2, H: 0.5}, {X: 0.1, Y: 0.3, W: 0.3, H: 0.2}}
	if n := testing.AllocsPerRun(20, func() {
		if err := v.Apply(f, shown); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func benchmark(b *testing.B, hold int) {
	v, err := New(1920, 1080, Options{Hold: hold})
	if err != nil {
		b.Fatal(err)
	}
	f, shown := noise(1920, 1080, 1), []subject.Rect{{X: 0.3, Y: 0.2, W: 0.1, H: 0.5}}
	b.SetBytes(1920 * 1080 * 3 / 2)
	for b.Loop() {
		if err := v.Apply(f, shown); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkApply1080p(b *testing.B)        { benchmark(b, DefaultHold) }
func BenchmarkApply1080pMeasure(b *testing.B) { benchmark(b, 1) }

func BenchmarkCheck1080p(b *testing.B) {
	f, shown := noise(1920, 1080, 1), []subject.Rect{{X: 0.3, Y: 0.2, W: 0.1, H: 0.5}}
	for b.Loop() {
		if _, err := Check(f, shown, 96, Tolerance{}); err != nil {
			b.Fatal(err)
		}
	}
}
