package scene

import (
	"bytes"
	"errors"
	"image"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"veilbox/capture/footage"
	"veilbox/redact/shape"
	"veilbox/redact/subject"
	"veilbox/redact/veil"
)

const w, h = 320, 240

// A room is a shop without people: shelves, a floor, a poster with a face.
func room() *veil.Frame {
	r := rand.New(rand.NewPCG(8, 8))
	f := grey(shape.For(w, h))
	box(&f, image.Rect(0, 140, w, h), 96, 124, 132) // the floor
	for range 60 {
		x, y := 2*r.IntN(w/2-16), 2*r.IntN(50)
		box(&f, image.Rect(x, y, x+8+2*r.IntN(10), y+8+2*r.IntN(10)), byte(50+r.IntN(150)), byte(110+r.IntN(36)), byte(110+r.IntN(36)))
	}
	box(&f, image.Rect(260, 20, 300, 80), 210, 120, 128)
	box(&f, image.Rect(270, 30, 290, 60), 160, 112, 150)
	box(&f, image.Rect(276, 38, 280, 42), 40, 128, 128)
	return &f
}

func box(f *veil.Frame, r image.Rectangle, y, u, v byte) {
	fill := func(pix []byte, stride, k int, c byte) {
		q := r.Intersect(image.Rect(0, 0, f.W, f.H))
		for yy := q.Min.Y / k; yy < q.Max.Y/k; yy++ {
			line := pix[yy*stride+q.Min.X/k : yy*stride+q.Max.X/k]
			for i := range line {
				line[i] = c
			}
		}
	}
	fill(f.Y, f.W, 1, y)
	fill(f.U, f.W/2, 2, u)
	fill(f.V, f.W/2, 2, v)
}

func clone(f *veil.Frame) *veil.Frame {
	return &veil.Frame{W: f.W, H: f.H, Y: bytes.Clone(f.Y), U: bytes.Clone(f.U), V: bytes.Clone(f.V)}
}

// person is where somebody is: head and body, in clothes of one colour.
func person(f *veil.Frame, x, y int, coat byte) image.Rectangle {
	box(f, image.Rect(x, y+24, x+40, y+100), coat, 118, 136)
	box(f, image.Rect(x+12, y, x+28, y+24), 170, 112, 152)
	box(f, image.Rect(x+12, y, x+28, y+6), 40, 124, 132)
	return image.Rect(x, y, x+40, y+100)
}

// seen is what the camera makes of f: noise, and a light.
func seen(f *veil.Frame, gain, add float64, seed int) *veil.Frame {
	r := rand.New(rand.NewPCG(uint64(seed), 3))
	out := clone(f)
	for i, v := range out.Y {
		out.Y[i] = byte(math.Max(0, math.Min(255, gain*float64(v)+add+2*r.NormFloat64())))
	}
	for _, p := range [2][]byte{out.U, out.V} {
		for i, v := range p {
			p[i] = byte(math.Max(0, math.Min(255, float64(v)+r.NormFloat64())))
		}
	}
	return out
}

const (
	samples = 72
	every   = 4 * time.Minute
)

func learn(t *testing.T, n int, every time.Duration, frame func(i int) *veil.Frame) *Scene {
	t.Helper()
	l := NewLearner(shape.For(w, h))
	for _, take := range []func(*veil.Frame, footage.Ticks) error{l.Add, l.Verify} {
		for i := range n {
			if err := take(frame(i), footage.TicksIn(time.Duration(i)*every)); err != nil {
				t.Fatal(err)
			}
		}
	}
	s, err := l.Scene()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Still.Check(s.Grid); err != nil {
		t.Fatal(err)
	}
	return s
}

// share returns how much of a rectangle is in s.
func share(s *Scene, in shape.Shape, r image.Rectangle) float64 {
	b, all := s.Grid.Block, 0
	m := shape.NewBitmap(s.Grid)
	m.Add(in, true)
	n := 0
	for y := r.Min.Y / b; y < r.Max.Y/b; y++ {
		for x := r.Min.X / b; x < r.Max.X/b; x++ {
			all++
			if m.Bits[y*m.Cols+x] {
				n++
			}
		}
	}
	return float64(n) / float64(all)
}

