package work

import (
	"testing"

	"veilbox/capture/footage"
	"veilbox/redact/mask"
	"veilbox/redact/subject"
	"veilbox/redact/track"
)

func TestNobodyElseIsShownBesideTheSubject(t *testing.T) {
	rect := subject.Rect{X: 0.1, Y: 0.2, W: 0.1, H: 0.3}
	for reason, want := range map[string]mask.State{
		track.ReasonGiven:   mask.Shown, // a person looked at this very frame
		track.ReasonTracked: mask.Shown,
		track.ReasonCrowded: mask.Unsure,
	} {
		f := frameOf(track.Region{State: track.Shown, Rect: rect, Confidence: 0.9, Reason: reason})
		if f.State != want || (len(f.Rects) > 0) != (want == mask.Shown) {
			t.Errorf("%s: state %v with %d rectangles, want %v", reason, f.State, len(f.Rects), want)
		}
		if f.Reason != mask.ReasonOf(reason) {
			t.Errorf("%s: kept as %v", reason, f.Reason)
		}
	}
}

func TestNothingIsShownCloseToADoubt(t *testing.T) {
	rects := []subject.Rect{{X: 0.1, Y: 0.2, W: 0.1, H: 0.3}}
	m := &mask.Mask{}
	for i := range 40 { // ten a second
		f := mask.Frame{At: footage.Ticks(i) * 9000, State: mask.Shown, Rects: rects, Reason: mask.ReasonOf(track.ReasonTracked)}
		switch i {
		case 20:
			f = mask.Frame{At: f.At, State: mask.Unsure, Reason: mask.ReasonOf(track.ReasonCrowded)}
		case 22:
			f.Reason = mask.ReasonOf(track.ReasonGiven)
		case 35:
			f = mask.Frame{At: f.At, State: mask.Gone}
		}
		m.Frames = append(m.Frames, f)
	}
	doubt(m)
	for i, f := range m.Frames {
		want := mask.Shown
		switch {
		case i == 22: // a person looked at this very frame
		case i >= 15 && i <= 25:
			want = mask.Unsure
		case i == 35:
			want = mask.Gone
		}
		if f.State != want || (len(f.Rects) > 0) != (want == mask.Shown) {
			t.Errorf("frame %d: %v with %d rectangles, want %v", i, f.State, len(f.Rects), want)
		}
	}
}

func TestARegionThatGrowsAtOnceIsNotShown(t *testing.T) {
	m := &mask.Mask{}
	for i := range 60 {
		r := subject.Rect{X: 0.1, Y: 0.2, W: 0.04 + 0.01*float64(i%3), H: 0.16 + 0.0005*float64(i)} // walks, and comes nearer
		if i >= 30 && i < 36 {
			r.H *= 1.15 // with somebody behind
		}
		m.Frames = append(m.Frames, mask.Frame{At: footage.Ticks(i) * 9000, State: mask.Shown, Rects: []subject.Rect{r}, Reason: mask.ReasonOf(track.ReasonTracked)})
	}
	doubt(m)
	for i, f := range m.Frames {
		want := mask.Shown
		if i >= 25 && i <= 40 {
			want = mask.Unsure
		}
		if f.State != want {
			t.Errorf("frame %d: %v, want %v", i, f.State, want)
		}
	}
}
