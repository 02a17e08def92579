package proof

import (
	"bytes"
	"fmt"
	"image"
	"math/rand/v2"
	"slices"
	"testing"

	"veilbox/redact/mask"
	"veilbox/redact/shape"
	"veilbox/redact/sheet"
	"veilbox/redact/subject"
	"veilbox/redact/veil"
)

// A snap is a crop of one frame of a clip, as a still.
type snap struct {
	b     *made
	mask  *mask.Mask
	frame []byte // veiled
}

// snap crops frame n to px, which is of whole blocks, and veils what is left.
func (b *made) snap(n int, px image.Rectangle, cell int) *snap {
	b.t.Helper()
	o := make([]byte, frameSize)
	b.original(n, o)
	w, h := px.Dx(), px.Dy()
	s := &snap{b: b, frame: make([]byte, 0, w*h*3/2)}
	at := 0
	for p := range 3 {
		r, stride := px, width
		if p > 0 {
			r, stride = image.Rect(px.Min.X/2, px.Min.Y/2, px.Max.X/2, px.Max.Y/2), width/2
		}
		for y := r.Min.Y; y < r.Max.Y; y++ {
			s.frame = append(s.frame, o[at+y*stride+r.Min.X:at+y*stride+r.Max.X]...)
		}
		at = width * height * (4 + p) / 4
	}
	g := shape.Grid{W: w, H: h, Block: 4}
	who := b.walker(n)
	who = subject.Rect{X: (who.X*width - float64(px.Min.X)) / float64(w), Y: (who.Y*height - float64(px.Min.Y)) / float64(h), W: who.W * width / float64(w), H: who.H * height / float64(h)}
	seen := mask.Seen{State: mask.Shown, Confidence: 90, Flags: mask.Cut, Shape: g.Inside(who)}
	s.mask = &mask.Mask{Grid: g, Cell: cell, Subjects: 1, Still: true, Frames: []mask.Frame{{Subjects: []mask.Seen{seen}}}}
	return s
}

func (s *snap) veil() *snap {
	s.b.t.Helper()
	v, err := veil.New(s.mask.Grid, veil.Options{Cell: s.mask.Cell})
	if err != nil {
		s.b.t.Fatal(err)
	}
	f := frameOf(s.frame, s.mask.Grid.W, s.mask.Grid.H)
	if err := v.Apply(&f, veil.Seen{Shown: s.mask.Shown(nil, 0)}); err != nil {
		s.b.t.Fatal(err)
	}
	return s
}

func (s *snap) file(quality int) []byte {
	s.b.t.Helper()
	jpg, err := sheet.Encode(s.frame, s.mask.Grid.W, s.mask.Grid.H, quality)
	if err != nil {
		s.b.t.Fatal(err)
	}
	return jpg
}

func TestHonestStillsPass(t *testing.T) {
	b := makeClip(t)
	for _, px := range []image.Rectangle{image.Rect(0, 0, width, height), image.Rect(36, 40, 236, 220), image.Rect(60, 76, 92, 192), image.Rect(28, 12, 310, 234)} {
		for _, cell := range []int{16, 18, 22, 30, 32, 46} {
			t.Run(fmt.Sprint(px, cell), func(t *testing.T) {
				s := b.snap(5, px, cell).veil()
				p, sh := b.judge(s.file(sheet.StillQuality), s.mask)
				f := p.Figures
				t.Logf("deviation %.1f, energy %.1f, edge %.1f, ring %.1f", f.Deviation.Value, f.Energy.Value, f.Edge.Value, f.Ring.Value)
				if !p.Pass || p.Media != Picture {
					t.Fatalf("%q", p.Reasons)
				}
				if err := sh.Check(); err != nil {
					t.Error(err)
				}
				if len(sh.Pictures) != 1 || sh.Pictures[0].Kind != sheet.Still || sh.Pictures[0].Flags != mask.Cut || f.Frames != 1 || f.Duration != 0 || f.Flagged != 1 {
					t.Errorf("%d pictures, %+v", len(sh.Pictures), f)
				}
			})
		}
	}
}