// In each case somebody or something is at spot; it is proven, or not, and all
// around is.
func TestWhatIsProven(t *testing.T) {
	empty := room()
	spot := image.Rect(140, 114, 180, 188) // where a coat is
	for _, tc := range []struct {
		name   string
		sample func(i int) *veil.Frame
		proven bool
	}{
		{"nobody, a poster", func(i int) *veil.Frame { return seen(empty, 1, 0, i) }, true},
		{"somebody who stands still for a third of the hours", func(i int) *veil.Frame {
			f := clone(empty)
			if i >= samples/3 && i < 2*samples/3 {
				person(f, 140, 90, 60)
			}
			return seen(f, 1, 0, i)
		}, false},
		{"somebody who stands still for all but a few samples", func(i int) *veil.Frame {
			f := clone(empty)
			if i%6 != 0 {
				person(f, 140, 90, 60)
			}
			return seen(f, 1, 0, i)
		}, false},
		{"a cashier who shifts a little", func(i int) *veil.Frame {
			f, r := clone(empty), rand.New(rand.NewPCG(uint64(i), 9))
			person(f, 140+2*r.IntN(4)-4, 90+2*r.IntN(2), 60)
			return seen(f, 1, 0, i)
		}, false},
		{"a trolley that is parked there for 80 of a hundred", func(i int) *veil.Frame {
			f := clone(empty)
			if i%5 != 0 {
				box(f, spot, 180, 128, 128)
			}
			return seen(f, 1, 0, i)
		}, false},
		{"people who pass", func(i int) *veil.Frame {
			f := clone(empty)
			person(f, (i*52)%(w-40), 90, byte(40+i))
			return seen(f, 1, 0, i)
		}, false},
		{"lamps that go down", func(i int) *veil.Frame {
			if i%3 == 2 {
				return seen(empty, 0.7, 4, i)
			}
			return seen(empty, 1, 0, i)
		}, true},
		{"lamps that go up after the first samples", func(i int) *veil.Frame {
			if i < 20 {
				return seen(empty, 0.6, 0, i)
			}
			return seen(empty, 1, 0, i)
		}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := learn(t, samples, every, tc.sample)
			at, poster := share(s, s.Still, spot), share(s, s.Still, image.Rect(260, 20, 300, 80))
			t.Logf("%.0f %% of the spot, %.0f %% of the poster, %d of %d blocks, %q", 100*at, 100*poster, s.Still.Blocks(), s.Grid.Cols()*s.Grid.Rows(), s.Why)
			if tc.proven && at < 0.95 || !tc.proven && at > 0 && tc.name != "people who pass" {
				t.Errorf("%.0f %% of the spot is proven", 100*at)
			}
			if poster < 0.95 {
				t.Errorf("%.0f %% of the poster is proven", 100*poster)
			}
			// What is proven is the room, in the light of most samples, and the
			// rest is grey.
			m := shape.NewBitmap(s.Grid)
			m.Add(s.Still, true)
			for i, v := range s.Picture.Y {
				x, y := i%w, i/w
				if !m.Bits[y/s.Grid.Block*m.Cols+x/s.Grid.Block] {
					if v != 128 {
						t.Fatalf("%d,%d is not proven and in the picture", x, y)
					}
				} else if d := int(v) - int(empty.Y[i]); d > 5 || d < -5 {
					t.Fatalf("%d,%d is %d in the picture and %d in the room", x, y, v, empty.Y[i])
				}
			}
		})
	}
}

