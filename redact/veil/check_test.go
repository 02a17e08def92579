package veil

import (
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"veilbox/redact/shape"
)

// slowCheck is Check by its definition, sample by sample.
func slowCheck(f *Frame, e Expect) Report {
	g := e.Grid
	seen := shape.Union(nil, shape.Union(nil, e.Shown, e.Painted), e.Apart)
	paint := in(g, e.Painted)
	within := func(p, x, y, margin int) bool { // of a sample, in luma pixels
		k := 1
		if p != 0 {
			k = 2
		}
		for _, r := range seen {
			px := g.Pixels(image.Rect(int(r.From), int(r.Row), int(r.To), int(r.Row)+1)).Inset(-margin)
			// A cut block reaches as far beyond the frame as a whole one.
			if image.Pt(x*k, y*k).In(px) {
				return true
			}
		}
		return false
	}
	cols, rows := max(1, f.W/e.Cell), max(1, f.H/e.Cell)
	rep := Report{Cells: cols * rows}
	for y := range f.H {
		for x := range f.W {
			if within(0, x, y, ShownMargin) && !within(0, x, y, 0) {
				rep.Skipped++
			}
		}
	}
	for p, pix := range f.planes() {
		pw, ph := planeSize(p, f.W, f.H)
		margin := CellMargin
		if p != 0 {
			margin /= 2
		}
		for r := range rows {
			for c := range cols {
				area := image.Rect(edge(p, c, cols, e.Cell, pw), edge(p, r, rows, e.Cell, ph), edge(p, c+1, cols, e.Cell, pw), edge(p, r+1, rows, e.Cell, ph))
				inner := area.Inset(margin)
				n := max(1, min(4, e.Cell/16))
				all, cut := empty, make([]tally, n*n)
				for y := area.Min.Y; y < area.Max.Y; y++ {
					for x := area.Min.X; x < area.Max.X; x++ {
						kx, ky := 0, 0
						for x >= area.Min.X+(kx+1)*area.Dx()/n {
							kx++
						}
						for y >= area.Min.Y+(ky+1)*area.Dy()/n {
							ky++
						}
						t, v := &cut[ky*n+kx], int(pix[y*pw+x])
						if within(p, x, y, ShownMargin) {
							if !within(p, x, y, RingMargin) {
								t.rn, t.rsum, t.rsq = t.rn+1, t.rsum+v, t.rsq+v*v
								all.rn, all.rsum = all.rn+1, all.rsum+v
							}
							continue
						}
						t.n, t.sum, t.sq = t.n+1, t.sum+v, t.sq+v*v
						all.n, all.sum = all.n+1, all.sum+v
						all.lo, all.hi = min(all.lo, v), max(all.hi, v)
						if image.Pt(x, y).In(inner) {
							all.ilo, all.ihi = min(all.ilo, v), max(all.ihi, v)
						}
					}
				}
				a, b := all.deviation()
				rep.Deviation.take(a, c, r, p)
				rep.Edge.take(b, c, r, p)
				for _, t := range cut {
					rep.Energy.take(about(t.n, t.sum, t.sq, all.mean()), c, r, p)
					rep.Ring.take(about(t.rn, t.rsum, t.rsq, all.mean()), c, r, p)
				}
			}
		}
		block := g.Block
		if p != 0 {
			block /= 2
		}
		for r := range g.Rows() {
			for c := range g.Cols() {
				if x, y := c*block, r*block; !paint(p, x, y) {
					continue
				}
				n, sum, most := 0, 0, 0
				for y := r * block; y < min(ph, r*block+block); y++ {
					for x := c * block; x < min(pw, c*block+block); x++ {
						d := int(pix[y*pw+x]) - int(e.Scene.planes()[p][y*pw+x])
						n, sum, most = n+1, sum+d, max(most, d, -d)
					}
				}
				mean := math.Abs(float64(sum)) / float64(n)
				if p != 0 {
					mean /= 2
				}
				rep.PaintedMean.take(mean, c, r, p)
				rep.PaintedMax.take(float64(most), c, r, p)
			}
		}
	}
	t := e.Tolerance.Filled()
	rep.OK = rep.Deviation.Value <= t.Deviation && rep.Energy.Value <= t.Energy && rep.Ring.Value <= t.Ring &&
		rep.PaintedMean.Value <= t.PaintedMean && rep.PaintedMax.Value <= t.PaintedMax
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

func compare(t *testing.T, c *Checker, f *Frame, e Expect) {
	t.Helper()
	got, err := c.Check(f, e)
	if err != nil {
		t.Fatal(err)
	}
	want := slowCheck(f, e)
	// Of several blocks with the largest difference any may be named.
	got.PaintedMax.Col, got.PaintedMax.Row = want.PaintedMax.Col, want.PaintedMax.Row
	if got != want {
		t.Fatalf("%+v, cells of %d, seen %+v, apart %v:\n got %+v\nwant %+v", e.Grid, e.Cell, e.Seen, e.Apart, got, want)
	}
}

func TestCheckIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	var c Checker
	for i := range 250 {
		g := shape.Grid{W: 2 + 2*r.IntN(80), H: 2 + 2*r.IntN(60), Block: 2 + 2*r.IntN(10)}
		e := Expect{Grid: g, Seen: someSeen(r, g), Scene: spoilt(r, g.W, g.H), Cell: MinCell + 2*r.IntN(24), Tolerance: Lossy}
		if i%4 == 0 {
			e.Apart = shape.Shape{{Row: 0, From: 0, To: 1}}
		}
		f := spoilt(r, g.W, g.H)
		if i%2 == 0 {
			v := build(g, Options{Cell: e.Cell, Levels: 8, Hold: 1, Scene: e.Scene})
			if err := v.Apply(f, e.Seen); err != nil {
				t.Fatal(err)
			}
			for range r.IntN(3) {
				f.Y[r.IntN(len(f.Y))] ^= 0x15
				f.V[r.IntN(len(f.V))] ^= 0x15
			}
		}
		compare(t, &c, f, e)
	}
}

