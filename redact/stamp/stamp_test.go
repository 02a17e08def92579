package stamp

import (
	"bytes"
	"image"
	"math"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"veilbox/capture/footage"
	"veilbox/redact/mask"
	"veilbox/redact/shape"
	"veilbox/redact/veil"
)

var start = time.Date(2026, 11, 22, 13, 3, 5, 400e6, time.UTC)

func blank(w, h int, v byte) *veil.Frame {
	b := bytes.Repeat([]byte{v}, w*h*3/2)
	return &veil.Frame{W: w, H: h, Y: b[:w*h], U: b[w*h : w*h*5/4], V: b[w*h*5/4:]}
}

func stamper(t *testing.T, w, h int, place string) *Stamper {
	t.Helper()
	s, err := New(shape.For(w, h), mask.Stamp{Start: start, Place: place})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestText(t *testing.T) {
	s := stamper(t, 640, 360, "Netto Ærø")
	for _, tc := range []struct {
		start time.Time
		at    footage.Ticks
		want  string
	}{
		{start, 0, "Netto Ærø  22-11-2026 14:03:05"},
		{start, 53999, "Netto Ærø  22-11-2026 14:03:05"}, // 0.599 s: not yet
		{start, 54000, "Netto Ærø  22-11-2026 14:03:06"},
		{start, 90000 * 3600 * 10, "Netto Ærø  23-11-2026 00:03:05"},
		{time.Date(2026, 3, 29, 0, 59, 59, 0, time.UTC), 0, "Netto Ærø  29-03-2026 01:59:59"},
		{time.Date(2026, 3, 29, 0, 59, 59, 0, time.UTC), 90000, "Netto Ærø  29-03-2026 03:00:00"}, // summer
		{time.Date(2026, 10, 25, 0, 59, 59, 0, time.UTC), 90000, "Netto Ærø  25-10-2026 02:00:00"},
	} {
		s.start = tc.start.In(s.start.Location())
		if got := s.Text(tc.at); got != tc.want {
			t.Errorf("%v + %d: %q, want %q", tc.start, tc.at, got, tc.want)
		}
	}
}

// What is drawn stays within the area, covers all of it, and is found again.
func TestDraw(t *testing.T) {
	for _, size := range [][2]int{{640, 360}, {176, 144}, {768, 576}, {1280, 720}, {1920, 1080}, {3840, 2160}, {1080, 1920}} {
		w, h := size[0], size[1]
		for _, place := range []string{"", "Netto Ærø", strings.Repeat("Å", 60)} {
			s := stamper(t, w, h, place)
			g := shape.For(w, h)
			if err := s.Area().Check(g); err != nil || s.Area().Empty() {
				t.Fatalf("%v: %v, %v", size, s.Area(), err)
			}
			px := g.Pixels(s.Area().Bounds())
			if px.Min.X != 0 || px.Max.Y != h || px.Dy() < 12 || px.Dy() > h/6 || s.ch < h/36 {
				t.Errorf("%v: the bar is %v with letters of %d px", size, px, s.ch)
			}
			a, b := blank(w, h, 77), blank(w, h, 200)
			if s.Draw(a, 0) != nil || s.Draw(b, 0) != nil {
				t.Fatal("not drawn")
			}
			for y := range h {
				in := y >= px.Min.Y
				if row := a.Y[y*w : (y+1)*w]; !in && bytes.Count(row, []byte{77}) != w {
					t.Fatalf("%v: line %d is drawn on", size, y)
				} else if in && (!bytes.Equal(row[:px.Max.X], b.Y[y*w:y*w+px.Max.X]) || bytes.Count(row[px.Max.X:], []byte{77}) != w-px.Max.X) {
					t.Fatalf("%v: line %d shows what is below, or leaves the bar", size, y)
				}
			}
			if r, err := s.Check(a, 0); err != nil || !r.OK || r.Energy != 0 || r.Chroma != 0 {
				t.Errorf("%v: %+v, %v", size, r, err)
			}
			a.U[(h/2-1)*w/2] ^= 0x40
			if r, err := s.Check(a, 0); err != nil || r.OK {
				t.Errorf("%v: colour in the bar passed: %+v, %v", size, r, err)
			}
		}
	}
}

// A wrong digit anywhere fails, at the smallest size of letters too.
func TestCheckReadsEveryDigit(t *testing.T) {
	for _, size := range [][2]int{{176, 144}, {640, 360}, {1920, 1080}} {
		s := stamper(t, size[0], size[1], "Netto")
		for a := '0'; a <= '9'; a++ {
			for b := '0'; b <= '9'; b++ {
				sum := 0
				for i, v := range s.glyph[a] {
					d := int(v) - int(s.glyph[b][i])
					sum += d * d
				}
				if e := float64(sum) / float64(s.cw*s.ch); a != b && e < 2*MaxEnergy {
					t.Errorf("%v: %c and %c are %.0f apart, a codec may take %.0f", size, a, b, e, MaxEnergy)
				}
			}
		}
		f := blank(size[0], size[1], 90)
		if err := s.Draw(f, 0); err != nil {
			t.Fatal(err)
		}
		for _, at := range []footage.Ticks{90000, -90000, 90000 * 60, 90000 * 3600 * 24} {
			if r, err := s.Check(f, at); err != nil || r.OK {
				t.Errorf("%v: the time of %d ticks later passed: %+v, %v", size, at, r, err)
			}
		}
	}
}

// A codec's copy passes.
func TestCodec(t *testing.T) {
	const w, h = 640, 360
	s := stamper(t, w, h, "Netto Ærø")
	r := rand.New(rand.NewPCG(1, 2))
	var raw []byte
	const frames = 30
	for i := range frames {
		f := blank(w, h, 0)
		for k := range f.Y {
			f.Y[k] = byte(100 + r.IntN(60) + i)
		}
		if err := s.Draw(f, footage.Ticks(i*9000)); err != nil {
			t.Fatal(err)
		}
		raw = append(append(append(raw, f.Y...), f.U...), f.V...)
	}
	run := func(in []byte, args ...string) []byte {
		c := exec.CommandContext(t.Context(), "ffmpeg", append([]string{"-v", "error"}, args...)...)
		c.Stdin = bytes.NewReader(in)
		out, err := c.Output()
		if err != nil {
			t.Fatalf("%v: install Debian's ffmpeg (scripts/setup.sh does)", err)
		}
		return out
	}
	for _, crf := range []int{20, 26} {
		coded := run(raw, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", "640x360", "-framerate", "10", "-i", "pipe:0",
			"-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", "10", "-crf", strconv.Itoa(crf), "-f", "h264", "pipe:1")
		back := run(coded, "-f", "h264", "-i", "pipe:0", "-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:1")
		if len(back) != len(raw) {
			t.Fatalf("%d bytes of %d", len(back), len(raw))
		}
		worst := 0.
		for i := range frames {
			b := back[i*w*h*3/2:]
			rep, err := s.Check(&veil.Frame{W: w, H: h, Y: b[:w*h], U: b[w*h : w*h*5/4], V: b[w*h*5/4 : w*h*3/2]}, footage.Ticks(i*9000))
			if err != nil || !rep.OK {
				t.Errorf("CRF %d frame %d: %+v, %v", crf, i, rep, err)
			}
			worst = max(worst, rep.Energy)
		}
		t.Logf("CRF %d: energy of at most %.0f", crf, worst)
	}
}

func TestRefuses(t *testing.T) {
	for _, tc := range []struct {
		g shape.Grid
		s mask.Stamp
	}{
		{shape.Grid{W: 64, H: 48, Block: 4}, mask.Stamp{Start: start}}, {shape.Grid{W: 640, H: 361, Block: 4}, mask.Stamp{Start: start}},
		{shape.For(640, 360), mask.Stamp{}}, {shape.For(640, 360), mask.Stamp{Start: start, Place: "\xff"}},
	} {
		if _, err := New(tc.g, tc.s); err == nil {
			t.Errorf("%+v was not refused", tc)
		}
	}
	s := stamper(t, 640, 360, "")
	if s.Draw(blank(640, 358, 1), 0) == nil {
		t.Error("a frame of another size was drawn on")
	}
	if _, err := s.Check(&veil.Frame{W: 640, H: 360}, 0); err == nil {
		t.Error("a frame without planes was measured")
	}
}

// Letters that the font lacks become its box; nothing of a font can bring the
// reader down.
func TestFont(t *testing.T) {
	s := stamper(t, 640, 360, "漢A")
	if bytes.Equal(s.glyph['漢'], s.glyph['A']) || bytes.Equal(s.glyph['漢'], s.glyph[' ']) {
		t.Error("a letter that is not there is not a box")
	}
	for _, r := range "æøåÆØÅéüö0123456789" {
		if f, err := New(shape.For(640, 360), mask.Stamp{Start: start, Place: string(r) + "漢"}); err != nil || bytes.Equal(f.glyph[r], f.glyph['漢']) {
			t.Errorf("%c is not in the font: %v", r, err)
		}
	}
}

func BenchmarkDraw1080p(b *testing.B) {
	s, err := New(shape.For(1920, 1080), mask.Stamp{Start: start, Place: "Netto Ærø"})
	if err != nil {
		b.Fatal(err)
	}
	f, at := blank(1920, 1080, 50), footage.Ticks(0)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Draw(f, at); err != nil {
			b.Fatal(err)
		}
		at += 3600
	}
}

