//go:build linux

package work

import (
	"bytes"
	"image"
	"math/rand/v2"
	"testing"

	"veilbox/capture/footage"
	"veilbox/redact/mask"
	"veilbox/redact/shape"
	"veilbox/redact/subject"
)

// A copy of which only a part was decoded is the copy of whole frames: what is
// left in a frame of the ring is never seen.
func TestPartsMakeTheSameCopy(t *testing.T) {
	const w, h, n = 320, 240, 12
	g := shape.For(w, h)
	m := &mask.Mask{Grid: g, Cell: 80, Subjects: 1}
	for i := range n {
		s := mask.Seen{State: mask.Shown, Shape: shape.Union(nil,
			g.Inside(subject.Rect{X: 0.1 + float64(i)/100, Y: 0.2, W: 0.2, H: 0.3}),
			g.Inside(subject.Rect{X: 0.15 + float64(i)/100, Y: 0.2, W: 0.05, H: 0.5}))}
		if i%5 == 4 {
			s = mask.Seen{}
		}
		m.Frames = append(m.Frames, mask.Frame{At: footage.Ticks(i * 3600), Subjects: []mask.Seen{s}})
	}
	px := partOf(m)
	if px.Empty() || px.Min.X < 24 || px.Max.X > 160 || px.Min.Y < 40 || px.Max.Y > 176 {
		t.Fatalf("part %v", px)
	}
	job := jobOf(KindRedact)
	job.Veil.Hold = 4
	wk := &worker{job: job}
	p := &planes{w: 80, h: 60, stride: 2}
	r := rand.New(rand.NewPCG(1, 2))
	frames := make([][]byte, n)
	for i := range frames {
		frames[i] = make([]byte, w*h*3/2)
		for k := range frames[i] {
			frames[i][k] = byte(r.IntN(200))
		}
		p.times = append(p.times, m.Frames[i].At)
		if i%2 == 0 {
			p.pix = append(p.pix, bytes.Repeat([]byte{byte(20 * i)}, 80*60))
		}
	}
	cells := wk.cells(p, m)
	if cells == nil || len(cells.luma) != 3 || len(cells.luma[0]) != 12 || cells.luma[1][11] != 80 {
		t.Fatalf("cells %+v", cells)
	}
	whole, err := wk.brush(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := wk.brush(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	whole.cells, parts.cells = cells, cells
	got := bytes.Repeat([]byte{77}, w*h*3/2)
	for i, f := range frames {
		if err := parts.place(got, cropped(f, w, h, px), px, i); err != nil {
			t.Fatal(err)
		}
		if err := parts.frame(got, i); err != nil {
			t.Fatal(err)
		}
		if err := whole.frame(f, i); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, f) {
			t.Fatalf("frame %d differs", i)
		}
	}
	less := px
	less.Max.X -= 16
	last := n - 1
	for last%5 == 4 {
		last--
	}
	if err := parts.place(got, make([]byte, less.Dx()*less.Dy()*3/2), less, last); err == nil {
		t.Error("a frame that shows more than its part was taken")
	}
	if err := parts.place(got, make([]byte, 10), px, last); err == nil {
		t.Error("a part of another size was taken")
	}
}

func TestPartIsOfMuchLess(t *testing.T) {
	g := shape.For(320, 240)
	of := func(rs ...subject.Rect) *mask.Mask {
		m := &mask.Mask{Grid: g, Cell: 80, Subjects: 1}
		for _, r := range rs {
			m.Frames = append(m.Frames, mask.Frame{Subjects: []mask.Seen{{State: mask.Shown, Shape: g.Inside(r)}}})
		}
		return m
	}
	if px := partOf(of(subject.Rect{W: 0.2, H: 0.2}, subject.Rect{X: 0.8, Y: 0.8, W: 0.2, H: 0.2})); !px.Empty() {
		t.Errorf("of a subject that is everywhere %v", px)
	}
	if px := partOf(&mask.Mask{Grid: g, Subjects: 1, Frames: []mask.Frame{{Subjects: []mask.Seen{{}}}}}); !px.Empty() {
		t.Errorf("of a copy that shows nothing %v", px)
	}
	if px := partOf(of(subject.Rect{X: 0.5, Y: 0.5, W: 0.5, H: 0.5})); px != image.Rect(160, 120, 320, 240) {
		t.Errorf("of a quarter %v", px)
	}
}

// Colours are not in the planes: then each frame is measured itself.
func TestCellsOfColour(t *testing.T) {
	job := jobOf(KindRedact)
	job.Veil.Levels = 6
	m := &mask.Mask{Grid: shape.For(320, 240), Cell: 80, Frames: []mask.Frame{{}}}
	p := &planes{w: 80, h: 60, stride: 1, pix: [][]byte{make([]byte, 4800)}, times: []footage.Ticks{0}}
	if c := (&worker{job: job}).cells(p, m); c != nil {
		t.Errorf("cells %+v of a veil with colours", c)
	}
}
