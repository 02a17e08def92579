package sheet

import (
	"bytes"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"slices"
	"testing"

	"veilbox/redact/mask"
	"veilbox/redact/subject"
)

func noise(w, h int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, w*h*3/2)
	for i := range b {
		b[i] = byte(16 + r.IntN(220))
	}
	return b
}

func TestStructure(t *testing.T) {
	for _, size := range []image.Point{{2, 2}, {16, 16}, {18, 14}, {64, 48}, {330, 246}} {
		for _, q := range []int{1, 80, StillQuality, 100} {
			for name, frame := range map[string][]byte{"noise": noise(size.X, size.Y), "flat": bytes.Repeat([]byte{90}, size.X*size.Y*3/2)} {
				b, err := Encode(frame, size.X, size.Y, q)
				if err != nil {
					t.Fatal(err)
				}
				if w, h, err := Structure(b); err != nil || w != size.X || h != size.Y {
					t.Errorf("%s of %v at %d: %dx%d, %v", name, size, q, w, h, err)
				}
				// Every cut, and everything put in, is seen.
				for _, at := range []int{1, 2, 3, len(b) / 2, len(b) - 3, len(b) - 2, len(b) - 1} {
					if _, _, err := Structure(b[:at]); err == nil {
						t.Errorf("%s of %v: the first %d of %d bytes were taken", name, size, at, len(b))
					}
				}
				for _, at := range []int{0, 2, len(b) - 2, len(b)} {
					if _, _, err := Structure(slices.Insert(slices.Clone(b), at, 0x12, 0x34)); err == nil {
						t.Errorf("%s of %v: bytes put in at %d of %d were not seen", name, size, at, len(b))
					}
				}
				c := slices.Clone(b)
				c[len(c)-3] &^= 1 // of the ones that fill the last byte, or of a code
				if _, _, err := Structure(c); err == nil && c[len(c)-3] != b[len(b)-3] && name == "flat" {
					t.Errorf("%s of %v at %d: another last byte was not seen", name, size, q)
				}
			}
		}
	}
	var grey bytes.Buffer
	if err := jpeg.Encode(&grey, image.NewGray(image.Rect(0, 0, 30, 20)), nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Structure(grey.Bytes()); err == nil {
		t.Error("a grey one was taken, and none of ours is")
	}
}

func TestDecode(t *testing.T) {
	const w, h = 64, 48
	flat := make([]byte, w*h*3/2)
	for v := 16; v <= 235; v += 7 {
		for i := range flat {
			flat[i] = byte(v)
		}
		b, err := Encode(flat, w, h, StillQuality)
		if err != nil {
			t.Fatal(err)
		}
		back := make([]byte, len(flat))
		if err := Decode(b, back, w, h); err != nil {
			t.Fatal(err)
		}
		for i, got := range back {
			if d := int(got) - v; d < -2 || d > 2 {
				t.Fatalf("sample %d is %d, was %d", i, got, v)
			}
		}
		if Decode(b, back, h, w) == nil || Decode(b[:100], back, w, h) == nil {
			t.Fatal("a JPEG of another size, or half of one, was taken")
		}
	}
}

func TestPictureOnTheWire(t *testing.T) {
	p := Picture{At: 12345, Subject: 3, Kind: Subject, Flags: mask.Low | mask.Crowded, Rect: subject.Rect{X: 0.25, Y: 0.5, W: 0.125, H: 0.5}, JPEG: []byte{1, 2, 3}}
	b := EncodePicture(p)
	got, err := DecodePicture(b)
	if err != nil || got.At != p.At || got.Subject != 3 || got.Kind != Subject || got.Flags != p.Flags || got.Rect != p.Rect || !bytes.Equal(got.JPEG, p.JPEG) {
		t.Fatalf("%+v, %v", got, err)
	}
	b[len(b)-1] = 9
	if got.JPEG[2] != 3 {
		t.Error("it shares memory with what came")
	}
	for i := range headSize {
		if _, err := DecodePicture(b[:i]); err == nil {
			t.Errorf("%d bytes were taken", i)
		}
	}
	if _, err := DecodePicture(append(b, make([]byte, MaxPicture)...)); err == nil {
		t.Error("a picture over its bound was taken")
	}
}

func FuzzStructure(f *testing.F) {
	for _, n := range []int{2, 18, 40} {
		b, err := Encode(noise(n, n), n, n, 80)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		w, h, err := Structure(b)
		if err != nil {
			return
		}
		if c, err := jpeg.DecodeConfig(bytes.NewReader(b)); err != nil || c.Width != w || c.Height != h {
			t.Fatalf("%dx%d, but image/jpeg says %+v, %v", w, h, c, err)
		}
		if _, _, err := Structure(append(slices.Clone(b), 0)); err == nil {
			t.Fatal("a byte behind the end was not seen")
		}
	})
}

func FuzzDecodePicture(f *testing.F) {
	f.Add(EncodePicture(Picture{Kind: Subject, JPEG: []byte{1}}))
	f.Add(EncodePicture(Picture{Kind: Scene, Subject: -1, Rect: subject.Rect{W: 1, H: 1}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodePicture(b)
		if err == nil && !bytes.Equal(EncodePicture(p), b) {
			t.Fatal("a picture changed on the way")
		}
	})
}

func BenchmarkStructure(b *testing.B) {
	jpg, err := Encode(noise(320, 240), 320, 240, 80)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(jpg)))
	for b.Loop() {
		if _, _, err := Structure(jpg); err != nil {
			b.Fatal(err)
		}
	}
}
