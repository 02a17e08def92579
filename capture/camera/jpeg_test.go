package camera

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"image"
	"image/color"
	"image/jpeg"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/format"
)

// drawn returns a JPEG with the usual Huffman tables, as RTP can carry it.
func drawn(t testing.TB, w, h, quality int) []byte {
	t.Helper()
	m := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	for y := range h {
		for x := range w {
			m.Y[m.YOffset(x, y)] = byte(x*y + x)
			m.Cb[m.COffset(x, y)], m.Cr[m.COffset(x, y)] = byte(x), byte(y)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type jpegSeen struct {
	*jpegAssembler
	stats    Stats
	pictures [][]byte
	sizes    []image.Point
}

func newJPEGSeen(limit int) *jpegSeen {
	s := &jpegSeen{}
	s.jpegAssembler = newJPEG(limit, &s.stats, func() time.Time { return time.Time{} }, func(_ uint32, _ time.Time, b []byte, w, h int) {
		s.pictures = append(s.pictures, bytes.Clone(b))
		s.sizes = append(s.sizes, image.Pt(w, h))
	})
	return s
}

// packed returns a picture's payloads, as another implementation makes them.
func packed(t testing.TB, picture []byte) (out [][]byte) {
	t.Helper()
	e, err := (&format.MJPEG{}).CreateEncoder()
	if err != nil {
		t.Fatal(err)
	}
	packets, err := e.Encode(picture)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packets {
		out = append(out, p.Payload)
	}
	return out
}

func samePixels(t *testing.T, a, b []byte) {
	t.Helper()
	x, err1 := jpeg.Decode(bytes.NewReader(a))
	y, err2 := jpeg.Decode(bytes.NewReader(b))
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if x.Bounds() != y.Bounds() {
		t.Fatalf("%v, want %v", x.Bounds(), y.Bounds())
	}
	for _, p := range []image.Point{{0, 0}, {33, 17}, {100, 60}, {159, 95}} {
		if color.RGBAModel.Convert(x.At(p.X, p.Y)) != color.RGBAModel.Convert(y.At(p.X, p.Y)) {
			t.Errorf("the pictures differ at %v", p)
		}
	}
}

func TestJPEG(t *testing.T) {
	picture := drawn(t, 160, 96, 80)
	payloads := packed(t, picture)
	if len(payloads) < 3 {
		t.Fatalf("%d packets", len(payloads))
	}
	feed := func(s *jpegSeen, seq uint16, ts uint32, payloads [][]byte) uint16 {
		for i, p := range payloads {
			s.push(seq, ts, i == len(payloads)-1, p)
			seq++
		}
		return seq
	}
	t.Run("whole", func(t *testing.T) {
		s := newJPEGSeen(1 << 20)
		seq := feed(s, 65534, 0, payloads)
		feed(s, seq, 3000, payloads)
		if len(s.pictures) != 2 || s.sizes[0] != image.Pt(160, 96) || s.stats.Dropped.Load()+s.stats.Lost.Load()+s.stats.Malformed.Load() != 0 {
			t.Fatalf("%d pictures, %v, %d dropped", len(s.pictures), s.sizes, s.stats.Dropped.Load())
		}
		samePixels(t, s.pictures[1], picture)
	})
	t.Run("no mark", func(t *testing.T) {
		s := newJPEGSeen(1 << 20)
		for i, p := range payloads {
			s.push(uint16(i), 0, false, p)
		}
		s.push(uint16(len(payloads)), 3000, false, payloads[0])
		if len(s.pictures) != 1 {
			t.Fatalf("%d pictures", len(s.pictures))
		}
		samePixels(t, s.pictures[0], picture)
	})
	// By a Q of 1 to 99 the tables are known to both ends.
	t.Run("known tables", func(t *testing.T) {
		picture := drawn(t, 160, 96, 40)
		payloads := packed(t, picture)
		n := 4 + 128
		first := append(bytes.Clone(payloads[0][:8]), payloads[0][8+n:]...)
		first[5] = 40
		s := newJPEGSeen(1 << 20)
		feed(s, 0, 0, append([][]byte{first}, payloads[1:]...))
		if len(s.pictures) != 1 {
			t.Fatalf("no picture; %d malformed", s.stats.Malformed.Load())
		}
		samePixels(t, s.pictures[0], picture)
	})
	// A Q of 128 to 254 may bring its tables once.
	t.Run("tables once", func(t *testing.T) {
		with := bytes.Clone(payloads[0])
		with[5] = 200
		without := append(append(bytes.Clone(with[:8]), 0, 0, 0, 0), with[8+4+128:]...)
		s := newJPEGSeen(1 << 20)
		seq := feed(s, 0, 0, append([][]byte{without}, payloads[1:]...))
		seq = feed(s, seq, 3000, append([][]byte{with}, payloads[1:]...))
		feed(s, seq, 6000, append([][]byte{without}, payloads[1:]...))
		if len(s.pictures) != 2 || s.stats.Dropped.Load() != 1 {
			t.Fatalf("%d pictures, %d dropped, want 2 and 1", len(s.pictures), s.stats.Dropped.Load())
		}
		samePixels(t, s.pictures[1], picture)
	})
	t.Run("whole file", func(t *testing.T) {
		s := newJPEGSeen(1 << 20)
		s.push(0, 0, true, append([]byte{0, 0, 0, 0, 1, 50, 0, 0}, picture...))
		if len(s.pictures) != 1 || !bytes.Equal(s.pictures[0], picture) || s.sizes[0] != image.Pt(160, 96) {
			t.Fatalf("%d pictures, %v", len(s.pictures), s.sizes)
		}
	})
	t.Run("restart intervals", func(t *testing.T) {
		s := newJPEGSeen(1 << 20)
		s.push(0, 0, true, append([]byte{0, 0, 0, 0, 65, 50, 20, 12, 0, 9, 0xff, 0xff}, 1, 2, 3, 4))
		if len(s.pictures) != 1 || !bytes.Contains(s.pictures[0], []byte{0xff, 0xdd, 0, 4, 0, 9}) || !bytes.HasSuffix(s.pictures[0], []byte{1, 2, 3, 4, 0xff, 0xd9}) {
			t.Fatalf("%x", s.pictures)
		}
	})
	for name, f := range map[string]func(s *jpegSeen){
		"a packet lost":    func(s *jpegSeen) { s.push(0, 0, false, payloads[0]); s.push(5, 0, true, payloads[len(payloads)-1]) },
		"begun within":     func(s *jpegSeen) { feed(s, 0, 0, payloads[1:]) },
		"offset off":       func(s *jpegSeen) { s.push(0, 0, false, payloads[0]); s.push(1, 0, true, payloads[2]) },
		"too short":        func(s *jpegSeen) { s.push(0, 0, true, payloads[0][:7]) },
		"tables cut":       func(s *jpegSeen) { s.push(0, 0, true, payloads[0][:60]) },
		"Q 0":              func(s *jpegSeen) { s.push(0, 0, true, []byte{0, 0, 0, 0, 1, 0, 10, 10, 1, 2, 3}) },
		"Q 100":            func(s *jpegSeen) { s.push(0, 0, true, []byte{0, 0, 0, 0, 1, 100, 10, 10, 1, 2, 3}) },
		"type 2":           func(s *jpegSeen) { s.push(0, 0, true, []byte{0, 0, 0, 0, 2, 50, 10, 10, 1, 2, 3}) },
		"no width":         func(s *jpegSeen) { s.push(0, 0, true, []byte{0, 0, 0, 0, 1, 50, 0, 10, 1, 2, 3}) },
		"restart cut":      func(s *jpegSeen) { s.push(0, 0, true, []byte{0, 0, 0, 0, 65, 50, 10, 10, 1, 2, 3}) },
		"empty":            func(s *jpegSeen) { s.push(0, 0, true, []byte{0, 0, 0, 0, 1, 50, 10, 10}) },
		"file without SOF": func(s *jpegSeen) { s.push(0, 0, true, []byte{0, 0, 0, 0, 1, 50, 10, 10, 0xff, 0xd8, 0xff, 0xd9}) },
		"too big":          func(s *jpegSeen) { s.limit = 2000; feed(s, 0, 0, payloads) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newJPEGSeen(1 << 20)
			f(s)
			if len(s.pictures) != 0 || s.stats.Dropped.Load() != 1 {
				t.Errorf("%d pictures, %d dropped, want 0 and 1", len(s.pictures), s.stats.Dropped.Load())
			}
		})
	}
}

// The tables are those of the standard, whatever wrote them.
func TestJPEGTables(t *testing.T) {
	sum := func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:8]) }
	if got := sum(huffmanTables()); got != "06ead79f18b4b181" || len(huffmanTables()) != 420 {
		t.Errorf("Huffman tables of %d bytes, %s", len(huffmanTables()), got)
	}
	q := scaledTables(50)
	if want := []byte{16, 11, 12, 14, 12, 10, 16, 14}; !bytes.Equal(q[:8], want) {
		t.Errorf("luminance %v, want %v", q[:8], want)
	}
	if want := []byte{17, 18, 18, 24, 21, 24, 47, 26}; !bytes.Equal(q[64:72], want) {
		t.Errorf("chrominance %v, want %v", q[64:72], want)
	}
	if q := scaledTables(1); q[0] != 255 {
		t.Errorf("at 1: %d", q[0])
	}
	if q := scaledTables(99); q[0] != 1 {
		t.Errorf("at 99: %d", q[0])
	}
}

