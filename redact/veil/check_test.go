package veil

import (
	"image"
	"math/rand/v2"
	"testing"

	"veilbox/redact/subject"
)

// slowCheck is Check by its definition, sample by sample.
func slowCheck(f *Frame, shown []subject.Rect, cell int, t Tolerance) Report {
	var exact, wide []image.Rectangle
	for _, r := range shown {
		if px := Pixels(f.W, f.H, r); !px.Empty() {
			exact = append(exact, px)
			wide = append(wide, px.Inset(-ShownMargin))
		}
	}
	within := func(x, y int, rects []image.Rectangle) bool {
		for _, r := range rects {
			if image.Pt(x, y).In(r) {
				return true
			}
		}
		return false
	}
	cols, rows := max(1, f.W/cell), max(1, f.H/cell)
	rep := Report{Cells: cols * rows}
	for y := range f.H {
		for x := range f.W {
			if within(x, y, wide) && !within(x, y, exact) {
				rep.Skipped++
			}
		}
	}
	for p, pix := range f.planes() {
		pw, ph := planeSize(p, f.W, f.H)
		margin, rects := CellMargin, wide
		if p != 0 {
			margin, rects = margin/2, nil
			for _, r := range wide {
				rects = append(rects, image.Rect(r.Min.X>>1, r.Min.Y>>1, (r.Max.X+1)>>1, (r.Max.Y+1)>>1))
			}
		}
		for r := range rows {
			for c := range cols {
				area := image.Rect(edge(p, c, cols, cell, pw), edge(p, r, rows, cell, ph), edge(p, c+1, cols, cell, pw), edge(p, r+1, rows, cell, ph))
				inner := area.Inset(margin)
				n, sum, sq := 0, 0, 0
				lo, hi, ilo, ihi := 255, 0, 255, 0
				for y := area.Min.Y; y < area.Max.Y; y++ {
					for x := area.Min.X; x < area.Max.X; x++ {
						if within(x, y, rects) {
							continue
						}
						v := int(pix[y*pw+x])
						n, sum, sq = n+1, sum+v, sq+v*v
						lo, hi = min(lo, v), max(hi, v)
						if image.Pt(x, y).In(inner) {
							ilo, ihi = min(ilo, v), max(ihi, v)
						}
					}
				}
				if n == 0 {
					continue
				}
				mean := float64(sum) / float64(n)
				if ihi >= ilo {
					rep.Deviation.take(max(mean-float64(ilo), float64(ihi)-mean), c, r, p)
				}
				rep.Edge.take(max(mean-float64(lo), float64(hi)-mean), c, r, p)
				rep.Energy.take(max(0, float64(sq)/float64(n)-mean*mean), c, r, p)
			}
		}
	}
	rep.OK = rep.Deviation.Value <= t.Deviation && rep.Energy.Value <= t.Energy
	return rep
}

// spoilt is a frame that is flat but for some samples: few enough for words of
// one value, many enough to break them at every place.
func spoilt(r *rand.Rand, w, h int) *Frame {
	f := noise(w, h, r.Uint64())
	every := 1 + r.IntN(200)
	for _, p := range f.planes() {
		level := byte(r.UintN(256))
		for i := range p {
			if i%(16+every) == 0 {
				level = byte(r.UintN(256))
			}
			if r.IntN(every) != 0 {
				p[i] = level
			}
		}
	}
	return f
}

func compare(t *testing.T, f *Frame, shown []subject.Rect, cell int) {
	t.Helper()
	got, err := Check(f, shown, cell, Lossy)
	if err != nil {
		t.Fatal(err)
	}
	if want := slowCheck(f, shown, cell, Lossy); got != want {
		t.Fatalf("%dx%d, cells of %d, shown %+v:\n got %+v\nwant %+v", f.W, f.H, cell, shown, got, want)
	}
}

func TestCheckIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	for i := range 400 {
		w, h := 1+r.IntN(140), 1+r.IntN(100)
		var shown []subject.Rect
		for range r.IntN(4) {
			shown = append(shown, subject.Rect{X: r.Float64()*1.4 - 0.2, Y: r.Float64()*1.4 - 0.2, W: r.Float64() * 0.4, H: r.Float64() * 0.4})
		}
		f := spoilt(r, w, h)
		cell := MinCell + 2*r.IntN(12)
		if i%2 == 0 {
			v, err := New(w, h, Options{Cell: cell})
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Apply(f, shown); err != nil {
				t.Fatal(err)
			}
			for range r.IntN(3) {
				f.Y[r.IntN(len(f.Y))] ^= 0x15
				f.V[r.IntN(len(f.V))] ^= 0x15
			}
		}
		compare(t, f, shown, cell)
	}
}

// Every sample of a word and of the margins beside it tells.
func TestCheckFindsEachSample(t *testing.T) {
	for at := range 64 * 48 {
		f := noise(64, 48, 1)
		for _, p := range f.planes() {
			fillBytes(p, 90)
		}
		f.Y[at] = 250
		compare(t, f, nil, 32)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(uint64(1), uint16(64), uint16(48), uint8(0), 0.1, 0.1, 0.5, 0.5)
	f.Add(uint64(2), uint16(63), uint16(47), uint8(9), -0.1, 0.999, 0.5, 1e300)
	f.Fuzz(func(t *testing.T, seed uint64, w, h uint16, cell uint8, a, b, c, d float64) {
		r := rand.New(rand.NewPCG(seed, 4))
		compare(t, spoilt(r, 1+int(w)%150, 1+int(h)%150), []subject.Rect{{X: a, Y: b, W: c, H: d}}, MinCell+2*(int(cell)%20))
	})
}

// What a proof meets: a veil that a codec has passed on, flat but for few
// samples.
func BenchmarkCheckFlat1080p(b *testing.B) {
	v, err := New(1920, 1080, Options{})
	if err != nil {
		b.Fatal(err)
	}
	f, shown := noise(1920, 1080, 1), []subject.Rect{{X: 0.3, Y: 0.2, W: 0.1, H: 0.5}}
	if err := v.Apply(f, shown); err != nil {
		b.Fatal(err)
	}
	for i := 0; i < len(f.Y); i += 3001 {
		f.Y[i]++
	}
	for b.Loop() {
		if _, err := Check(f, shown, v.Cell(), Lossy); err != nil {
			b.Fatal(err)
		}
	}
}