func TestWhatProvesNothing(t *testing.T) {
	empty := room()
	still := func(i int) *veil.Frame { return seen(empty, 1, 0, i%4) }
	for _, tc := range []struct {
		name  string
		n     int
		every time.Duration
		frame func(i int) *veil.Frame
		why   Why
	}{
		{"enough", MinSamples, 3 * time.Minute, still, ""},
		{"too few", MinSamples - 1, 3 * time.Minute, still, TooFew},
		{"too short", 2 * MinSamples, 30 * time.Second, still, TooShort},
		{"noise", MinSamples, 3 * time.Minute, func(i int) *veil.Frame {
			f, r := clone(empty), rand.New(rand.NewPCG(uint64(i), 1))
			for x := 0; x < w; x += 8 {
				for y := 0; y < h; y += 8 {
					box(f, image.Rect(x, y, x+8, y+8), byte(r.IntN(256)), 128, 128)
				}
			}
			return f
		}, Unsteady},
	} {
		if s := learn(t, tc.n, tc.every, tc.frame); s.Why != tc.why || s.Still.Empty() != (tc.why != "") {
			t.Errorf("%s: %q with %d blocks", tc.name, s.Why, s.Still.Blocks())
		}
	}
	// A hole of more than half of the span.
	l := NewLearner(shape.For(w, h))
	for _, take := range []func(*veil.Frame, footage.Ticks) error{l.Add, l.Verify} {
		for i := range 80 {
			at := time.Duration(i) * 3 * time.Minute
			if i >= 40 {
				at += 6 * time.Hour
			}
			if err := take(still(i), footage.TicksIn(at)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if s, err := l.Scene(); err != nil || s.Why != Hole || !s.Still.Empty() {
		t.Errorf("a hole: %+v, %v", s.Why, err)
	}
}

func TestPassesMustAgree(t *testing.T) {
	f := room()
	l := NewLearner(shape.For(w, h))
	if _, err := l.Scene(); err == nil {
		t.Error("a scene of nothing")
	}
	for i := range 3 {
		if err := l.Add(f, footage.Ticks(i)); err != nil {
			t.Fatal(err)
		}
	}
	if l.Add(f, 2) == nil {
		t.Error("a time came twice")
	}
	if _, err := l.Scene(); !errors.Is(err, errPasses) {
		t.Errorf("without a second pass: %v", err)
	}
	for i := range 3 {
		if err := l.Verify(f, footage.Ticks(i+5)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Scene(); !errors.Is(err, errPasses) {
		t.Errorf("with other samples: %v", err)
	}
	if err := l.Verify(f, 9); !errors.Is(err, errPasses) {
		t.Errorf("one too many: %v", err)
	}
	if l.Add(&veil.Frame{W: w, H: h}, 99) == nil || NewLearner(shape.Grid{W: w, H: h, Block: 6}).Add(f, 0) == nil {
		t.Error("a frame without planes, or blocks of 6, were taken")
	}
}

func TestPainted(t *testing.T) {
	empty := room()
	s := learn(t, samples, every, func(i int) *veil.Frame { return seen(empty, 1, 0, i) })
	g := s.Grid
	all := image.Rect(0, 0, w, h)
	count := func(f *veil.Frame, shown, veiled shape.Shape, r image.Rectangle) float64 {
		return share(s, s.Painted(nil, f, shown, veiled), r)
	}
	if n := count(seen(empty, 1, 0, 900), nil, nil, all); n < 0.98 {
		t.Errorf("%.2f of an empty room is painted", n)
	}
	if n := count(seen(empty, 0.75, 10, 901), nil, nil, all); n < 0.98 {
		t.Errorf("%.2f of a darker room is painted", n)
	}
	// Somebody comes, and is in cells with all of the rim, for a while after too.
	f := clone(empty)
	who := person(f, 100, 100, 60)
	coat := image.Rect(who.Min.X, who.Min.Y+24, who.Max.X, who.Max.Y)
	if n := count(seen(f, 1, 0, 902), nil, nil, coat.Inset(-6)); n > 0 {
		t.Errorf("%.2f of somebody is painted over", n)
	}
	if n := count(seen(f, 1, 0, 903), nil, nil, image.Rect(200, 0, w, h)); n < 0.98 {
		t.Errorf("%.2f of the room beside is painted", n)
	}
	for i := range Calm {
		if n := count(seen(empty, 1, 0, 910+i), nil, nil, coat); i < Calm-1 && n > 0.2 || i == Calm-1 && n < 0.9 {
			t.Errorf("%.2f is painted %d frames after", n, i+1)
		}
	}
	// Around what is shown is a gap, and what is always veiled stays so.
	shown := g.Cover(rect(100, 100, 140, 200))
	veiled := g.Cover(rect(200, 40, 240, 80))
	p := s.Painted(nil, seen(empty, 1, 0, 950), shown, veiled)
	if n := share(s, p, image.Rect(100-gap, 100-gap, 140+gap, 200+gap)); n > 0 {
		t.Errorf("%.2f around what is shown is painted", n)
	}
	if shape.Overlap(p, veiled) || shape.Overlap(p, shown) || share(s, p, image.Rect(0, 0, 60, 200)) < 0.98 {
		t.Error("the wrong blocks are painted")
	}
	if !s.Painted(nil, &veil.Frame{W: w, H: h}, nil, nil).Empty() {
		t.Error("a frame without planes is painted")
	}
	if n := testing.AllocsPerRun(10, func() { p = s.Painted(p[:0], empty, shown, veiled) }); n > 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func rect(x0, y0, x1, y1 float64) (r subject.Rect) {
	return subject.Rect{X: x0 / w, Y: y0 / h, W: (x1 - x0) / w, H: (y1 - y0) / h}
}

func TestHash(t *testing.T) {
	a, b := room(), room()
	if Hash(a) != Hash(b) || Hash(a).IsZero() {
		t.Error("one picture has two names")
	}
	b.V[3]++
	if Hash(a) == Hash(b) {
		t.Error("two pictures have one name")
	}
}

func TestPatches(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		w, h := 2+2*r.IntN(40), 2+2*r.IntN(30)
		f := grey(shape.Grid{W: w, H: h})
		for _, p := range planes(&f) {
			for i := range p {
				p[i] = byte(r.IntN(256))
			}
		}
		p := newPatches(w, h)
		p.take(&f)
		for k, pix := range planes(&f) {
			pw, ph := w, h
			if k > 0 {
				pw, ph = w/2, h/2
			}
			for i, got := range p.mean[k] {
				cols := p.cols[min(k, 1)]
				sum, n := 0, 0
				for y := i / cols * 4; y < min(ph, i/cols*4+4); y++ {
					for x := i % cols * 4; x < min(pw, i%cols*4+4); x++ {
						sum, n = sum+int(pix[y*pw+x]), n+1
					}
				}
				if int(got) != sum*16/n {
					t.Fatalf("%dx%d plane %d patch %d is %d, want %d", w, h, k, i, got, sum*16/n)
				}
			}
		}
	}
}

func BenchmarkPainted1080p(b *testing.B) {
	g := shape.For(1920, 1080)
	s := &Scene{Grid: g, Picture: grey(g), Still: g.Whole()}
	r := rand.New(rand.NewPCG(1, 1))
	for i := range s.Picture.Y {
		s.Picture.Y[i] = byte(100 + r.IntN(50))
	}
	f := clone(&s.Picture)
	box(f, image.Rect(800, 200, 1000, 900), 30, 128, 128)
	var p shape.Shape
	b.ReportAllocs()
	for b.Loop() {
		p = s.Painted(p[:0], f, nil, nil)
	}
}