func TestJPEGAllocatesNothing(t *testing.T) {
	payloads := packed(t, drawn(t, 320, 240, 80))
	a := newJPEG(1<<20, new(Stats), func() time.Time { return time.Time{} }, func(uint32, time.Time, []byte, int, int) {})
	var seq uint16
	var ts uint32
	if n := testing.AllocsPerRun(100, func() {
		for i, p := range payloads {
			a.push(seq, ts, i == len(payloads)-1, p)
			seq++
		}
		ts += 9000
	}); n > 0 {
		t.Errorf("%v allocations a picture", n)
	}
}

func FuzzJPEG(f *testing.F) {
	for _, p := range packed(f, drawn(f, 64, 64, 50)) {
		f.Add(append([]byte{byte(len(p)), byte(len(p) >> 8), 1}, p...))
	}
	f.Add([]byte{12, 0, 1, 0, 0, 0, 0, 65, 50, 8, 8, 0, 9, 255, 255, 12, 0, 1, 0, 0, 0, 0, 1, 200, 8, 8, 0, 0, 0, 0})
	f.Add(append([]byte{60, 0, 1, 0, 0, 0, 0, 1, 50, 0, 0}, drawn(f, 16, 16, 50)[:52]...))
	extension, data := extended(f, drawn(f, 64, 64, 50))
	for _, split := range []bool{true, false} {
		first := append([]byte{byte(len(extension) / 2)}, extension...)
		how := byte(8)
		rest := append([]byte{0, 0, 0, 0, 2, 0, 0, 0}, data...)
		if !split {
			first, how, rest = append(first, rest...), 9, nil
		}
		seed := append([]byte{byte(len(first)), byte(len(first) >> 8), how}, first...)
		f.Add(append(append(seed, byte(len(rest)), byte(len(rest)>>8), 1), rest...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 13
		s := newJPEGSeen(limit)
		var seq uint16
		var ts uint32
		pushed := 0
		for len(b) >= 3 {
			n, how := min(int(b[0])|int(b[1]&15)<<8, len(b)-3), b[2]
			seq += 1 + uint16(how>>1&1)
			ts += uint32(how >> 2 & 1)
			id, extended := uint16(0), 0
			if how>>3&1 != 0 && n > 0 {
				id, extended = []uint16{jpegBegins, jpegGoesOn, 0xbede, 0}[how>>4&3], min(n-1, int(b[3])<<1)
				n--
				b = b[1:]
			}
			s.pushExtended(seq, ts, how&1 != 0, id, b[3:3+extended], b[3+extended:3+n])
			b = b[3+n:]
			pushed++
		}
		if len(s.pictures) > pushed {
			t.Fatalf("%d pictures of %d packets", len(s.pictures), pushed)
		}
		for i, p := range s.pictures {
			w, h, ok := jpegSize(p)
			if len(p) > limit || !ok || image.Pt(w, h) != s.sizes[i] || !bytes.HasSuffix(p, []byte{0xff, 0xd9}) {
				t.Fatalf("picture %d of %d bytes, %v, %v", i, len(p), s.sizes[i], ok)
			}
		}
	})
}
