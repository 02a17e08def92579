package sheet

import (
	"bytes"
	"encoding/json"
	"image"
	"image/jpeg"
	"math"
	"slices"
	"testing"

	"veilbox/capture/footage"
	"veilbox/redact/mask"
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
	at := func(i int) footage.Ticks { return footage.Ticks(i) * second / 25 }
	pick := func(n int, seen func(i int) (bool, mask.Flags)) (got []int) {
		var p Picker
		for i := range n {
			if shown, flags := seen(i); p.Pick(at(i), at(i+1), shown, flags) {
				got = append(got, i)
			}
		}
		return got
	}
	for _, tc := range []struct {
		name string
		seen func(i int) (bool, mask.Flags)
		want []int
	}{
		{"two a second", func(i int) (bool, mask.Flags) { return i >= 10 && i < 60 || i == 70, 0 }, []int{10, 22, 34, 46, 58, 70}},
		{"four a second with a flag", func(i int) (bool, mask.Flags) {
			if i >= 5 && i < 25 {
				return true, mask.Low
			}
			return i < 40, 0
		}, []int{0, 5, 11, 17, 23, 35}},
		{"a flag that joins, and goes and comes", func(i int) (bool, mask.Flags) {
			switch {
			case i == 7 || i == 9:
				return true, mask.Low | mask.Detected
			case i < 11:
				return true, mask.Low
			}
			return false, mask.Low
		}, []int{0, 6, 7}},
		{"short runs with a flag", func(i int) (bool, mask.Flags) {
			if i == 2 || i == 4 {
				return true, mask.Cut
			}
			return i < 6, 0
		}, []int{0, 2, 4}},
	} {
		if got := pick(100, tc.seen); !slices.Equal(got, tc.want) {
			t.Errorf("%s: pictures of frames %v, want %v", tc.name, got, tc.want)
		}
	}
	// At one frame a second there is a picture of each, and of each of five with
	// a flag.
	var p, q Picker
	for i := range footage.Ticks(5) {
		if !p.Pick(i*second, (i+1)*second, true, 0) || !q.Pick(i*second/5, (i+1)*second/5, true, mask.Grown) {
			t.Errorf("frame %d of a slow clip has no picture", i)
		}
	}
}

func sheets(t *testing.T) func() *Sheet {
	jpg := picture(t, 320)
	return func() *Sheet {
		return &Sheet{Pictures: []Picture{
			{At: 45000, Subject: 1, Kind: Subject, Flags: mask.Cut, Rect: subject.Rect{X: 0.1, Y: 0.2, W: 0.3, H: 0.4}, JPEG: jpg},
			{At: 0, Subject: 0, Kind: Subject, Rect: subject.Rect{X: 0.1, Y: 0.2, W: 0.3, H: 0.4}, JPEG: jpg},
			{At: 45000, Subject: -1, Kind: Scene, Rect: subject.Rect{W: 1, H: 1}, JPEG: jpg},
			{At: 45000, Subject: 0, Kind: Subject, JPEG: jpg}},
			Unsure: []footage.Span{{From: 90000, To: 99000}}, Flagged: []footage.Span{{From: 45000, To: 48600}}}
	}
}

