package mask

import (
	"bytes"
	"reflect"
	"testing"

	"veilbox/capture/footage"
	"veilbox/redact/subject"
)

func sample() *Mask {
	return &Mask{Width: 640, Height: 360, Cell: 32, Frames: []Frame{
		{At: 0, State: Shown, Reason: ReasonOf("given"), Confidence: 100, Rects: []subject.Rect{{X: 0.1, Y: 0.2, W: 0.3, H: 0.4}}},
		{At: 3600, State: Unsure, Reason: ReasonOf("lost")},
		{At: 7200, State: Unsure, Reason: ReasonOf("lost")},
		{At: 10800, State: Gone, Reason: ReasonOf("gone")},
		{At: 14400, State: Unsure},
	}}
}

func TestRoundTrip(t *testing.T) {
	m := sample()
	got, err := Decode(m.Encode())
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Fatalf("%+v, %v", got, err)
	}
	if got.Shown(1) != nil || len(got.Shown(0)) != 1 {
		t.Error("Shown")
	}
	want := []footage.Span{{From: 3600, To: 10800}, {From: 14400, To: 18000}}
	if r := m.Runs(Unsure, 18000); !reflect.DeepEqual(r, want) {
		t.Errorf("Runs = %v, want %v", r, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := sample().Encode()
	for name, change := range map[string]func(m *Mask){
		"shown without a rectangle": func(m *Mask) { m.Frames[0].Rects = nil },
		"unsure with a rectangle":   func(m *Mask) { m.Frames[1].Rects = m.Frames[0].Rects },
		"time falls":                func(m *Mask) { m.Frames[2].At = 1 },
		"begins late":               func(m *Mask) { m.Frames[0].At = 1 },
		"no frame":                  func(m *Mask) { m.Frames = nil },
		"no cell":                   func(m *Mask) { m.Cell = 0 },
		"unknown state":             func(m *Mask) { m.Frames[1].State = 3 },
	} {
		m := sample()
		change(m)
		if _, err := Decode(m.Encode()); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	for n := range len(good) {
		if _, err := Decode(good[:n]); err == nil {
			t.Fatalf("the first %d bytes were taken", n)
		}
	}
	if _, err := Decode(append(good, 0)); err == nil {
		t.Error("a byte more was taken")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(sample().Encode())
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err == nil && !bytes.Equal(m.Encode(), b) {
			t.Error("a second form of the same mask was taken")
		}
	})
}
