package veil

import (
	"bytes"
	"math/rand/v2"

	"veilbox/redact/shape"
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

// someShape is a few rectangles and single blocks, of which others are taken out.
func someShape(r *rand.Rand, g shape.Grid) shape.Shape {
	b := shape.NewBitmap(g)
	for range r.IntN(6) {
		b.Add(g.Cover(subject.Rect{X: r.Float64()*1.4 - 0.2, Y: r.Float64()*1.4 - 0.2, W: r.Float64() * 0.5, H: r.Float64() * 0.5}), r.IntN(3) > 0)
	}
	for range r.IntN(9) {
		b.Bits[r.IntN(len(b.Bits))] = r.IntN(2) > 0
	}
	return b.Shape(nil)
}

// someSeen is two shapes that share no block.
func someSeen(r *rand.Rand, g shape.Grid) Seen {
	shown := someShape(r, g)
	return Seen{Shown: shown, Painted: shape.Minus(nil, someShape(r, g), shown)}
}

// silhouette is a person: hundreds of small runs.
func silhouette(r *rand.Rand, g shape.Grid) shape.Shape {
	b := shape.NewBitmap(g)
	for row := g.Rows() / 6; row < g.Rows()*5/6; row++ {
		at := g.Cols() / 3
		for range 3 {
			at += 1 + r.IntN(3)
			n := 2 + r.IntN(6)
			for c := at; c < min(g.Cols(), at+n); c++ {
				b.Bits[row*b.Cols+c] = true
			}
			at += n
		}
	}
	return b.Shape(nil)
}

func fillFrame(f *Frame, x byte) *Frame {
	for _, p := range f.planes() {
		fillBytes(p, x)
	}
	return f
}

// in returns the bitmap of s, by which a sample of a plane is looked up.
func in(g shape.Grid, s shape.Shape) func(p, x, y int) bool {
	b := shape.NewBitmap(g)
	b.Add(s, true)
	return func(p, x, y int) bool {
		if p != 0 {
			x, y = 2*x, 2*y
		}
		return b.Bits[y/g.Block*b.Cols+x/g.Block]
	}
}