func TestHash(t *testing.T) {
	fresh := sheets(t)
	seen := map[footage.SheetHash]string{fresh().Hash(): "the sheet itself"}
	if err := fresh().Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(s *Sheet){
		"a time":              func(s *Sheet) { s.Pictures[1].At++ },
		"a rectangle":         func(s *Sheet) { s.Pictures[0].Rect.W = 0.31 },
		"a subject":           func(s *Sheet) { s.Pictures[0].Subject = 2 },
		"a kind":              func(s *Sheet) { s.Pictures[2].Kind = Still },
		"a flag":              func(s *Sheet) { s.Pictures[0].Flags |= mask.Low },
		"a picture":           func(s *Sheet) { s.Pictures[1].JPEG = append(slices.Clone(s.Pictures[1].JPEG), 0) },
		"a picture less":      func(s *Sheet) { s.Pictures = s.Pictures[:1] },
		"a span":              func(s *Sheet) { s.Unsure[0].To++ },
		"a span less":         func(s *Sheet) { s.Unsure = nil },
		"a flagged span":      func(s *Sheet) { s.Flagged[0].From-- },
		"a flagged span less": func(s *Sheet) { s.Flagged = nil },
		"the other span":      func(s *Sheet) { s.Unsure, s.Flagged = s.Flagged, s.Unsure },
		"sound":               func(s *Sheet) { s.Sound = true },
		"the order":           func(s *Sheet) { slices.Reverse(s.Pictures) },
	} {
		s := fresh()
		change(s)
		if old, again := seen[s.Hash()]; again {
			t.Errorf("%s: the same hash as %s", name, old)
		}
		seen[s.Hash()] = name
	}
}

func TestSort(t *testing.T) {
	s, want := sheets(t)(), sheets(t)()
	slices.Reverse(s.Pictures)
	if s.Check() == nil {
		t.Error("pictures out of order were taken")
	}
	s.Sort()
	if s.Hash() != want.Hash() {
		t.Errorf("%+v", s.Pictures)
	}
}

func TestJSON(t *testing.T) {
	s := sheets(t)()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(`"flags":["cut"]`)) || !bytes.Contains(b, []byte(`"flags":[]`)) {
		t.Errorf("%.300s", b)
	}
	var back Sheet
	if err := json.Unmarshal(b, &back); err != nil || back.Hash() != s.Hash() {
		t.Errorf("%+v, %v", back, err)
	}
	if json.Unmarshal([]byte(`{"pictures":[{"flags":["blurred"]}]}`), &back) == nil {
		t.Error("a flag that does not exist was taken")
	}
}

func TestCheckRefuses(t *testing.T) {
	large, err := Crop(make([]byte, 1400*40*3/2), 1400, 40, image.Rect(0, 0, 1400, 40), 1400)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(s *Sheet){
		"no JPEG":                 func(s *Sheet) { s.Pictures[0].JPEG = []byte("hello") },
		"something behind a JPEG": func(s *Sheet) { s.Pictures[0].JPEG = append(slices.Clone(s.Pictures[0].JPEG), 0) },
		"too large":               func(s *Sheet) { s.Pictures[2].JPEG = large },
		"out of order":            func(s *Sheet) { s.Pictures[1].At = 90000 },
		"flags at the end":        func(s *Sheet) { s.Pictures[3].Flags = mask.Low },
		"an unknown flag":         func(s *Sheet) { s.Pictures[0].Flags = 1 << 9 },
		"an unknown kind":         func(s *Sheet) { s.Pictures[0].Kind = "face" },
		"a scene of a subject":    func(s *Sheet) { s.Pictures[2].Subject = 0 },
		"nobody":                  func(s *Sheet) { s.Pictures[1].Subject = -1 },
		"two scenes":              func(s *Sheet) { s.Pictures = slices.Insert(s.Pictures, 2, s.Pictures[2]) },
		"before the start":        func(s *Sheet) { s.Pictures[1].At = -1 },
		"outside the frame":       func(s *Sheet) { s.Pictures[0].Rect.X = 1.5 },
		"nowhere":                 func(s *Sheet) { s.Pictures[0].Rect.X = math.NaN() },
		"too many":                func(s *Sheet) { s.Pictures = make([]Picture, MaxPictures+1) },
	} {
		s := sheets(t)()
		change(s)
		if s.Check() == nil {
			t.Errorf("%s was taken", name)
		}
	}
	// What is too large for a subject is right for a scene.
	s := sheets(t)()
	mid, err := Crop(make([]byte, 400*40*3/2), 400, 40, image.Rect(0, 0, 400, 40), 400)
	if err != nil {
		t.Fatal(err)
	}
	s.Pictures[2].JPEG = mid
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	s.Pictures[1].JPEG = mid
	if s.Check() == nil {
		t.Error("a large picture of a subject was taken")
	}
}
