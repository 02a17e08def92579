package sheet

import (
	"bytes"
	"image"
	"image/jpeg"
	"math"
	"slices"
	"testing"

	"veilbox/capture/footage"
	"veilbox/redact/subject"
)

func picture(t *testing.T, side int) []byte {
	t.Helper()
	b, err := Crop(frame(64, 48), 64, 48, image.Rect(0, 0, 64, 48), side)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// frame is grey but for a white block at 32,16 of 16x16.
func frame(w, h int) []byte {
	b := bytes.Repeat([]byte{126}, w*h*3/2)
	for i := w * h; i < len(b); i++ {
		b[i] = 128
	}
	for y := 16; y < 32; y++ {
		for x := 32; x < 48; x++ {
			b[y*w+x] = 235
		}
	}
	return b
}

func TestCropIsExact(t *testing.T) {
	for _, tc := range []struct {
		px   image.Rectangle
		side int
		w, h int
		mean float64
	}{
		{image.Rect(32, 16, 48, 32), 320, 16, 16, 255},
		{image.Rect(0, 0, 32, 48), 320, 32, 48, 128},
		{image.Rect(32, 16, 48, 32), 8, 8, 8, 255},
		{image.Rect(30, 14, 34, 18), 320, 4, 4, 160},
		{image.Rect(62, 46, 64, 48), 1, 1, 1, 128},
	} {
		b, err := Crop(frame(64, 48), 64, 48, tc.px, tc.side)
		if err != nil {
			t.Fatal(err)
		}
		img, err := jpeg.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if d := img.Bounds(); d.Dx() != tc.w || d.Dy() != tc.h {
			t.Errorf("%v at %d: %v, want %dx%d", tc.px, tc.side, d, tc.w, tc.h)
		}
		sum, n := 0., 0.
		for _, v := range img.(*image.YCbCr).Y[:tc.w] {
			sum, n = sum+float64(v), n+1
		}
		if tc.h > 4 && math.Abs(sum/n-tc.mean) > 3 {
			t.Errorf("%v: a mean of %.0f in the first row, want %.0f", tc.px, sum/n, tc.mean)
		}
	}
}

func TestPicker(t *testing.T) {
	const second = footage.TicksPerSecond
	var p Picker
	var got []footage.Ticks
	at := func(i int) footage.Ticks { return footage.Ticks(i) * second / 25 }
	for i := range 100 {
		shown := i >= 10 && i < 60 || i == 70
		if p.Pick(at(i), at(i+1), shown, 0) {
			got = append(got, footage.Ticks(i))
		}
	}
	want := []footage.Ticks{10, 22, 34, 46, 58, 70}
	if !slices.Equal(got, want) {
		t.Errorf("pictures of frames %v, want %v", got, want)
	}
	// At one frame a second there is a picture of each.
	p = Picker{}
	for i := range footage.Ticks(5) {
		if !p.Pick(i*second, (i+1)*second, true, 0) {
			t.Errorf("frame %d of a slow clip has no picture", i)
		}
	}
}

func TestHash(t *testing.T) {
	jpg := picture(t, 320)
	make := func() *Sheet {
		return &Sheet{Pictures: []Picture{{At: 0, Rect: subject.Rect{X: 0.1, Y: 0.2, W: 0.3, H: 0.4}, JPEG: jpg}, {At: 45000, JPEG: jpg}},
			Unsure: []footage.Span{{From: 90000, To: 99000}}}
	}
	seen := map[footage.SheetHash]string{make().Hash(): "the sheet itself"}
	if err := make().Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(s *Sheet){
		"a time":         func(s *Sheet) { s.Pictures[1].At++ },
		"a rectangle":    func(s *Sheet) { s.Pictures[0].Rect.W = 0.31 },
		"a picture":      func(s *Sheet) { s.Pictures[1].JPEG = append(slices.Clone(jpg), 0) },
		"a picture less": func(s *Sheet) { s.Pictures = s.Pictures[:1] },
		"a span":         func(s *Sheet) { s.Unsure[0].To++ },
		"a span less":    func(s *Sheet) { s.Unsure = nil },
		"the order":      func(s *Sheet) { slices.Reverse(s.Pictures) },
	} {
		s := make()
		change(s)
		if old, again := seen[s.Hash()]; again {
			t.Errorf("%s: the same hash as %s", name, old)
		}
		seen[s.Hash()] = name
	}
}

func TestCheckRefuses(t *testing.T) {
	jpg := picture(t, 320)
	big, err := Crop(make([]byte, 400*40*3/2), 400, 40, image.Rect(0, 0, 400, 40), 400)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*Sheet{
		"no JPEG":      {Pictures: []Picture{{JPEG: []byte("hello")}}},
		"too large":    {Pictures: []Picture{{JPEG: big}}},
		"out of order": {Pictures: []Picture{{At: 5, JPEG: jpg}, {At: 4, JPEG: jpg}}},
		"too many":     {Pictures: make([]Picture, MaxPictures+1)},
	} {
		if s.Check() == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
