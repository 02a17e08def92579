package mask

import (
	"bytes"
	"math"
	"reflect"
	"testing"
	"time"

	"veilbox/capture/footage"
	"veilbox/redact/shape"
	"veilbox/redact/subject"
)

func sample() *Mask {
	g := shape.For(640, 360)
	a, b := g.Inside(subject.Rect{X: 0.1, Y: 0.2, W: 0.3, H: 0.4}), g.Inside(subject.Rect{X: 0.3, Y: 0.2, W: 0.3, H: 0.4})
	none := Seen{State: Unsure, Reason: ReasonOf("lost")}
	return &Mask{Grid: g, Cell: 32, Mode: subject.StillScene, Subjects: 2, Sound: true, Scene: footage.Hash{1},
		Stamp:  &Stamp{Start: time.UnixMilli(1_790_000_000_123).UTC(), Place: "Ærø"},
		Veiled: []subject.Rect{{X: 0.9, Y: 0, W: 0.1, H: 0.1}},
		Frames: []Frame{
			{At: 0, Subjects: []Seen{{State: Shown, Reason: ReasonOf("given"), Confidence: 100, Shape: a}, {State: Shown, Flags: Crowded | Low, Shape: b}},
				Painted: g.Inside(subject.Rect{X: 0, Y: 0.8, W: 1, H: 0.2})},
			{At: 3600, Subjects: []Seen{{State: Shown, Confidence: 50, Shape: a}, none}, Painted: g.Inside(subject.Rect{X: 0, Y: 0.8, W: 1, H: 0.2})},
			{At: 7200, Subjects: []Seen{none, none}},
			{At: 10800, Subjects: []Seen{{State: Gone, Reason: ReasonOf("gone")}, none}},
			{At: 14400, Subjects: []Seen{{State: Gone}, {State: Gone}}},
		}}
}

func TestRoundTrip(t *testing.T) {
	m := sample()
	if err := m.Check(); err != nil {
		t.Fatal(err)
	}
	got, err := Decode(m.Encode())
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Fatalf("%+v, %v", got, err)
	}
	still := &Mask{Grid: m.Grid, Cell: 32, Mode: subject.BlurEverything, Still: true, Frames: []Frame{{Subjects: []Seen{}}}}
	if got, err := Decode(still.Encode()); err != nil || !got.Still || got.Stamp != nil {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestWhatIsSeen(t *testing.T) {
	m := sample()
	a, b := m.Frames[0].Subjects[0].Shape, m.Frames[0].Subjects[1].Shape
	keep := append(shape.Shape{}, shape.Run{Row: 1, From: 2, To: 3})
	got := m.Shown(keep, 0)
	if got[0] != keep[0] || !got[1:].Equal(shape.Union(nil, a, b)) || !m.Shown(nil, 1).Equal(a) || !m.Shown(nil, 2).Empty() {
		t.Error("Shown")
	}
	if m.Flags(0) != Crowded|Low || m.Flags(1) != 0 || m.State(1) != Shown || m.State(3) != Unsure || m.State(4) != Gone {
		t.Error("Flags or State")
	}
	if r := m.Unsure(18000); !reflect.DeepEqual(r, []footage.Span{{From: 3600, To: 14400}}) {
		t.Errorf("Unsure = %v", r)
	}
	if r := m.Flagged(18000); !reflect.DeepEqual(r, []footage.Span{{From: 0, To: 3600}}) {
		t.Errorf("Flagged = %v", r)
	}
	f := Crowded | Grown
	if back, ok := FlagsOf(f.Names()); !ok || back != f || f.String() != "crowded,grown" {
		t.Errorf("%v, %v", f, back)
	}
	if _, ok := FlagsOf([]string{"x"}); ok {
		t.Error("a flag that does not exist")
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := sample().Encode()
	for name, change := range map[string]func(m *Mask){
		"shown without a shape":    func(m *Mask) { m.Frames[0].Subjects[0].Shape = nil },
		"unsure with a shape":      func(m *Mask) { m.Frames[1].Subjects[1].Shape = m.Frames[0].Subjects[0].Shape },
		"time falls":               func(m *Mask) { m.Frames[2].At = 1 },
		"begins late":              func(m *Mask) { m.Frames[0].At = 1 },
		"no frame":                 func(m *Mask) { m.Frames = nil },
		"no cell":                  func(m *Mask) { m.Cell = 0 },
		"no grid":                  func(m *Mask) { m.Grid.Block = 0 },
		"odd":                      func(m *Mask) { m.Grid.W = 641 },
		"unknown state":            func(m *Mask) { m.Frames[2].Subjects[0].State = 3 },
		"unknown flag":             func(m *Mask) { m.Frames[0].Subjects[0].Flags = 1 << 9 },
		"unknown mode":             func(m *Mask) { m.Mode = 3 },
		"nobody, yet subjects":     func(m *Mask) { m.Mode, m.Scene = subject.BlurEverything, footage.Hash{} },
		"a scene without its mode": func(m *Mask) { m.Mode = subject.SubjectOnly },
		"painted without a scene":  func(m *Mask) { m.Scene = footage.Hash{} },
		"paints over a subject":    func(m *Mask) { m.Frames[0].Painted = m.Frames[0].Subjects[0].Shape },
		"shows the always veiled":  func(m *Mask) { m.Veiled[0] = subject.Rect{X: 0.15, Y: 0.25, W: 0.01, H: 0.01} },
		"paints the always veiled": func(m *Mask) { m.Veiled[0] = subject.Rect{X: 0.15, Y: 0.9, W: 0.01, H: 0.01} },
		"veiled is no number":      func(m *Mask) { m.Veiled[0].X = math.NaN() },
		"a still of many frames":   func(m *Mask) { m.Still, m.Sound = true, false },
		"place":                    func(m *Mask) { m.Stamp.Place = "a\nb" },
		"out of the grid":          func(m *Mask) { m.Frames[0].Subjects[0].Shape = shape.Shape{{Row: 99, From: 0, To: 1}} },
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