// Every sample of a word and of the margins beside it tells.
func TestCheckFindsEachSample(t *testing.T) {
	var c Checker
	for at := range 64 * 48 {
		f := fillFrame(noise(64, 48, 1), 90)
		f.Y[at] = 250
		compare(t, &c, f, Expect{Grid: shape.For(64, 48), Cell: 32, Tolerance: Lossy})
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(uint64(1), uint16(64), uint16(48), uint8(0), uint8(1))
	f.Add(uint64(2), uint16(63), uint16(47), uint8(9), uint8(4))
	f.Fuzz(func(t *testing.T, seed uint64, w, h uint16, cell, block uint8) {
		r := rand.New(rand.NewPCG(seed, 4))
		g := shape.Grid{W: 2 + int(w)%150&^1, H: 2 + int(h)%150&^1, Block: 2 + int(block)%30&^1}
		scene := spoilt(r, g.W, g.H)
		var c Checker
		compare(t, &c, spoilt(r, g.W, g.H), Expect{Grid: g, Seen: someSeen(r, g), Apart: someShape(r, g), Scene: scene, Cell: MinCell + 2*(int(cell)%20)})
	})
}

func TestCheckFindsWhatShows(t *testing.T) {
	g := shape.For(320, 240)
	r := rand.New(rand.NewPCG(6, 6))
	// Shown from 80 to 160 and 60 to 180, painted from 200 to 320 and 0 to 60.
	box := func(x0, y0, x1, y1 int) (s shape.Shape) {
		for y := y0 / g.Block; y < y1/g.Block; y++ {
			s = append(s, shape.Run{Row: uint16(y), From: uint16(x0 / g.Block), To: uint16(x1 / g.Block)})
		}
		return s
	}
	e := Expect{Grid: g, Seen: Seen{Shown: box(80, 60, 160, 180), Painted: box(200, 0, 320, 60)}, Scene: shop(320, 240, r), Tolerance: Lossy}
	grain := func(f *Frame, x0, y0, x1, y1 int) { // a person, left in
		for y := y0; y < y1; y++ {
			for x := x0; x < x1; x++ {
				f.Y[y*320+x] = byte(60 + 80*((x/5+y/7)%2))
			}
		}
	}
	for _, tc := range []struct {
		name string
		harm func(*Frame)
		ok   bool
	}{
		{"as veiled", func(*Frame) {}, true},
		{"noise of a codec", func(f *Frame) {
			for i := range f.Y {
				f.Y[i] += byte(i % 3)
			}
		}, true},
		{"ringing around what is shown", func(f *Frame) {
			for y := 60; y < 180; y++ {
				f.Y[y*320+78] ^= 0x3f
			}
		}, true},
		{"one luma sample", func(f *Frame) { f.Y[120*320+230] ^= 0x7f }, false},
		{"one chroma sample", func(f *Frame) { f.U[60*160+104] ^= 0x7f }, false},
		{"beside what is shown", func(f *Frame) { grain(f, 160, 60, 176, 180) }, false},
		{"in the ring", func(f *Frame) { grain(f, 160, 60, 168, 180) }, false},
		{"a quarter of a cell", func(f *Frame) { grain(f, 20, 200, 36, 216) }, false},
		{"a quarter of a cell in what is painted", func(f *Frame) { grain(f, 240, 20, 256, 36) }, false},
		{"someone pale in what is painted", func(f *Frame) {
			for y := 20; y < 36; y++ {
				for x := 240; x < 256; x++ {
					f.Y[y*320+x] += 20
				}
			}
		}, false},
		{"unveiled", func(f *Frame) { *f = *noise(320, 240, 9) }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, err := New(g, Options{Scene: e.Scene})
			if err != nil {
				t.Fatal(err)
			}
			e.Cell = v.Cell()
			f := fillFrame(noise(320, 240, 9), 100)
			if err := v.Apply(f, e.Seen); err != nil {
				t.Fatal(err)
			}
			tc.harm(f)
			rep, err := Check(f, e)
			if err != nil || rep.OK != tc.ok {
				t.Errorf("%+v, %v; want OK %v", rep, err, tc.ok)
			}
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	g := shape.For(64, 64)
	one := shape.Shape{{Row: 0, From: 0, To: 1}}
	for _, e := range []Expect{
		{Grid: g, Cell: 15}, {Grid: shape.For(64, 62), Cell: 16}, {Grid: g, Cell: 16, Seen: Seen{Painted: one}},
		{Grid: g, Cell: 16, Seen: Seen{Painted: one}, Scene: noise(64, 62, 1)},
		{Grid: g, Cell: 16, Apart: shape.Shape{{Row: 99, From: 0, To: 1}}},
	} {
		if _, err := Check(noise(64, 64, 1), e); err == nil {
			t.Errorf("%+v was not refused", e)
		}
	}
}

func benchmarkCheck(b *testing.B, scene, codec bool) {
	g := shape.For(1920, 1080)
	r := rand.New(rand.NewPCG(1, 1))
	s := Seen{Shown: silhouette(r, g)}
	o := Options{Scene: noise(1920, 1080, 2)}
	if scene {
		s.Painted = shape.Minus(nil, g.Whole(), s.Shown)
	}
	v, err := New(g, o)
	if err != nil {
		b.Fatal(err)
	}
	f := noise(1920, 1080, 1)
	if err := v.Apply(f, s); err != nil {
		b.Fatal(err)
	}
	for i := 0; codec && i < len(f.Y); i += 1 + r.IntN(200) {
		f.Y[i]++
	}
	var c Checker
	e := Expect{Grid: g, Seen: s, Scene: o.Scene, Cell: v.Cell(), Tolerance: Lossy}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Check(f, e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheck1080p(b *testing.B)      { benchmarkCheck(b, false, false) }
func BenchmarkCheck1080pCodec(b *testing.B) { benchmarkCheck(b, false, true) }
func BenchmarkCheck1080pScene(b *testing.B) { benchmarkCheck(b, true, true) }
