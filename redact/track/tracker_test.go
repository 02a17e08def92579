package track

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"veilbox/redact/shape"
	"veilbox/redact/subject"
)

func tracker(t *testing.T, s *scene, people func(int) []Person) *Tracker {
	t.Helper()
	tr, err := New(t.Context(), s, Options{Grid: gridOf(s), People: people})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func (tr *Tracker) must(t *testing.T, subjects ...subject.Subject) [][]Region {
	t.Helper()
	out, err := tr.Track(t.Context(), subjects, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestACorrectionWalksOnlyItsStretch adds and removes keyframes: the result is
// that of a tracker which knows nothing of before, and only the frames between
// the neighbours are walked.
func TestACorrectionWalksOnlyItsStretch(t *testing.T) {
	walk := straight(20, 70, 1.2, 16, 42)
	hidden := func(i int) (box, bool) { b, _ := walk(i); return b, i < 50 || i >= 80 }
	s := build(120, nil, nil, actor{3, 20, hidden}, actor{8, 90, straight(170, 74, -1.2, 16, 42)})
	tr := tracker(t, s, nil)
	a, b, c, d := s.key(5, 0), s.key(110, 0), s.key(90, 0), s.key(30, 0)
	for _, step := range []struct {
		name string
		subj subject.Subject
		most int // frames walked
	}{
		{"two keyframes", keys(a, b), 5 + 2*104 + 9},
		{"one more between", keys(a, c, b), 84 + 19},
		{"and another", keys(a, d, c, b), 24 + 59},
		{"the last one undone", keys(a, c, b), 0},
		{"it has gone", keys(a, subject.Keyframe{At: s.Time(50), Gone: true}, c, b), 0},
		{"nothing new", keys(a, c, b), 0},
	} {
		before := tr.walked
		got := tr.must(t, step.subj)
		if n := tr.walked - before; n > step.most {
			t.Errorf("%s: %d frames walked, at most %d lie between the keyframes", step.name, n, step.most)
		}
		if want := tracker(t, s, nil).must(t, step.subj); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the result differs from that of a fresh tracker", step.name)
		}
	}
	for range keepCalls {
		tr.must(t, keys(a))
	}
	if n := len(tr.walks); n != 2 {
		t.Errorf("%d walks are kept that nobody asks for", n-2)
	}
}

func TestACancelledTrackGoesOn(t *testing.T) {
	s := build(60, nil, nil, actor{3, 20, straight(20, 70, 1.6, 16, 42)})
	tr := tracker(t, s, nil)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := tr.Track(ctx, []subject.Subject{keys(s.key(0, 0))}, func(int, int) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("after a cancel: %v", err)
	}
	if got, want := tr.must(t, keys(s.key(0, 0))), tracker(t, s, nil).must(t, keys(s.key(0, 0))); !reflect.DeepEqual(got, want) {
		t.Error("the result differs from that of a fresh tracker")
	}
}

func TestEachSubjectRevealsOnlyItself(t *testing.T) {
	s := build(90, nil, nil, actor{8, 90, straight(170, 66, -1.6, 16, 42)}, actor{3, 15, straight(20, 72, 1.6, 16, 42)})
	out := tracker(t, s, nil).must(t, keys(s.key(5, 0)), keys(s.key(5, 1)))
	for who, regions := range out {
		if v := s.sight(regions, who); v.unflagged > 0 || v.shown*10 < v.frames*8 {
			t.Errorf("subject %d: %+v", who, v)
		}
	}
	for i := range s.n {
		a, b := out[0][i], out[1][i]
		if shape.Overlap(a.Shape, b.Shape) && a.Flags&b.Flags&FlagCrowded == 0 {
			t.Errorf("frame %d: the two overlap and are flagged %v and %v", i, a.Flags, b.Flags)
		}
	}
}

func TestADetectorOnlyAdds(t *testing.T) {
	s := build(60, nil, nil, actor{3, 20, straight(20, 70, 1.6, 16, 42)})
	people := func(i int) []Person {
		own := s.boxes[0][i]
		other := own
		other.cx += 10
		switch i {
		case 20: // the subject itself
			return []Person{{own.rect(s.w, s.h), 1}}
		case 30: // and somebody that the tracker does not see
			return []Person{{other.rect(s.w, s.h), 0.4}, {own.rect(s.w, s.h), 1}}
		case 40: // far off
			return []Person{{subject.Rect{X: 0.01, Y: 0.01, W: 0.1, H: 0.2}, 1}}
		case 50: // nonsense
			return []Person{{subject.Rect{X: math.NaN(), Y: 2, W: -1, H: math.Inf(1)}, 1}}
		}
		return nil
	}
	plain := tracker(t, s, nil).must(t, keys(s.key(2, 0)))[0]
	with := tracker(t, s, people).must(t, keys(s.key(2, 0)))[0]
	for i := range with {
		switch {
		case i == 30:
			if f := with[i].Flags; f&(FlagDetected|FlagCut|FlagCrowded) != FlagDetected|FlagCut|FlagCrowded {
				t.Errorf("frame %d: flags %v", i, f)
			}
			if len(shape.Minus(nil, with[i].Shape, plain[i].Shape)) > 0 || with[i].Shape.Blocks() >= plain[i].Shape.Blocks() {
				t.Errorf("frame %d: nothing was cut away", i)
			}
		case i < 27 || i > 33:
			if !reflect.DeepEqual(with[i], plain[i]) {
				t.Errorf("frame %d: %+v with a detector, %+v without", i, with[i], plain[i])
			}
		}
	}
}

func TestWhatHasGrownIsFlagged(t *testing.T) {
	s := &scene{w: 192, h: 144, n: 60, fps: 10, pix: [][]byte{make([]byte, 192*144)}}
	tr := &Tracker{e: &engine{src: s, w: s.w, h: s.h, total: s.n}}
	tr.e.outline.init(gridOf(s), s.w, s.h)
	regions := make([]Region, s.n)
	for i := range regions {
		r := subject.Rect{X: 0.1, Y: 0.2, W: 0.08 + 0.01*float64(i%2), H: 0.3 + 0.0005*float64(i)}
		if i >= 30 && i < 34 {
			r.H *= 1.3 // with somebody behind
		}
		regions[i] = Region{State: Shown, Rect: r, Shape: gridOf(s).Cover(r), Reason: ReasonTracked}
	}
	regions[10].Flags = FlagCrowded
	tr.settle([][]Region{regions})
	for i, r := range regions {
		if got, want := r.Flags&FlagGrown != 0, i >= 30 && i < 34; got != want {
			t.Errorf("frame %d: grown %v, want %v", i, got, want)
		}
		if got, want := r.Flags&FlagCrowded != 0, i >= 7 && i <= 13; got != want {
			t.Errorf("frame %d: crowded %v, want %v", i, got, want)
		}
	}
}

func TestBetween(t *testing.T) {
	g := shape.Grid{W: 400, H: 400, Block: 4}
	at := func(x float64, f Flags) Region {
		r := subject.Rect{X: x, Y: 0.2, W: 0.1, H: 0.3}
		return Region{State: Shown, Rect: r, Shape: g.Inside(r), Confidence: 0.8, Flags: f}
	}
	wide := at(0.3, FlagCrowded)
	wide.Shape = g.Inside(subject.Rect{X: 0.2, Y: 0.2, W: 0.3, H: 0.3})
	gone, unsure := Region{State: Gone}, Region{}
	for _, tc := range []struct {
		name string
		a, b Region
		t    float64
		want Region
	}{
		{"straight on", at(0.1, 0), at(0.3, FlagLow), 0.5, at(0.2, FlagLow)},
		{"only what both show, in a crowd", at(0.1, 0), wide, 0.5, at(0.2, FlagCrowded)},
		{"gone", gone, gone, 0.5, gone},
		{"unsure after", at(0.1, 0), unsure, 0.5, unsure},
		{"unsure before", unsure, at(0.1, 0), 0.1, unsure},
		{"gone after", at(0.1, 0), gone, 0.9, unsure},
		{"no time", at(0.1, 0), at(0.3, 0), math.NaN(), unsure},
		{"off the picture", at(0.1, 0), Region{State: Shown, Rect: subject.Rect{X: 40}}, 1, unsure},
	} {
		got := Between(tc.a, tc.b, tc.t, g)
		if got.State != tc.want.State || !got.Shape.Equal(tc.want.Shape) || got.Flags != tc.want.Flags || got.Reason != ReasonBetween {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
		if err := got.Shape.Check(g); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestFlagNames(t *testing.T) {
	if s := (FlagCrowded | FlagDetected | FlagLow).String(); s != "crowded,detected,low" {
		t.Errorf("the flags are named %q", s)
	}
	if n := Flags(0).Names(); n == nil || len(n) != 0 {
		t.Errorf("no flags are named %q", n)
	}
}

// FuzzTrack tracks noise from any keyframes, on any grid, and back again with
// one keyframe fewer.
func FuzzTrack(f *testing.F) {
	f.Add(uint64(1), 0.1, 0.2, 0.3, 0.4, 0.5, uint16(0))
	f.Add(uint64(2), 0.9, 0.9, 0.1, 0.1, 0.0, uint16(7))
	f.Add(uint64(3), 0.0, 0.0, 1.0, 1.0, 0.9, uint16(99))
	f.Add(uint64(4), 0.5, 0.5, 0.005, 0.005, 0.9, uint16(1000))
	f.Fuzz(func(t *testing.T, seed uint64, x, y, w, h, at float64, extra uint16) {
		rect := subject.Rect{X: x, Y: y, W: w, H: h}
		one := keys(subject.Keyframe{At: math.Abs(at), Rect: &rect})
		if one.Check() != nil || math.Abs(at) > 1 {
			return // not a subject
		}
		r := rand.New(rand.NewPCG(seed, 0))
		s := &scene{w: 16 + r.IntN(60), h: 16 + r.IntN(60), n: 1 + r.IntN(8), fps: 5}
		for range s.n {
			p := make([]byte, s.w*s.h)
			for i := range p {
				p[i] = byte(r.UintN(256))
			}
			s.pix = append(s.pix, p)
		}
		g := shape.Grid{W: 2 * (8 + r.IntN(400)), H: 2 * (8 + r.IntN(400)), Block: 2 * (1 + int(extra)%16)}
		tr, err := New(t.Context(), s, Options{Grid: g, People: func(int) []Person {
			return []Person{{subject.Rect{X: r.Float64(), Y: r.Float64(), W: r.Float64(), H: r.Float64()}, 1}}
		}})
		if err != nil {
			t.Fatal(err)
		}
		two := keys(one.Keyframes[0], subject.Keyframe{At: math.Abs(at) + 0.4, Rect: &rect})
		if two.Keyframes[1].At > s.Time(s.n-1) {
			two = one
		}
		for _, subjects := range [][]subject.Subject{{one}, {one, two}, {two}} {
			out, err := tr.Track(t.Context(), subjects, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, regions := range out {
				for i, reg := range regions {
					if err := reg.Shape.Check(g); err != nil || reg.Shape.Empty() != (reg.State != Shown) {
						t.Fatalf("frame %d is %v with the shape %v: %v", i, reg.State, reg.Shape, err)
					}
				}
			}
		}
	})
}