// A subject of noise is the worst that a codec of blocks can have beside a cell.
func TestNoisyStillPasses(t *testing.T) {
	b := makeClip(t)
	r := rand.New(rand.NewPCG(3, 4))
	for _, cell := range []int{16, 18, 26, 32} {
		const w, h = 240, 200
		s := b.snap(5, image.Rect(4, 2, 4+w, 2+h), cell)
		px := s.mask.Grid.Pixels(s.mask.Shown(nil, 0).Bounds())
		for y := px.Min.Y; y < px.Max.Y; y++ {
			for x := px.Min.X; x < px.Max.X; x++ {
				s.frame[y*w+x] = byte(r.IntN(256))
				s.frame[w*h+y/2*w/2+x/2] = byte(r.IntN(256))
				s.frame[w*h*5/4+y/2*w/2+x/2] = byte(r.IntN(256))
			}
		}
		if p, _ := b.judge(s.veil().file(sheet.StillQuality), s.mask); !p.Pass {
			t.Errorf("cells of %d: %q", cell, p.Reasons)
		}
	}
}

func TestTamperedStillsFail(t *testing.T) {
	b := makeClip(t)
	px := image.Rect(36, 40, 236, 220)
	s := b.snap(5, px, 32).veil()
	file := s.file(sheet.StillQuality)
	segment := func(kind byte, body string) []byte {
		n := len(body) + 2
		return append([]byte{0xff, kind, byte(n >> 8), byte(n)}, body...)
	}
	behind := func(seg []byte) func() []byte {
		return func() []byte { return slices.Concat(file[:2], seg, file[2:]) }
	}
	none := *s.mask
	none.Frames = []mask.Frame{{Subjects: []mask.Seen{{}}}}
	small := *s.mask
	small.Grid.W -= 4
	small.Frames = none.Frames
	b.run(t, []tampering{
		{"EXIF", behind(segment(0xe1, "Exif\x00\x00MM\x00*")), s.mask, "segment of type 0xe1"},
		{"JFIF", behind(segment(0xe0, "JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x00\x00")), s.mask, "segment of type 0xe0"},
		{"a comment", behind(segment(0xfe, "hidden")), s.mask, "segment of type 0xfe"},
		{"bytes appended", func() []byte { return append(slices.Clone(file), "hidden"...) }, s.mask, "left behind"},
		{"a second picture", func() []byte { return append(slices.Clone(file), file...) }, s.mask, "left behind"},
		{"bytes in front of the end", func() []byte { return slices.Concat(file[:len(file)-2], []byte("hidden"), file[len(file)-2:]) }, s.mask, "left behind"},
		{"a table more", behind(segment(0xdb, "\x02"+string(bytes.Repeat([]byte{9}, 64)))), s.mask, "nothing uses"},
		{"cut short", func() []byte { return file[:len(file)-20] }, s.mask, "not as we write it"},
		{"an MP4", func() []byte { return b.code(b.mask, spoiler{}).file(t) }, s.mask, "does not begin"},
		{"a still for a clip", func() []byte { return file }, nil, "the box at byte 0"},
		{"another quality", func() []byte { return s.file(80) }, s.mask, "tables"},
		{"crop shifted", func() []byte { return b.snap(5, px.Add(image.Pt(20, 8)), 32).veil().file(sheet.StillQuality) }, s.mask, "is not veiled"},
		{"another frame", func() []byte { return b.snap(15, px, 32).veil().file(sheet.StillQuality) }, s.mask, "is not veiled"},
		{"not veiled", func() []byte { return b.snap(5, px, 32).file(sheet.StillQuality) }, s.mask, "is not veiled"},
		{"shown where it was unsure", func() []byte { return file }, &none, "is not veiled"},
		{"another size", func() []byte { return file }, &small, "its mask"},
	})
}