// Whatever place a mask names, a stamp is refused, or drawn within its area and
// read back.
func FuzzPlace(f *testing.F) {
	f.Add("Netto Ærø", uint16(640), uint16(360), int64(1795352585123), uint32(90000))
	f.Add("漢\u202e\x00\n", uint16(16), uint16(16), int64(0), uint32(0))
	f.Add("", uint16(200), uint16(66), int64(-1), uint32(math.MaxUint32))
	f.Fuzz(func(t *testing.T, place string, w, h uint16, ms int64, at uint32) {
		if len(place) > 300 {
			return
		}
		g := shape.For(16+int(w)%800, 16+int(h)%600)
		s, err := New(g, mask.Stamp{Place: place, Start: time.UnixMilli(ms)})
		if err != nil {
			return
		}
		fr := blank(g.W, g.H, 77)
		if err := s.Draw(fr, footage.Ticks(at)); err != nil {
			t.Fatal(err)
		}
		for y := range g.H {
			for x := range g.W {
				if in := (image.Point{X: x, Y: y}).In(s.px); !in && fr.Y[y*g.W+x] != 77 {
					t.Fatalf("drawn at %d,%d, outside %v", x, y, s.px)
				}
			}
		}
		if rep, err := s.Check(fr, footage.Ticks(at)); err != nil || rep.Energy > 1 {
			t.Errorf("%+v, %v", rep, err)
		}
	})
}
